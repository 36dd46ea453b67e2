"""The commands on the results of a run: its report, MLflow, its models."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..model_options import Compact, CutTo, ModelFile, ModelOf, RetrainDevice, parse_batches
from ..options import DataRoot, OutFolder, Plugins, Tracking, parse_names


def report(folder: OutFolder) -> None:
    """Write the leaderboard, figures and pages of a run again, from its records alone."""
    from ..results import print_report

    print_report(folder)


def track(folder: OutFolder, tracking_uri: Tracking = None) -> None:
    """Publish to MLflow the trials of a run that are missing there."""
    from ..results import print_publication

    print_publication(folder, tracking_uri)


def export(
    source: Annotated[Path, typer.Argument(help="Output folder of a run, or a model's safetensors file.")],
    trial: ModelOf = None,
    out: ModelFile = None,
    at: CutTo = None,
    task: Annotated[str | None, typer.Option(help="Task of the entry, where there are several.")] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train the model again if the folder does not have it.")
    ] = False,
    compact: Compact = False,
    data: DataRoot = None,
    device: RetrainDevice = None,
    plugin: Plugins = None,
) -> None:
    """Write one finished model for PyTorch, timm or ONNX, and print the Python lines that load it.

    Without an entry or trial, list the models of the output folder: one for each training of its boards.
    """
    from .. import export as export_cli
    from .. import run as commands

    if trial is None and source.is_dir():
        export_cli.print_models(source)
        return
    options: dict[str, Any] = {"at": at, "task": task, "retrain": retrain, "compact": compact}
    options |= {"data": data, "device": device}
    options |= {"plugins": plugin or [], "on_event": commands.print_progress}
    export_cli.print_export(source, trial, out, options)


def latency(
    folder: OutFolder,
    device: Annotated[
        str | None, typer.Option(help="Device: cpu, or cuda:0.", show_default="the first GPU, else cpu")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=4096, help="CPU threads.")] = 1,
    batch: Annotated[str, typer.Option(help="Images in a pass, as 1,64.")] = "1,64",
    seconds: Annotated[float, typer.Option(min=0.0, help="Seconds for each model and batch size.")] = 1.0,
    precision: Annotated[str, typer.Option(help="float32, or float16 on a GPU.")] = "float32",
    task: Annotated[list[str] | None, typer.Option(help="Measure only this task (repeatable).")] = None,
    methods: Annotated[str | None, typer.Option(help="Measure only these entries, as a,b.")] = None,
    data: DataRoot = None,
    plugin: Plugins = None,
) -> None:
    """Measure how fast the models of a run's boards are on this machine, dense and sparse; best while idle.

    Dense: eager torch, torch.compile, ONNX Runtime. Sparse: compacted, linear layers as CSR matrices; with
    float16 on a GPU also as 2:4 matrices.
    """
    from ...latency.options import checked_options
    from ...system.devices import check_device
    from ...system.isolation.plugins import load_plugins
    from ..machine.latency import print_latency

    load_plugins(plugin or [])
    options = checked_options(check_device(device), threads, seconds, parse_batches(batch), precision)
    entries = parse_names(methods, "--methods") if methods is not None else []
    print_latency(folder, options, data, task or [], entries)


def ui(
    folder: OutFolder,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; if taken, a free one is used.")] = 5000,
    browser: Annotated[bool, typer.Option("--open", help="Open the pages in the browser.")] = False,
    optuna: Annotated[
        bool, typer.Option("--optuna", help="Serve optuna-dashboard with the run's searches instead.")
    ] = False,
) -> None:
    """Serve MLflow's pages of a run to you alone, until Ctrl-C: the printed addresses hold a token."""
    from ..results import serve_pages, serve_searches

    (serve_searches if optuna else serve_pages)(folder, port, browser)
