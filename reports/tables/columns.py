"""The columns of the leaderboard, once for every way of showing them. No torch."""

from collections.abc import Callable
from dataclasses import dataclass

from ..analysis.boards import COMPRESSIONS, TOLERANCES, LeaderboardRow, TaskLeaderboard
from ..analysis.intervals import Interval
from ..formatting import NOTHING, format_hypervolume, format_percent, format_ratio, one_line, with_sd
from . import notes


@dataclass(frozen=True)
class Column:
    """A heading, the text of a row's cell, and when to leave it out (lowest `need` goes first)."""

    title: str
    cell: Callable[[LeaderboardRow], str]
    need: int
    right: bool = True


def _volume(row: LeaderboardRow) -> str:
    if row.baseline:
        return NOTHING  # at compression 1 the dense baseline covers no area by definition
    sd = NOTHING if row.hypervolume_sd is None else f"{row.hypervolume_sd:.3f}"
    return with_sd(format_hypervolume(row.hypervolume), sd)


def _raw_volume(row: LeaderboardRow) -> str:
    sd = NOTHING if row.hypervolume_raw_sd is None else f"{row.hypervolume_raw_sd:.3f}"
    return NOTHING if row.baseline else with_sd(format_hypervolume(row.hypervolume_raw), sd)


def _mishaps(row: LeaderboardRow) -> str:
    return f"{row.failed}/{row.diverged}/{row.collapsed} of {row.runs}"


def _name(row: LeaderboardRow) -> str:
    return one_line(row.entry) + ("" if row.source == "test" else " (validation)")


def _at(compression: int) -> Callable[[LeaderboardRow], str]:
    return lambda row: NOTHING if row.baseline else format_percent(row.accuracy_at.get(compression))


def _within(tolerance: float) -> Callable[[LeaderboardRow], str]:
    return lambda row: NOTHING if row.baseline else format_ratio(row.within.get(tolerance))


def _best(row: LeaderboardRow) -> str:
    return with_sd(format_percent(row.best_accuracy), format_percent(row.best_accuracy_sd))


def columns(board: TaskLeaderboard) -> list[Column]:
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
        Column("largest", lambda row: format_ratio(row.largest_compression), 80),
        Column("largest exact", lambda row: format_ratio(row.largest_compression_exact), 81),
    ]
    if dense:
        found.append(
            Column("speed-up", lambda row: NOTHING if row.baseline else format_ratio(row.speedup), 50)
        )
    found.append(Column("fail/div/coll", _mishaps, 85))
    return found


def fitting(board: TaskLeaderboard, width: int) -> list[Column]:
    """The columns that fit a terminal `width` characters wide, the most needed first."""
    kept = columns(board)

    def taken(column: Column) -> int:
        return 2 + max(len(column.title), *(len(column.cell(row)) for row in board.rows))

    while len(kept) > 3 and sum(map(taken, kept)) > width:
        kept.remove(min(kept, key=lambda column: column.need))
    return kept


def interval_columns(board: TaskLeaderboard) -> list[Column]:
    """The columns of the second table: each number with its 95% t-interval over seeds."""

    def accuracy(c: int) -> Column:
        return Column(
            f"acc@{c}",
            lambda row: _with(format_percent, _at(c)(row), row.accuracy_at_interval.get(c), row),
            0,
        )

    found = [
        Column("entry", _name, 0, right=False),
        Column(
            "hypervolume",
            lambda row: (
                _with(format_hypervolume, format_hypervolume(row.hypervolume), row.hypervolume_interval, row)
                if board.scale
                else _with(
                    format_hypervolume,
                    format_hypervolume(row.hypervolume_raw),
                    row.hypervolume_raw_interval,
                    row,
                )
            ),
            0,
        ),
        *(accuracy(c) for c in COMPRESSIONS if any(row.accuracy_at.get(c) for row in board.rows)),
    ]
    if board.scale is not None:
        found += [_within_column(tolerance) for tolerance in TOLERANCES]
        found.append(
            Column(
                "speed-up",
                lambda row: _with(format_ratio, format_ratio(row.speedup), row.speedup_interval, row),
                0,
            )
        )
    cost = Column("training cost", lambda row: _cost(row), 0)
    best = Column(
        "best acc",
        lambda row: _ends(format_percent, format_percent(row.best_accuracy), row.best_accuracy_interval),
        0,
    )
    return [*found, best, cost]


def _within_column(tolerance: float) -> Column:
    def cell(row: LeaderboardRow) -> str:
        return _with(format_ratio, _within(tolerance)(row), row.within_interval.get(tolerance), row)

    return Column(f"within {round(100 * tolerance)}", cell, 0)


def _cost(row: LeaderboardRow) -> str:
    return _ends(
        format_hypervolume, format_hypervolume(row.training_flops_ratio), row.training_flops_ratio_interval
    )


def _with(
    form: Callable[[float | None], str], text: str, interval: Interval | None, row: LeaderboardRow
) -> str:
    """A number and its interval; nothing for the dense baseline, whose compression is 1 by definition."""
    return NOTHING if row.baseline else _ends(form, text, interval)


def _ends(form: Callable[[float | None], str], text: str, interval: Interval | None) -> str:
    return text if interval is None else f"{text} [{notes.between(interval, form)}]"
