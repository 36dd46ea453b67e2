"""The columns of the leaderboard, once for every way of showing them. No torch."""

from collections.abc import Callable
from dataclasses import dataclass

from . import notes
from .intervals import Interval
from .rows import COMPRESSIONS, TOLERANCES, Board, Row
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


def interval_columns(board: Board) -> list[Column]:
    """The columns of the second table: each number with its 95% t-interval over seeds."""

    def accuracy(c: int) -> Column:
        return Column(
            f"acc@{c}", lambda row: _with(percent, _at(c)(row), row.accuracy_at_interval.get(c), row), 0
        )

    found = [
        Column("entry", _name, 0, right=False),
        Column(
            "hypervolume",
            lambda row: (
                _with(share, share(row.hypervolume), row.hypervolume_interval, row)
                if board.scale
                else _with(share, share(row.hypervolume_raw), row.hypervolume_raw_interval, row)
            ),
            0,
        ),
        *(accuracy(c) for c in COMPRESSIONS if any(row.accuracy_at.get(c) for row in board.rows)),
    ]
    if board.scale is not None:
        found += [_within_column(tolerance) for tolerance in TOLERANCES]
        found.append(
            Column("speed-up", lambda row: _with(ratio, ratio(row.speedup), row.speedup_interval, row), 0)
        )
    cost = Column("training cost", lambda row: _cost(row), 0)
    best = Column(
        "best acc", lambda row: _ends(percent, percent(row.best_accuracy), row.best_accuracy_interval), 0
    )
    return [*found, best, cost]


def _within_column(tolerance: float) -> Column:
    def cell(row: Row) -> str:
        return _with(ratio, _within(tolerance)(row), row.within_interval.get(tolerance), row)

    return Column(f"within {round(100 * tolerance)}", cell, 0)


def _cost(row: Row) -> str:
    return _ends(share, share(row.training_flops_ratio), row.training_flops_ratio_interval)


def _with(form: Callable[[float | None], str], text: str, interval: Interval | None, row: Row) -> str:
    """A number and its interval; nothing for the dense baseline, whose compression is 1 by definition."""
    return NOTHING if row.baseline else _ends(form, text, interval)


def _ends(form: Callable[[float | None], str], text: str, interval: Interval | None) -> str:
    return text if interval is None else f"{text} [{notes.between(interval, form)}]"
