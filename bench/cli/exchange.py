"""`sparsebench pack` and `sparsebench merge`: print what was packed or merged, or every reason against it."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ...errors import SparsebenchError, printable
from ...reports.tables.terminal import LeaderboardTable
from ..campaign import publish
from ..exchange.merge import merge
from ..exchange.pack import IncompatibleResults, pack, without_seal
from .console import print_line, stdout_console


def print_pack(folder: Path, out: Path | None, tasks: Sequence[str] = ()) -> None:
    """Packs the records of an output folder into an archive, and prints its path and size.

    Args:
        folder: The output folder.
        out: The archive; None for `<folder>.sparsebench.zip` beside the folder.
        tasks: Names of the tasks to pack; none for all.

    Raises:
        SparsebenchError: The folder has no records, or ones that `merge` would refuse; each reason is a line
            on stderr, and nothing is written.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> _ = (folder / "records.jsonl").write_text(run(trial).to_json() + "\\n")
        >>> print_pack(folder, None)
        /.../run.sparsebench.zip: 1 records, ... KiB
    """
    try:
        path, count, unsealed = pack(folder, out, tasks)
    except IncompatibleResults as refused:
        _list(refused)
        raise SparsebenchError(str(refused)) from None
    print(f"{path}: {count} records, {path.stat().st_size / 1024:,.0f} KiB")
    if unsealed:
        print(without_seal(unsealed))


def print_merge(sources: Sequence[Path], out: Path) -> None:
    """Merges archives and output folders into a new folder, and prints the leaderboard of their records.

    Args:
        sources: Archives made by `pack`, or output folders.
        out: The new output folder; it gets records, leaderboard, figures and pages.

    Raises:
        SparsebenchError: Sources whose results are not comparable; each reason is a line on stderr, and
            nothing is written.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> _ = (folder / "records.jsonl").write_text(run(trial).to_json() + "\\n")
        >>> print_merge([folder], Path("both"))
        planted-lenet_300_100: VALIDATION accuracy, not confirmed: ...
        1 records in both; the table is both/leaderboard.md
    """
    try:
        merged = merge(sources, out)
    except IncompatibleResults as refused:
        _list(refused)
        raise SparsebenchError(str(refused)) from None
    found = publish.ranked(merged.folder, merged.records)
    publish.report_folder(merged.folder, found)
    console = stdout_console()
    console.print(LeaderboardTable(found))
    for note in (
        *merged.notes,
        f"{len(merged.records)} records in {out}; the table is {out / 'leaderboard.md'}",
    ):
        print_line(console, printable(note))


def _list(refused: IncompatibleResults) -> None:
    for reason in refused.reasons:
        print(printable(reason), file=sys.stderr)
