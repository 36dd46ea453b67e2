"""What `sparsebench pack` and `sparsebench merge` print."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..errors import SparsebenchError, plain
from . import publish
from .exchange import Refused, merge, pack, without_seal


def print_pack(folder: Path, out: Path | None) -> None:
    """The archive's path and what it holds; every reason on a line of its own where nothing was packed."""
    try:
        path, count, unsealed = pack(folder, out)
    except Refused as refused:
        _list(refused)
        raise SparsebenchError(str(refused)) from None
    print(f"{path}: {count} records, {path.stat().st_size / 1024:,.0f} KiB")
    if unsealed:
        print(without_seal(unsealed))


def print_merge(sources: Sequence[Path], out: Path) -> None:
    """The leaderboard of what was joined; every reason on a line of its own where nothing was."""
    try:
        merged = merge(sources, out)
    except Refused as refused:
        _list(refused)
        raise SparsebenchError(str(refused)) from None
    publish.report(merged.folder, merged.records)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(publish.board(merged.folder, merged.records))
    for note in (
        *merged.notes,
        f"{len(merged.records)} records in {out}; the table is {out / 'leaderboard.md'}",
    ):
        console.print(plain(note), highlight=False, markup=False, soft_wrap=True)


def _list(refused: Refused) -> None:
    for reason in refused.reasons:
        print(plain(reason), file=sys.stderr)
