"""The commands that carry results to others: archives, their verification, and boards of results."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import (
    OutFolder,
)


def pack(
    folder: OutFolder,
    out: Annotated[
        Path | None, typer.Option(help="Archive to write.", show_default="<folder>.sparsebench.zip")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Pack only this task (repeatable).")] = None,
) -> None:
    """Pack the records of a run, with their provenance, into one archive for `sparsebench merge`."""
    from ..exchange import print_pack

    print_pack(folder, out, task or ())


def merge(
    sources: Annotated[list[Path], typer.Argument(help="Archives made by `pack`, or output folders.")],
    out: Annotated[Path, typer.Option(help="New output folder for the merged records.")],
) -> None:
    """Merge the results of several machines into one leaderboard; refuse results that are not comparable."""
    from ..exchange import print_merge

    print_merge(sources, out)
