"""Leaderboards computed from records: points, references, ranked rows. No torch."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from ...errors import SparsebenchError
from ...learning import chance_on
from ...records.measured.latency import Latency
from ...records.pareto import X_MAX, front
from ...records.record import Record
from ...records.stored import reader_of
from ..statistics.differences import differences
from ..statistics.search_spread import search_spreads, widened
from ..verified import States
from . import measures
from .common_points import common_points, compressions_of, own_points
from .grouping import by_task, confirmed, provisional
from .leaderboard import DENSE, LeaderboardRow, TaskLeaderboard
from .points import Point, Source, learning
from .scores import best_at, cells, score_fields, search_fields

SPLITS: tuple[Source, ...] = ("test", "validation")


def boards(records: Iterable[Record], x_max: float | Mapping[str, float] = X_MAX) -> list[TaskLeaderboard]:
    """Returns the leaderboard of each task.

    Args:
        records: Records of any tasks, search and confirm phase together.
        x_max: log10 compression at which hypervolumes are cut off: one number, or one by task.

    Returns:
        One leaderboard a task, in the order the tasks first appear.

    Raises:
        SparsebenchError: There are no records.

    Example:
        >>> found = boards(records)
        >>> [(board.task, round(board.dense, 3), board.chance) for board in found]
        [('made_up-net', 0.982, 0.1)]
    """
    tasks = by_task(records)
    if not tasks:
        raise SparsebenchError("there are no records to report: run a suite first")
    return [
        replace(
            _board(task, found, x_max.get(task, X_MAX) if isinstance(x_max, Mapping) else x_max),
            whole=reader_of(records),
        )
        for task, found in tasks.items()
    ]


def with_states(found: Sequence[TaskLeaderboard], states: States) -> list[TaskLeaderboard]:
    """Returns leaderboards whose rows say what is known of their results beyond the records.

    Args:
        found: The leaderboards of the tasks.
        states: What is known, by task and entry.

    Returns:
        The same leaderboards; of entries that are not among the states nothing is known.

    Example:
        >>> [board] = with_states([board], {"made_up-net": {"dwf-3": "weights verified"}})
        >>> [(row.entry, row.verified) for row in board.rows][:2]
        [('dwf-3', 'weights verified'), ('magnitude', None)]
    """
    if not states:
        return list(found)
    return [
        replace(
            board,
            rows=[replace(r, verified=states.get(board.task, {}).get(r.entry)) for r in board.rows],
        )
        for board in found
    ]


def with_latencies(found: Sequence[TaskLeaderboard], measured: Iterable[Latency]) -> list[TaskLeaderboard]:
    """Returns leaderboards with the measured times of their models.

    Args:
        found: The leaderboards of the tasks.
        measured: The times; those of a model that a board does not show are left out.

    Returns:
        The same leaderboards.

    Example:
        >>> times = [made_up_latency("dwf-3", at=64, batch=64), made_up_latency("gone", at=64, batch=64)]
        >>> [board] = with_latencies([board], times)
        >>> [one.entry for one in board.latencies]
        ['dwf-3']
    """
    times: dict[str, list[Latency]] = defaultdict(list)
    for one in measured:
        times[one.task].append(one)
    return [
        replace(board, latencies=tuple(one for one in times[board.task] if one.entry in board.records_of))
        for board in found
    ]


def rows(records: Iterable[Record], x_max: float | Mapping[str, float] = X_MAX) -> list[LeaderboardRow]:
    """Returns the rows of all leaderboards, task by task.

    Args:
        records: Records of any tasks, search and confirm phase together.
        x_max: log10 compression at which hypervolumes are cut off: one number, or one by task.

    Returns:
        The rows in the order shown.

    Example:
        >>> [row.entry for row in rows(records)]
        ['dwf-3', 'magnitude', 'dense']
    """
    return [row for board in boards(records, x_max) for row in board.rows]


def _board(task: str, records: list[Record], x_max: float) -> TaskLeaderboard:
    if compressions := compressions_of(records):
        return _board_at(task, records, compressions)
    # Operating points: the confirmed ones of an entry, else those of its search
    tested, tested_failures = confirmed(records, chance_on(records, "test"))
    guessed, guessed_failures = provisional(records, chance_on(records, "validation"))
    source: Source = "test" if tested else "validation"
    chance = chance_on(records, source)
    names = sorted({record.entry for record in records})
    chosen = {entry: [p for p in tested if p.entry == entry] for entry in names}
    # An entry whose confirming runs all failed has failed: its search is no substitute
    judged = {entry for entry in names if chosen[entry] or (tested and entry in tested_failures)}
    points = {e: chosen[e] if e in judged else [p for p in guessed if p.entry == e] for e in names}
    # References of the task, and the rows, which need them
    baseline = dense_point(points)
    dense, dense_sd = (baseline.accuracy.mean, baseline.accuracy.sd) if baseline else (None, None)
    draft = TaskLeaderboard(task, source, chance, dense, dense_sd, x_max, [], points, records)
    failures = {
        e: tested_failures.get(e, 0) + (0 if e in judged else guessed_failures.get(e, 0)) for e in names
    }
    return replace(draft, rows=_ranked(draft, [_row(draft, entry, failures[entry]) for entry in names]))


def _board_at(task: str, records: list[Record], compressions: tuple[float, ...]) -> TaskLeaderboard:
    """The leaderboard of records that were all measured at the same common compressions."""
    chances: dict[Source, float] = {split: chance_on(records, split) for split in SPLITS}
    points, failures = common_points(records, compressions, chances)
    source: Source = (
        "test" if any(p.source == "test" for own in points.values() for p in own) else "validation"
    )
    baseline = dense_point(points)
    dense, dense_sd = (baseline.accuracy.mean, baseline.accuracy.sd) if baseline else (None, None)
    x_max = math.log10(max(compressions))
    draft = TaskLeaderboard(
        task, source, chances[source], dense, dense_sd, x_max, [], points, records, compressions,
        own={entry: own_points(group) for entry, group in points.items()},
        spreads=search_spreads(records, compressions),
    )  # fmt: skip
    rows = [_row(draft, entry, failures[entry]) for entry in sorted(points)]
    judged = {row.entry: points[row.entry] for row in rows if row.source == source and not row.baseline}
    best = best_at(judged, compressions)
    rows = [replace(row, best_at=best.get(row.entry, {})) for row in rows]
    return replace(draft, rows=_ranked(draft, rows))


def dense_point(points: Mapping[str, Sequence[Point]]) -> Point | None:
    """Returns the tuned dense baseline of a task: the point of method "dense" best on validation, whole.

    Args:
        points: The operating points by entry.

    Returns:
        The point, a confirmed one where there is any; None without a dense entry.

    Example:
        >>> [round(number, 3) for number in dense_point(board.points).xy]  # log10 compression, accuracy
        [0.0, 0.982]
    """
    found = [p for group in points.values() for p in group if p.method == DENSE and p.at in (None, 1.0)]
    found = [p for p in found if p.source == "test"] or found
    return max(found, key=lambda p: (p.val_accuracy or 0.0, len(p.outcomes), p.accuracy.mean), default=None)


def _row(board: TaskLeaderboard, entry: str, failures: int) -> LeaderboardRow:
    own = board.records_of[entry]
    points = board.points[entry]
    method = own[0].method
    source: Source = points[0].source if points else board.source
    row = LeaderboardRow(board.task, entry, method, source, baseline=method == DENSE, failed=failures)
    row = replace(row, **_search_counts(own))
    if not points:
        return replace(row, runs=failures)
    at = board.references
    row = replace(row, **measures.volumes(at, points))
    runs = board.own.get(entry, points) or points
    if board.compressions:
        row = replace(row, **measures.accuracies_and_compressions(at, board.own[entry]))
        row = replace(row, **score_fields(at, points, board.compressions))
        if entry in board.spreads:
            interval = board.spreads[entry].widen(row.score_interval, row.score or 0.0)
            row = replace(row, score_interval=interval)
        row = replace(row, **search_fields(own, board.compressions), learned=any(p.learned for p in points))
    else:
        row = replace(row, **measures.accuracies_and_compressions(at, points))
    counts = {**measures.run_counts(runs, failures), "seeds": measures.fewest_seeds(points)}
    return replace(row, **counts, **measures.cost(runs))


def _search_counts(own: Sequence[Record]) -> dict[str, Any]:
    search = [record for record in own if record.phase == "search"]
    return {
        "search_trials": len(search),
        "search_failed": sum(record.status == "failed" for record in search),
        "search_diverged": sum(record.status == "diverged" for record in search),
    }


def _ranked(board: TaskLeaderboard, drafts: Sequence[LeaderboardRow]) -> list[LeaderboardRow]:
    """The rows in their order: by merit, then unconfirmed entries, then the dense baseline."""
    order = sorted(drafts, key=lambda row: (-row.merit, row.entry))
    sparse = [row for row in order if not row.baseline]
    contest = [row for row in sparse if row.source == board.source and board.points[row.entry]]
    ties = [None, *_ties(board, contest)]
    placed = [
        replace(row, rank=number, tied=tied)
        for number, (row, tied) in enumerate(zip(contest, ties, strict=False), 1)
    ]
    chosen = {row.entry for row in placed}
    return placed + [r for r in sparse if r.entry not in chosen] + [r for r in order if r.baseline]


def _ties(board: TaskLeaderboard, contest: Sequence[LeaderboardRow]) -> list[bool | None]:
    """Returns of each row but the first whether the one above it is not significantly better."""
    if board.source != "test":
        return [None] * (len(contest) - 1)
    neighbours = list(pairwise(range(len(contest))))
    gaps = differences([board.replicates[row.entry] for row in contest], neighbours)
    names = [(contest[i].entry, contest[j].entry) for i, j in neighbours]
    found = widened(gaps, names, board.spreads)
    return [None if gap is None else not gap.ahead for gap in found]  # tied also where it is the other way


def on_front(points: Sequence[Point]) -> list[Point]:
    """Returns the points on the front of means: those that learned something and that no other dominates.

    Args:
        points: The operating points of one entry.

    Returns:
        The points of the front by rising compression, and so by falling accuracy.

    Example:
        >>> [round(point.compression) for point in on_front(board.points["magnitude"])]
        [2, 13, 119]
    """
    return front(learning(points), lambda p: p.xy)


def focused(board: TaskLeaderboard, shown: Sequence[str]) -> list[float]:
    """Returns the accuracies around which an axis is expanded.

    Args:
        board: The task's leaderboard.
        shown: The entries that are shown.

    Returns:
        Mean accuracies of the points that are on a line: at common compressions what has learned something,
        of earlier versions the fronts.

    Example:
        >>> [round(accuracy, 2) for accuracy in focused(board, ["dwf-3"])]
        [0.98, 0.98, 0.7]
    """
    lines = (
        learning(cells(board.points[entry])) if board.compressions else on_front(board.points[entry])
        for entry in shown
    )
    return [point.accuracy.mean for line in lines for point in line]
