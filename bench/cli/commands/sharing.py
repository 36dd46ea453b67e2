"""The commands that carry results to others: archives, their verification, and boards of results."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import AsJson, DataArgs, DataRoot, OutFolder, Plugins, TrialDevice, place_of


def pack(
    folder: OutFolder,
    out: Annotated[
        Path | None, typer.Option(help="Archive to write.", show_default="<folder>.sparsebench.zip")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Pack only this task (repeatable).")] = None,
    entry: Annotated[list[str] | None, typer.Option(help="Pack only this entry (repeatable).")] = None,
    models: Annotated[
        bool, typer.Option("--models", help="Pack the models of the boards too, for `sparsebench verify`.")
    ] = False,
    data: DataRoot = None,
    plugin: Plugins = None,
) -> None:
    """Pack the records of a run, with their provenance, into one archive for `sparsebench merge`."""
    from ...system.isolation.plugins import load_plugins
    from ..exchange import print_pack

    if models:  # their test sets are read
        load_plugins(plugin or [])
    print_pack(folder, out, task or (), entry or (), models=models, data=data)


def merge(
    sources: Annotated[list[Path], typer.Argument(help="Archives made by `pack`, or output folders.")],
    out: Annotated[Path, typer.Option(help="New output folder for the merged records.")],
) -> None:
    """Merge the results of several machines into one leaderboard; refuse results that are not comparable."""
    from ..exchange import print_merge

    print_merge(sources, out)


def verify(
    source: Annotated[Path, typer.Argument(help="Archive made by `pack --models`, or output folder.")],
    data: DataRoot = None,
    data_arg: DataArgs = None,
    device: TrialDevice = None,
    json: AsJson = False,
    plugin: Plugins = None,
) -> None:
    """Measure the models of an archive again and compare them with its records; nothing in it is run."""
    from ..exchange import print_verification

    if not print_verification(source, place_of(data, data_arg, device, plugin), as_json=json):
        raise typer.Exit(1)
