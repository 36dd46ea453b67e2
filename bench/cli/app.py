"""The commands and their options. Heavy packages are imported inside the commands, so --help stays fast."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import SparsebenchError, printable
from ...gc_pause import skip_last_collection
from ..system.interrupts import stoppable
from .options import (
    Address,
    AsJson,
    Compressions,
    CutTo,
    DataArgs,
    DataRoot,
    Devices,
    DryRun,
    Extend,
    KeepDense,
    ModelArgs,
    ModelFile,
    ModelOf,
    OutFolder,
    Plugins,
    Searches,
    Seeds,
    Storage,
    Threads,
    Tracking,
    TrialDevice,
    Trials,
    parse_compressions,
    parse_names,
    parse_pairs,
    parse_values,
)

app = typer.Typer(
    name="sparsebench",
    help="Compare sparsification methods for neural networks: same recipe, same budget, same measures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"sparsebench {installed('sparsebench')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.Exit(2)


@app.command()
@stoppable()
def run(
    suite: Annotated[str, typer.Argument(help="Name of a shipped suite, or a TOML file.")] = "quickstart",
    out: Annotated[Path | None, typer.Option(help="Output folder.", show_default="runs/<suite>")] = None,
    methods: Annotated[
        str | None, typer.Option(help="Run only these entries: labels or methods, as a,b.")
    ] = None,
    trials: Trials = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs per trial.", show_default="the suite's")] = None,
    seeds: Seeds = None,
    searches: Searches = None,
    devices: Devices = None,
    per_device: Annotated[int, typer.Option(help="Trials that run on one GPU at once.")] = 1,
    executor: Annotated[str, typer.Option(help="local, or ray for a cluster of machines.")] = "local",
    address: Address = None,
    dry_run: DryRun = False,
    data: DataRoot = None,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    time_limit: Annotated[float, typer.Option(min=0.01, help="Time limit per trial, in hours.")] = 24.0,
    extend: Extend = False,
    plugin: Plugins = None,
) -> None:
    """Run a suite: search, confirm and rank its entries. The same command continues an interrupted run."""
    from ..campaign.options import RunOptions
    from . import run as commands

    options = RunOptions(
        out=out, methods=parse_names(methods, "--methods") if methods is not None else None, trials=trials,
        epochs=epochs, seeds=seeds, searches=searches, devices=devices, per_device=per_device,
        data=data, storage=storage, tracking_uri=tracking_uri, plugins=plugin or [], extend=extend,
        time_limit=3600 * time_limit, executor=executor, address=address,
    )  # fmt: skip
    (commands.print_dry_run if dry_run else commands.print_run)(suite, options)


@app.command()
def train(
    dataset: Annotated[str, typer.Option(help="Name of the dataset; see `sparsebench list datasets`.")],
    model: Annotated[str, typer.Option(help="Name of the model; see `sparsebench list models`.")],
    method: Annotated[str, typer.Option(help="Name of the method; see `sparsebench list methods`.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="name=value of a knob or a recipe field; repeatable.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="The same as --set epochs=N.")] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of initialisation, data order, augmentation and method.")
    ] = 0,
    data_arg: DataArgs = None,
    model_arg: ModelArgs = None,
    keep_dense: KeepDense = None,
    compressions: Compressions = None,
    data: DataRoot = None,
    device: TrialDevice = None,
    threads: Threads = 1,
    save: Annotated[Path | None, typer.Option(help="Safetensors file for the finished model.")] = None,
    plugin: Plugins = None,
) -> None:
    """Train one method once, without a search. Prints the record as JSON to stdout, progress to stderr."""
    from . import run as commands

    given = parse_pairs(settings or [], "--set")
    if epochs is not None:
        given["epochs"] = str(epochs)
    commands.print_training(
        dataset, model, method, settings=given, seed=seed, data=data, device=device, save=save,
        data_args=parse_values(data_arg or [], "--data-arg"),
        model_args=parse_values(model_arg or [], "--model-arg"),
        keep_dense=keep_dense or [], compressions=parse_compressions(compressions),
        plugins=plugin or [], threads=threads,
    )  # fmt: skip


@app.command(name="list")
def list_(
    kind: Annotated[str, typer.Argument(help="What to list: methods, datasets, models or suites.")],
    pattern: Annotated[str, typer.Argument(help="Only names that match, such as '*vit*tiny*'.")] = "",
    json: AsJson = False,
    plugin: Plugins = None,
) -> None:
    """List the available methods, datasets, models or suites."""
    from . import catalogue

    catalogue.print_list(kind, pattern, as_json=json, plugins=plugin or [])


@app.command()
def show(
    method: Annotated[str, typer.Argument(help="Name of the method.")],
    json: AsJson = False,
    plugin: Plugins = None,
) -> None:
    """Show a method: equation, knobs with their ranges, and reference."""
    from . import catalogue

    catalogue.print_method(method, as_json=json, plugins=plugin or [])


@app.command()
def report(folder: OutFolder) -> None:
    """Write the leaderboard, figures and pages of a run again, from its records alone."""
    from .results import print_report

    print_report(folder)


@app.command()
def status(folder: OutFolder, json: AsJson = False) -> None:
    """Show the progress of a run, its running trials and its failures; during the run and after it."""
    from .status import print_status

    print_status(folder, as_json=json)


@app.command()
def doctor(
    data: DataRoot = None,
    tracking_uri: Tracking = None,
    storage: Storage = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder of future runs.", show_default="runs")
    ] = None,
    json: AsJson = False,
) -> None:
    """Check devices, versions, datasets, databases and disk; print what is missing and how to get it."""
    from .doctor import examine, print_diagnosis

    found = examine(data, tracking_uri, storage, out)
    print_diagnosis(found, as_json=json)
    raise typer.Exit(0 if found.possible else 1)


@app.command()
def track(folder: OutFolder, tracking_uri: Tracking = None) -> None:
    """Publish to MLflow the trials of a run that are missing there."""
    from .results import print_publication

    print_publication(folder, tracking_uri)


@app.command()
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
    from . import export as export_cli
    from . import run as commands

    if trial is None and source.is_dir():
        export_cli.print_models(source)
        return
    options: dict[str, Any] = {"at": at, "task": task, "retrain": retrain, "data": data, "device": device}
    options |= {"plugins": plugin or [], "on_event": commands.print_progress}
    export_cli.print_export(source, trial, out, options)


@app.command()
def pack(
    folder: OutFolder,
    out: Annotated[
        Path | None, typer.Option(help="Archive to write.", show_default="<folder>.sparsebench.zip")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Pack only this task (repeatable).")] = None,
) -> None:
    """Pack the records of a run, with their provenance, into one archive for `sparsebench merge`."""
    from .exchange import print_pack

    print_pack(folder, out, task or ())


@app.command()
def merge(
    sources: Annotated[list[Path], typer.Argument(help="Archives made by `pack`, or output folders.")],
    out: Annotated[Path, typer.Option(help="New output folder for the merged records.")],
) -> None:
    """Merge the results of several machines into one leaderboard; refuse results that are not comparable."""
    from .exchange import print_merge

    print_merge(sources, out)


@app.command()
def ui(
    folder: OutFolder,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; if taken, a free one is used.")] = 5000,
    browser: Annotated[bool, typer.Option("--open", help="Open the pages in the browser.")] = False,
) -> None:
    """Serve MLflow's pages of a run to you alone, until Ctrl-C: the printed addresses hold a token."""
    from .results import serve_pages

    serve_pages(folder, port, browser)


def main() -> None:
    """Runs the command line; an error is one sentence on stderr.

    Exit status: 2 for an error that the user can correct, 130 for Ctrl-C, 1 for all others.
    """
    try:
        app()
    except SparsebenchError as error:
        _complain(str(error))
        sys.exit(error.exit_status)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _complain(f"{error.strerror or error}{where}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        skip_last_collection()


def _complain(message: str) -> None:
    print(f"error: {printable(message)}", file=sys.stderr)
