"""The command line. Everything heavy is imported inside the commands, so that --help answers at once."""

import gc
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import SparsebenchError, printable
from ..system.interrupts import stoppable
from .options import (
    Address,
    AsJson,
    DataRoot,
    Extend,
    OutFolder,
    Plugins,
    Storage,
    Tracking,
    names,
    pairs,
    values,
)

app = typer.Typer(
    name="sparsebench",
    help="Compare methods that make neural networks sparse: same recipe, same budget, honest measures.",
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
    suite: Annotated[str, typer.Argument(help="A shipped suite's name, or a TOML file.")] = "quickstart",
    out: Annotated[Path | None, typer.Option(help="Output folder.", show_default="runs/<suite>")] = None,
    methods: Annotated[
        str | None, typer.Option(help="Only these entries: labels or methods, as a,b.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Search trials for each entry and task.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of every trial.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Fresh seeds for each confirmed point.")] = None,
    devices: Annotated[
        str | None, typer.Option(help="cuda:0,cuda:2 or cpu:4.", show_default="every GPU, else a slot a core")
    ] = None,
    per_device: Annotated[int, typer.Option(help="Trials that share one GPU.")] = 1,
    executor: Annotated[str, typer.Option(help="local, or ray for several machines.")] = "local",
    address: Address = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run and for how long; run nothing.")
    ] = False,
    data: DataRoot = None,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    time_limit: Annotated[float, typer.Option(min=0.01, help="Hours that one trial may take.")] = 24.0,
    extend: Extend = False,
    plugin: Plugins = None,
) -> None:
    """Search, confirm and rank every entry of a suite. The same command again continues where it stopped."""
    from ..campaign.options import RunOptions
    from . import run as commands

    options = RunOptions(
        out=out, methods=names(methods, "--methods") if methods is not None else None, trials=trials,
        epochs=epochs, seeds=seeds, devices=devices, per_device=per_device, data=data, storage=storage,
        tracking_uri=tracking_uri, plugins=plugin or [], extend=extend, time_limit=3600 * time_limit,
        executor=executor, address=address,
    )  # fmt: skip
    (commands.dry_run if dry_run else commands.run)(suite, options)


@app.command()
def train(
    dataset: Annotated[str, typer.Option(help="Dataset, see `sparsebench list datasets`.")],
    model: Annotated[str, typer.Option(help="Any timm model, or ours, see `sparsebench list models`.")],
    method: Annotated[str, typer.Option(help="Method, see `sparsebench list methods`.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="knob=value of the method or the recipe; repeatable.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Short for --set epochs=N.")] = None,
    seed: Annotated[int, typer.Option(help="Seeds initialisation, order, augmentation and the method.")] = 0,
    data_arg: Annotated[
        list[str] | None, typer.Option(help="name=value for the dataset; repeatable.")
    ] = None,
    model_arg: Annotated[list[str] | None, typer.Option(help="name=value for the model; repeatable.")] = None,
    keep_dense: Annotated[
        list[str] | None, typer.Option(help="A layer that is not pruned; repeatable.")
    ] = None,
    data: DataRoot = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda:0.", show_default="the first GPU, else cpu")
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="CPU threads; results can differ in the last bits.")
    ] = 1,
    save: Annotated[Path | None, typer.Option(help="Keep the finished model as a safetensors file.")] = None,
    plugin: Plugins = None,
) -> None:
    """Train one configured method once, no search. Its record goes to stdout as JSON, progress to stderr."""
    from . import run as commands

    given = pairs(settings or [], "--set")
    if epochs is not None:
        given["epochs"] = str(epochs)
    commands.train(
        dataset, model, method, settings=given, seed=seed, data=data, device=device, save=save,
        data_args=values(data_arg or [], "--data-arg"),
        model_args=values(model_arg or [], "--model-arg"),
        keep_dense=keep_dense or [], plugins=plugin or [], threads=threads,
    )  # fmt: skip


@app.command(name="list")
def list_(
    kind: Annotated[str, typer.Argument(help="methods, datasets, models or suites.")],
    pattern: Annotated[str, typer.Argument(help="Only names that match, as in '*vit*tiny*'.")] = "",
    json: AsJson = False,
    plugin: Plugins = None,
) -> None:
    """What there is, with a line on each."""
    from . import catalogue

    catalogue.print_list(kind, pattern, as_json=json, plugins=plugin or [])


@app.command()
def show(
    method: Annotated[str, typer.Argument(help="A method's name.")],
    json: AsJson = False,
    plugin: Plugins = None,
) -> None:
    """A method's equation, knobs with their ranges, and reference."""
    from . import catalogue

    catalogue.print_method(method, as_json=json, plugins=plugin or [])


@app.command()
def report(folder: OutFolder) -> None:
    """Leaderboard and figures again, from the records alone."""
    from .results import print_report

    print_report(folder)


@app.command()
def status(folder: OutFolder, json: AsJson = False) -> None:
    """What is done, what runs, what failed and why; while a run goes on, and after it."""
    from .status import print_status

    print_status(folder, as_json=json)


@app.command()
def doctor(
    data: DataRoot = None,
    tracking_uri: Tracking = None,
    storage: Storage = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder of runs to come.", show_default="runs")
    ] = None,
    json: AsJson = False,
) -> None:
    """Devices, versions, data, MLflow, disk: what is there, what is missing and how to get it."""
    from .doctor import examine, print_diagnosis

    found = examine(data, tracking_uri, storage, out)
    print_diagnosis(found, as_json=json)
    raise typer.Exit(0 if found.possible else 1)


@app.command()
def track(folder: OutFolder, tracking_uri: Tracking = None) -> None:
    """Publish to MLflow what it does not have yet; twice does no harm."""
    from .results import publish_to_mlflow

    publish_to_mlflow(folder, tracking_uri)


@app.command()
def export(
    source: Annotated[Path, typer.Argument(help="Output folder of a run, or a model's safetensors file.")],
    trial: Annotated[str | None, typer.Argument(help="A trial's id, or its beginning.")] = None,
    out: Annotated[Path | None, typer.Option(help="model.pt, model.safetensors or model.onnx.")] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train it again where the folder does not keep its model.")
    ] = False,
    data: DataRoot = None,
    device: Annotated[
        str | None, typer.Option(help="For --retrain.", show_default="the record's kind")
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Write one finished model for PyTorch, timm or ONNX, and print the lines that load it.

    Of a folder alone, the models that it keeps are listed: those of the fronts.
    """
    from . import export as export_cli
    from . import run as commands

    if trial is None and source.is_dir():
        export_cli.print_models(source)
        return
    options: dict[str, Any] = {"retrain": retrain, "data": data, "device": device, "plugins": plugin or []}
    export_cli.print_export(source, trial, out, options | {"on_event": commands.progress})


@app.command()
def pack(
    folder: OutFolder,
    out: Annotated[Path | None, typer.Option(help="The archive.", show_default="DIR.sparsebench.zip")] = None,
) -> None:
    """One archive of a run's records with their provenance, for `merge` on another machine."""
    from .exchange import print_pack

    print_pack(folder, out)


@app.command()
def merge(
    sources: Annotated[list[Path], typer.Argument(help="Archives made by `pack`, and output folders.")],
    out: Annotated[Path, typer.Option(help="New folder for the common leaderboard.")],
) -> None:
    """Join results of several machines or people into one leaderboard; refuse what does not fit."""
    from .exchange import print_merge

    print_merge(sources, out)


@app.command()
def ui(
    folder: OutFolder,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
    browser: Annotated[bool, typer.Option("--open", help="Open the browser on it.")] = False,
) -> None:
    """MLflow's pages on a run, on this machine only."""
    from ..tracking.server import serve

    serve(folder, port, open_browser=browser)


def main() -> None:
    """Entry point: what the user can put right is one sentence on stderr and exit status 2."""
    try:
        app()
    except SparsebenchError as error:
        _complain(str(error))
        sys.exit(2)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _complain(f"{error.strerror or error}{where}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        _leave()


def _leave() -> None:
    """Spare the interpreter a second: at its end it would look through all of torch for what to free.

    Triton, which a training loads, calls what is then not freed a leak, in forty lines.
    """
    if "triton" not in sys.modules:
        gc.freeze()


def _complain(message: str) -> None:
    print(f"error: {printable(message)}", file=sys.stderr)
