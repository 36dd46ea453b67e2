"""The commands on the results of a run: its report, MLflow, its models."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..options import (
    CutTo,
    DataRoot,
    ModelFile,
    ModelOf,
    OutFolder,
    Plugins,
    Tracking,
)


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
    data: DataRoot = None,
    device: Annotated[
        str | None, typer.Option(help="Device for --retrain.", show_default="the same kind as in the record")
    ] = None,
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
    options: dict[str, Any] = {"at": at, "task": task, "retrain": retrain, "data": data, "device": device}
    options |= {"plugins": plugin or [], "on_event": commands.print_progress}
    export_cli.print_export(source, trial, out, options)


def ui(
    folder: OutFolder,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; if taken, a free one is used.")] = 5000,
    browser: Annotated[bool, typer.Option("--open", help="Open the pages in the browser.")] = False,
) -> None:
    """Serve MLflow's pages of a run to you alone, until Ctrl-C: the printed addresses hold a token."""
    from ..results import serve_pages

    serve_pages(folder, port, browser)
