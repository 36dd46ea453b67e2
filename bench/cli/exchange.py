"""What `sparsebench pack` and `sparsebench merge` print."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ...errors import SparsebenchError, printable
from ..campaign import publish
from ..exchange.merge import merge
from ..exchange.pack import IncompatibleResults, pack, without_seal
from .console import stdout_console


def print_pack(folder: Path, out: Path | None) -> None:
    """The archive's path and what it holds; every reason on a line of its own where nothing was packed."""
    try:
        path, count, unsealed = pack(folder, out)
    except IncompatibleResults as refused:
        _list(refused)
        raise SparsebenchError(str(refused)) from None
    print(f"{path}: {count} records, {path.stat().st_size / 1024:,.0f} KiB")
    if unsealed:
        print(without_seal(unsealed))


def print_merge(sources: Sequence[Path], out: Path) -> None:
    """The leaderboard of what was joined; every reason on a line of its own where nothing was."""
    try:
        merged = merge(sources, out)
    except IncompatibleResults as refused:
        _list(refused)
        raise SparsebenchError(str(refused)) from None
    publish.report_folder(merged.folder, merged.records)
    console = stdout_console()
    console.print(publish.leaderboard_table(merged.folder, merged.records))
    for note in (
        *merged.notes,
        f"{len(merged.records)} records in {out}; the table is {out / 'leaderboard.md'}",
    ):
        console.print(printable(note), highlight=False, markup=False, soft_wrap=True)


def _list(refused: IncompatibleResults) -> None:
    for reason in refused.reasons:
        print(printable(reason), file=sys.stderr)
