"""One board a task, one row an entry: the numbers of the leaderboard, before any rendering. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ...errors import SparsebenchError
from ...records.pareto import X_MAX, front
from ...records.record import Record
from . import measures
from .comparison import difference
from .intervals import Interval
from .measures import COMPRESSIONS, TOLERANCES, References
from .points import Point, Source, by_task, chance_of, confirmed, provisional

DENSE = "dense"


@dataclass(frozen=True)
class LeaderboardRow:
    """An entry on one task. Accuracies are fractions, compressions ratios; None is "no such number".

    Every `…_interval` is a 95% t-interval over seeds of the number before it, None below two seeds.
    `rank` is None for the dense baseline and for an entry that is not confirmed beside ones that are.
    `tied`: not distinguishable from the row ranked directly above. Hypervolumes are normalised, the `raw`
    ones are in accuracy × decades. `within[tol]`: largest compression within tol of dense. The `exact`
    ones hold at zeros of float32 eps, the others at the validated threshold. `largest_compression` leaves
    out points at or below 1.5×chance. `speedup` is the theoretical one at `within[0.05]`.
    """

    task: str
    entry: str
    method: str
    source: Source
    baseline: bool = False
    rank: int | None = None
    tied: bool | None = None
    hypervolume: float | None = None
    hypervolume_sd: float | None = None
    hypervolume_interval: Interval | None = None
    hypervolume_exact: float | None = None
    hypervolume_raw: float = 0.0
    hypervolume_raw_sd: float | None = None
    hypervolume_raw_interval: Interval | None = None
    accuracy_at: dict[int, float | None] = field(default_factory=dict)
    accuracy_at_interval: dict[int, Interval | None] = field(default_factory=dict)
    within: dict[float, float | None] = field(default_factory=dict)
    within_interval: dict[float, Interval | None] = field(default_factory=dict)
    within_exact: dict[float, float | None] = field(default_factory=dict)
    best_accuracy: float | None = None
    best_accuracy_sd: float | None = None
    best_accuracy_interval: Interval | None = None
    best_compression: float | None = None
    largest_compression: float | None = None
    largest_compression_exact: float | None = None
    speedup: float | None = None
    speedup_interval: Interval | None = None
    points: int = 0
    seeds: int = 0
    runs: int = 0
    failed: int = 0
    diverged: int = 0
    collapsed: int = 0
    search_trials: int = 0
    search_failed: int = 0
    search_diverged: int = 0
    steps: int = 0
    seconds: float = 0.0
    training_flops_ratio: float | None = None
    training_flops_ratio_interval: Interval | None = None


@dataclass(frozen=True)
class TaskLeaderboard:
    """A task: its references, its rows in the order shown, and the points behind them by entry."""

    task: str
    source: Source
    chance: float
    dense: float | None
    dense_sd: float | None
    x_max: float
    rows: list[LeaderboardRow]
    points: dict[str, list[Point]]
    records: list[Record]

    def row(self, entry: str) -> LeaderboardRow:
        return next(row for row in self.rows if row.entry == entry)

    @property
    def winner(self) -> str | None:
        """The entry of rank 1; None where the next one is missing or not distinguishable from it."""
        ranked = {row.rank: row for row in self.rows if row.rank is not None}
        return ranked[1].entry if 1 in ranked and 2 in ranked and ranked[2].tied is False else None

    @property
    def references(self) -> References:
        """Chance, dense accuracy and the limit of x, which every measure needs."""
        return References(self.chance, self.dense, self.x_max)

    @property
    def scale(self) -> float | None:
        """What normalises the hypervolume; None without a dense accuracy above chance."""
        return self.references.scale

    @cached_property
    def replicates(self) -> dict[str, dict[int, float]]:
        """The hypervolume (raw) of each entry's front by seed; empty for what is not confirmed."""
        return {entry: measures.repeated(self.references, found) for entry, found in self.points.items()}


def boards(records: Iterable[Record], x_max: float | Mapping[str, float] = X_MAX) -> list[TaskLeaderboard]:
    """One board for each task, in the order the tasks first appear. `x_max` may be given by task.

    Errors: no records at all.
    """
    tasks = by_task(records)
    if not tasks:
        raise SparsebenchError("there are no records to report: run a suite first")
    return [
        _board(task, found, x_max.get(task, X_MAX) if isinstance(x_max, Mapping) else x_max)
        for task, found in tasks.items()
    ]


def rows(records: Iterable[Record], x_max: float | Mapping[str, float] = X_MAX) -> list[LeaderboardRow]:
    """The rows of all boards, one after the other."""
    return [row for board in boards(records, x_max) for row in board.rows]


def _board(task: str, records: list[Record], x_max: float) -> TaskLeaderboard:
    chance = chance_of(records)
    tested, tested_failures = confirmed(records, chance)
    guessed, guessed_failures = provisional(records, chance)
    source: Source = "test" if tested else "validation"
    names = sorted({record.entry for record in records})
    chosen = {entry: [p for p in tested if p.entry == entry] for entry in names}
    # An entry whose confirming runs all failed has failed: its search does not stand in for them.
    judged = {entry for entry in names if chosen[entry] or (tested and entry in tested_failures)}
    points = {e: chosen[e] if e in judged else [p for p in guessed if p.entry == e] for e in names}
    baseline = dense_point(points)
    dense, dense_sd = (baseline.accuracy.mean, baseline.accuracy.sd) if baseline else (None, None)
    draft = TaskLeaderboard(task, source, chance, dense, dense_sd, x_max, [], points, records)
    failures = {
        e: tested_failures.get(e, 0) + (0 if e in judged else guessed_failures.get(e, 0)) for e in names
    }
    return replace(draft, rows=_ranked(draft, [_row(draft, entry, failures[entry]) for entry in names]))


def dense_point(points: Mapping[str, Sequence[Point]]) -> Point | None:
    """The tuned dense baseline: confirmed where it is, and chosen on validation; None without one."""
    found = [p for group in points.values() for p in group if p.method == DENSE]
    found = [p for p in found if p.source == "test"] or found
    return max(found, key=lambda p: (p.val_accuracy or 0.0, len(p.outcomes), p.accuracy.mean), default=None)


def _row(board: TaskLeaderboard, entry: str, failures: int) -> LeaderboardRow:
    own = [record for record in board.records if record.entry == entry]
    points = board.points[entry]
    method = own[0].method
    source: Source = points[0].source if points else board.source
    row = LeaderboardRow(board.task, entry, method, source, baseline=method == DENSE, failed=failures)
    row = replace(row, **_search_counts(own))
    if not points:
        return replace(row, runs=failures)
    at = board.references
    row = replace(row, **measures.volumes(at, points), **measures.accuracies_and_compressions(at, points))
    return replace(row, **measures.counts(points, failures), **measures.cost(points))


def _search_counts(own: Sequence[Record]) -> dict[str, Any]:
    search = [record for record in own if record.phase == "search"]
    return {
        "search_trials": len(search),
        "search_failed": sum(record.status == "failed" for record in search),
        "search_diverged": sum(record.status == "diverged" for record in search),
    }


def _ranked(board: TaskLeaderboard, drafts: Sequence[LeaderboardRow]) -> list[LeaderboardRow]:
    """Ranked entries by falling hypervolume, then what is not confirmed, then the dense baseline."""
    order = sorted(drafts, key=lambda row: (-row.hypervolume_raw, row.entry))
    sparse = [row for row in order if not row.baseline]
    contest = [row for row in sparse if row.source == board.source and board.points[row.entry]]
    placed: list[LeaderboardRow] = []
    for number, row in enumerate(contest, 1):
        tied = _tied(board, contest[number - 2], row) if number > 1 else None
        placed.append(replace(row, rank=number, tied=tied))
    return placed + [r for r in sparse if r not in contest] + [r for r in order if r.baseline]


def _tied(board: TaskLeaderboard, above: LeaderboardRow, row: LeaderboardRow) -> bool | None:
    if board.source != "test":
        return None
    found = difference(board.replicates[above.entry], board.replicates[row.entry])
    return None if found is None else not found.ahead  # neither where the seeds say the opposite


def on_front(points: Sequence[Point]) -> list[Point]:
    """The points on the front of means, by rising compression."""
    return front(points, lambda p: p.xy)


__all__ = [
    "COMPRESSIONS",
    "DENSE",
    "TOLERANCES",
    "TaskLeaderboard",
    "LeaderboardRow",
    "boards",
    "on_front",
    "rows",
]
