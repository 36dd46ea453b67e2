"""The columns of the leaderboard, once for every way of showing them. No torch."""

from collections.abc import Callable
from dataclasses import dataclass

from . import notes
from .rows import COMPRESSIONS, Board, Row
from .text import NOTHING, percent, plain, ratio, share, with_sd


@dataclass(frozen=True)
class Column:
    """A heading, the text of a row's cell, and when to leave it out (lowest `need` goes first)."""

    title: str
    cell: Callable[[Row], str]
    need: int
    right: bool = True


def _volume(row: Row) -> str:
    if row.baseline:
        return NOTHING  # at compression 1 the dense baseline covers no area by definition
    sd = NOTHING if row.hypervolume_sd is None else f"{row.hypervolume_sd:.3f}"
    return with_sd(share(row.hypervolume), sd)


def _raw_volume(row: Row) -> str:
    sd = NOTHING if row.hypervolume_raw_sd is None else f"{row.hypervolume_raw_sd:.3f}"
    return NOTHING if row.baseline else with_sd(share(row.hypervolume_raw), sd)


def _mishaps(row: Row) -> str:
    return f"{row.failed}/{row.diverged}/{row.collapsed} of {row.runs}"


def _name(row: Row) -> str:
    return plain(row.entry) + ("" if row.source == "test" else " (validation)")


def _at(compression: int) -> Callable[[Row], str]:
    return lambda row: NOTHING if row.baseline else percent(row.accuracy_at.get(compression))


def _within(tolerance: float) -> Callable[[Row], str]:
    return lambda row: NOTHING if row.baseline else ratio(row.within.get(tolerance))


def _best(row: Row) -> str:
    return with_sd(percent(row.best_accuracy), percent(row.best_accuracy_sd))


def columns(board: Board) -> list[Column]:
    """All columns for one board; without a dense baseline those that need one are left out."""
    dense = board.scale is not None
    needs = {4: 60, 8: 45, 16: 75, 32: 65, 64: 90, 128: 40, 256: 35, 512: 20}
    found = [
        Column("rank", notes.rank, 100),
        Column("entry", _name, 100, right=False),
        Column("hypervolume", _volume if dense else _raw_volume, 99),
    ]
    found += [Column(f"acc@{c}", _at(c), needs.get(c, 30)) for c in COMPRESSIONS]
    if dense:
        found += [
            Column("within 1", _within(0.01), 70),
            Column("within 5", _within(0.05), 92),
            Column("within 10", _within(0.10), 55),
        ]
    found += [
        Column("best acc", _best, 95),
        Column("largest", lambda row: ratio(row.largest_compression), 80),
        Column("largest exact", lambda row: ratio(row.largest_compression_exact), 81),
    ]
    if dense:
        found.append(Column("speed-up", lambda row: NOTHING if row.baseline else ratio(row.speedup), 50))
    found.append(Column("fail/div/coll", _mishaps, 85))
    return found


def fitting(board: Board, width: int) -> list[Column]:
    """The columns that fit a terminal `width` characters wide, the most needed first."""
    kept = columns(board)

    def taken(column: Column) -> int:
        return 2 + max(len(column.title), *(len(column.cell(row)) for row in board.rows))

    while len(kept) > 3 and sum(map(taken, kept)) > width:
        kept.remove(min(kept, key=lambda column: column.need))
    return kept
