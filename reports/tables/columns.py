"""The columns of the leaderboard, which the terminal, Markdown and the site share. No torch."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ..analysis.leaderboard import LeaderboardRow, TaskLeaderboard
from ..analysis.measures import COMPRESSIONS, TOLERANCES
from ..formatting import NOTHING, format_hypervolume, format_percent, format_ratio, one_line, with_sd
from ..statistics.intervals import Interval
from . import notes, wording
from .latency import latency_tables, measured_speed


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard.

    Attributes:
        title: The heading.
        cell: Makes the text of a row's cell.
        need: How much the column is needed: where a terminal is too narrow, the lowest is left out first.
        right: Whether it is aligned to the right, as numbers are.

    Example:
        >>> Column("runs", lambda row: str(row.runs), need=10).cell(board.row("dwf-3"))
        '12'
    """

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


def _score(row: LeaderboardRow) -> str:
    sd = NOTHING if row.score_sd is None else f"{row.score_sd:.3f}"
    return NOTHING if row.baseline else with_sd(format_hypervolume(row.score), sd)


def _at(compression: float) -> Callable[[LeaderboardRow], str]:
    """The accuracy at a compression; of older records none for the dense baseline, which was not cut."""
    return lambda row: (
        NOTHING
        if row.baseline and row.score is None
        else format_percent(row.accuracy_at.get(compression)) + _marks(row, compression)
    )


def _marks(row: LeaderboardRow, compression: float) -> str:
    return "".join(
        mark
        for mark, where in ((wording.BEST, row.best_at), (wording.CUT, row.cut_at), ("†", row.unlearned_at))
        if where.get(compression)
    )


def _within(tolerance: float) -> Callable[[LeaderboardRow], str]:
    return lambda row: NOTHING if row.baseline else format_ratio(row.within.get(tolerance))


def _best(row: LeaderboardRow) -> str:
    text = with_sd(format_percent(row.best_accuracy), format_percent(row.best_accuracy_sd))
    return text if row.learned else text + wording.NOTHING_LEARNED


def columns(board: TaskLeaderboard) -> list[Column]:
    """Returns all columns of the first table.

    Args:
        board: The leaderboard of a task.

    Returns:
        The columns in the order shown; without a dense baseline those that need one are left out.

    Example:
        >>> [column.title for column in columns(board)][:4]
        ['rank', 'entry', 'hypervolume', 'acc@2']
    """
    found = [Column("rank", notes.rank, 100), Column("entry", _name, 100, right=False)]
    area = Column("hypervolume", _volume if board.scale is not None else _raw_volume, 99)
    shown = board.compressions or COMPRESSIONS
    needs = {4: 60, 8: 45, 16: 75, 32: 65, 64: 90, 128: 40, 256: 35, 512: 20}
    accuracies = [Column(f"acc@{c:g}", _at(c), needs.get(int(c), 30)) for c in shown]
    if board.compressions:
        score = Column("score", _score, 99)
        inner = Column(f"to {shown[-2]:g}", lambda row: _inner(row), 45) if len(shown) > 1 else None
        found += [score, *([inner] if inner else []), *accuracies, replace(area, need=50), *_own(board)]
        found += _speeds(board)
        counts = [Column("knobs", lambda row: str(row.free_knobs), 30), Column("trainings", _trainings, 31)]
        return [*found, *counts, *_states(board), Column("fail/div/coll", _mishaps, 40)]
    found += [area, *accuracies]
    if board.scale is not None:
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
    if board.scale is not None:
        found.append(
            Column("speed-up", lambda row: NOTHING if row.baseline else format_ratio(row.speedup), 50)
        )
    return [*found, *_speeds(board), *_states(board), Column("fail/div/coll", _mishaps, 85)]


def _speeds(board: TaskLeaderboard) -> list[Column]:
    """A column of measured speed-ups for each machine, at the largest batch; none where nobody measured."""
    tables = latency_tables(board)
    largest = {
        table.machine.key: max(t.batch for t in tables if t.machine == table.machine) for table in tables
    }
    alone = len(largest) == 1
    return [
        Column(
            "measured" if alone else f"measured, {_plain(machine)}",
            partial(_speed, board, machine, batch),
            48,
        )
        for machine, batch in largest.items()
    ]


def _plain(machine: tuple[str, ...]) -> str:
    """Returns the name and the digest of a machine, which others may have written, as a heading."""
    return re.sub(r"[^\w .()/-]+", " ", one_line(f"{machine[1]} ({machine[0][:4]})"))[:60]


def _speed(board: TaskLeaderboard, machine: tuple[str, ...], batch: int, row: LeaderboardRow) -> str:
    own = (one for one in board.latencies if one.machine.key == machine and one.batch == batch)
    return measured_speed(row, board, own)


def _states(board: TaskLeaderboard) -> list[Column]:
    """The column of what is known of the results beyond their records; none where nobody has looked."""
    if all(row.verified is None for row in board.rows):
        return []
    return [Column(wording.STATE, lambda row: row.verified or NOTHING, 52, right=False)]


def _own(board: TaskLeaderboard) -> list[Column]:
    """The columns of what the methods reached by themselves, without a cut."""
    if board.scale is None:
        return [
            Column("own zeros", lambda row: format_ratio(row.largest_compression), 80),
            Column("exact zeros", lambda row: format_ratio(row.largest_compression_exact), 70),
        ]
    return [
        Column("own zeros", _within(0.05), 80),
        Column("exact zeros", lambda row: _exact(row, 0.05), 70),
        Column("speed-up", lambda row: NOTHING if row.baseline else format_ratio(row.speedup), 33),
    ]


def _exact(row: LeaderboardRow, tolerance: float) -> str:
    return NOTHING if row.baseline else format_ratio(row.within_exact.get(tolerance))


def _inner(row: LeaderboardRow) -> str:
    return NOTHING if row.baseline else format_hypervolume(row.score_inner)


def _trainings(row: LeaderboardRow) -> str:
    return f"{row.search_trials}+{row.confirmations}"


def fitting(board: TaskLeaderboard, width: int) -> list[Column]:
    """Returns the columns that fit a terminal, leaving out those least needed.

    Args:
        board: The leaderboard of a task.
        width: The terminal's width in characters.

    Returns:
        The columns in the order shown; at least three, even where these do not fit.

    Example:
        >>> [column.title for column in fitting(board, width=50)]
        ['rank', 'entry', 'hypervolume', 'best acc']
    """
    fitted = columns(board)

    def taken(column: Column) -> int:
        return 2 + max(len(column.title), *(len(column.cell(row)) for row in board.rows))

    while len(fitted) > 3 and sum(map(taken, fitted)) > width:
        fitted.remove(min(fitted, key=lambda column: column.need))
    return fitted


def interval_columns(board: TaskLeaderboard) -> list[Column]:
    """Returns the columns of the second table: each number with its 95% t-interval over seeds.

    Args:
        board: The leaderboard of a task.

    Returns:
        The columns in the order shown; without a dense baseline those that need one are left out.

    Example:
        >>> second = interval_columns(board)[1]
        >>> second.title, second.cell(board.row("dwf-3"))
        ('hypervolume', '0.581 [0.574, 0.588]')
    """
    shown = board.compressions or COMPRESSIONS
    found = [
        Column("entry", _name, 0, right=False),
        *([Column("score", _score_interval, 0)] if board.compressions else []),
        Column("hypervolume", _volume_interval if board.scale else _raw_volume_interval, 0),
        *(_accuracy_column(c) for c in shown if any(row.accuracy_at.get(c) for row in board.rows)),
    ]
    if board.compressions:
        return [*found, Column("training cost", _cost, 0)]
    if board.scale is not None:
        found += [_within_column(tolerance) for tolerance in TOLERANCES]
        found.append(Column("speed-up", _speedup_interval, 0))
    return [*found, Column("best acc", _best_interval, 0), Column("training cost", _cost, 0)]


def _score_interval(row: LeaderboardRow) -> str:
    return _with(format_hypervolume, format_hypervolume(row.score), row.score_interval, row)


def _volume_interval(row: LeaderboardRow) -> str:
    return _with(format_hypervolume, format_hypervolume(row.hypervolume), row.hypervolume_interval, row)


def _raw_volume_interval(row: LeaderboardRow) -> str:
    text = format_hypervolume(row.hypervolume_raw)
    return _with(format_hypervolume, text, row.hypervolume_raw_interval, row)


def _accuracy_column(compression: float) -> Column:
    def cell(row: LeaderboardRow) -> str:
        return _ends(format_percent, _at(compression)(row), row.accuracy_at_interval.get(compression))

    return Column(f"acc@{compression:g}", cell, 0)


def _within_column(tolerance: float) -> Column:
    def cell(row: LeaderboardRow) -> str:
        return _with(format_ratio, _within(tolerance)(row), row.within_interval.get(tolerance), row)

    return Column(f"within {round(100 * tolerance)}", cell, 0)


def _speedup_interval(row: LeaderboardRow) -> str:
    return _with(format_ratio, format_ratio(row.speedup), row.speedup_interval, row)


def _best_interval(row: LeaderboardRow) -> str:
    return _ends(format_percent, format_percent(row.best_accuracy), row.best_accuracy_interval)


def _cost(row: LeaderboardRow) -> str:
    return _ends(
        format_hypervolume, format_hypervolume(row.training_flops_ratio), row.training_flops_ratio_interval
    )


def _with(
    form: Callable[[float | None], str], text: str, interval: Interval | None, row: LeaderboardRow
) -> str:
    """A number and its interval; a dash for the dense baseline, whose compression is 1 by definition."""
    return NOTHING if row.baseline else _ends(form, text, interval)


def _ends(form: Callable[[float | None], str], text: str, interval: Interval | None) -> str:
    return text if interval is None else f"{text} [{notes.between(interval, form)}]"
