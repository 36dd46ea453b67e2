"""The commands that train: a suite of searches, or one method once."""

from pathlib import Path
from typing import Annotated

import typer

from ...system.interrupts import stoppable
from ..options import (
    Address,
    Compressions,
    DataArgs,
    DataRoot,
    Devices,
    DryRun,
    Extend,
    Granularity,
    KeepDense,
    MeasureLatency,
    ModelArgs,
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
    latency: MeasureLatency = None,
    plugin: Plugins = None,
) -> None:
    """Run a suite: search, confirm and rank its entries. The same command continues an interrupted run."""
    from ...campaign.options import RunOptions
    from .. import run as commands

    options = RunOptions(
        out=out, methods=parse_names(methods, "--methods") if methods is not None else None, trials=trials,
        epochs=epochs, seeds=seeds, searches=searches, devices=devices, per_device=per_device,
        data=data, storage=storage, tracking_uri=tracking_uri, plugins=plugin or [], extend=extend,
        time_limit=3600 * time_limit, executor=executor, address=address,
        latency=latency,
    )  # fmt: skip
    (commands.print_dry_run if dry_run else commands.print_run)(suite, options)


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
    granularity: Granularity = "weights",
    data: DataRoot = None,
    device: TrialDevice = None,
    threads: Threads = 1,
    save: Annotated[Path | None, typer.Option(help="Safetensors file for the finished model.")] = None,
    plugin: Plugins = None,
) -> None:
    """Train one method once, without a search. Prints the record as JSON to stdout, progress to stderr."""
    from .. import run as commands

    given = parse_pairs(settings or [], "--set")
    if epochs is not None:
        given["epochs"] = str(epochs)
    commands.print_training(
        dataset, model, method, settings=given, seed=seed, data=data, device=device, save=save,
        data_args=parse_values(data_arg or [], "--data-arg"),
        model_args=parse_values(model_arg or [], "--model-arg"),
        keep_dense=keep_dense or [], compressions=parse_compressions(compressions),
        granularity=granularity,
        plugins=plugin or [], threads=threads,
    )  # fmt: skip
