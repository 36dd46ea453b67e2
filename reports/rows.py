"""One board a task, one row an entry: the numbers of the leaderboard, before any rendering. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import stdev
from typing import Any

from ..bench.records import Record
from ..errors import SparsebenchError
from .pareto import X_MAX, accuracy_at, compression_at, front, hypervolume
from .points import COLLAPSE, Point, Source, by_task, chance_of, confirmed, provisional
from .stats import indistinct, replicates

COMPRESSIONS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
TOLERANCES = (0.01, 0.05, 0.10)
DENSE = "dense"


@dataclass(frozen=True)
class Row:
    """An entry on one task. Accuracies are fractions, compressions ratios; None is "no such number".

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
    hypervolume_exact: float | None = None
    hypervolume_raw: float = 0.0
    hypervolume_raw_sd: float | None = None
    accuracy_at: dict[int, float | None] = field(default_factory=dict)
    within: dict[float, float | None] = field(default_factory=dict)
    within_exact: dict[float, float | None] = field(default_factory=dict)
    best_accuracy: float | None = None
    best_accuracy_sd: float | None = None
    best_compression: float | None = None
    largest_compression: float | None = None
    largest_compression_exact: float | None = None
    speedup: float | None = None
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


@dataclass(frozen=True)
class Board:
    """A task: its references, its rows in the order shown, and the points behind them by entry."""

    task: str
    source: Source
    chance: float
    dense: float | None
    dense_sd: float | None
    x_max: float
    rows: list[Row]
    points: dict[str, list[Point]]
    records: list[Record]

    def row(self, entry: str) -> Row:
        return next(row for row in self.rows if row.entry == entry)

    @property
    def scale(self) -> float | None:
        """What normalises the hypervolume; None without a dense accuracy above chance."""
        if self.dense is None or self.dense <= self.chance or self.x_max <= 0:
            return None
        return self.x_max * (self.dense - self.chance)


def boards(records: Iterable[Record], x_max: float | Mapping[str, float] = X_MAX) -> list[Board]:
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


def rows(records: Iterable[Record], x_max: float | Mapping[str, float] = X_MAX) -> list[Row]:
    """The rows of all boards, one after the other."""
    return [row for board in boards(records, x_max) for row in board.rows]


def _board(task: str, records: list[Record], x_max: float) -> Board:
    chance = chance_of(records)
    tested, tested_failures = confirmed(records, chance)
    guessed, guessed_failures = provisional(records, chance)
    source: Source = "test" if tested else "validation"
    names = sorted({record.entry for record in records})
    chosen = {entry: [p for p in tested if p.entry == entry] for entry in names}
    points = {entry: chosen[entry] or [p for p in guessed if p.entry == entry] for entry in names}
    dense, dense_sd = _dense(points)
    draft = Board(task, source, chance, dense, dense_sd, x_max, [], points, records)
    failures = {
        e: tested_failures.get(e, 0) + (0 if chosen[e] else guessed_failures.get(e, 0)) for e in names
    }
    return replace(draft, rows=_ranked(draft, [_row(draft, entry, failures[entry]) for entry in names]))


def _dense(points: Mapping[str, Sequence[Point]]) -> tuple[float | None, float | None]:
    """Accuracy of the tuned dense baseline: confirmed where it is, and chosen on validation."""
    found = [p for group in points.values() for p in group if p.method == DENSE]
    found = [p for p in found if p.source == "test"] or found
    if not found:
        return None, None
    best = max(found, key=lambda p: (p.val_accuracy or 0.0, len(p.outcomes), p.accuracy.mean))
    return best.accuracy.mean, best.accuracy.sd


def _row(board: Board, entry: str, failures: int) -> Row:
    own = [record for record in board.records if record.entry == entry]
    points = board.points[entry]
    method = own[0].method
    source: Source = points[0].source if points else board.source
    row = Row(board.task, entry, method, source, baseline=method == DENSE, failed=failures)
    row = replace(row, **_search_counts(own))
    if not points:
        return replace(row, runs=failures)
    row = replace(row, **_volumes(board, points), **_reach(board, points))
    return replace(row, **_counts(points, failures), **_cost(points))


def _search_counts(own: Sequence[Record]) -> dict[str, Any]:
    search = [record for record in own if record.phase == "search"]
    return {
        "search_trials": len(search),
        "search_failed": sum(record.status == "failed" for record in search),
        "search_diverged": sum(record.status == "diverged" for record in search),
    }


def _volumes(board: Board, points: Sequence[Point]) -> dict[str, Any]:
    reference = (0.0, board.chance)
    raw = hypervolume([p.xy for p in points], reference, board.x_max)
    at_eps = [xy for xy in (p.xy_exact for p in points) if xy is not None]
    exact = hypervolume(at_eps, reference, board.x_max) if at_eps else None
    # A provisional point's seeds are no replicates: the search did not repeat what it found.
    several = replicates(points, board.chance, board.x_max) if points[0].source == "test" else []
    raw_sd = stdev(several) if len(several) > 1 else None
    scale = board.scale
    return {
        "hypervolume_raw": raw,
        "hypervolume_raw_sd": raw_sd,
        "hypervolume": raw / scale if scale else None,
        "hypervolume_sd": raw_sd / scale if scale and raw_sd is not None else None,
        "hypervolume_exact": exact / scale if scale and exact is not None else None,
    }


def _within(board: Board, points: Sequence[tuple[float, float]]) -> dict[float, float | None]:
    if board.dense is None or board.dense <= board.chance:
        return dict.fromkeys(TOLERANCES)
    return {tol: compression_at(points, board.dense - tol) for tol in TOLERANCES}


def _reach(board: Board, points: Sequence[Point]) -> dict[str, Any]:
    xy = [p.xy for p in points]
    at_eps = [pair for pair in (p.xy_exact for p in points) if pair is not None]
    best = max(points, key=lambda p: (p.accuracy.mean, p.x.mean))
    alive = COLLAPSE * board.chance + 1e-12
    within = _within(board, xy)
    reached = within[0.05]
    fast = [p.speedup for p in points if reached is not None and abs(p.compression / reached - 1) < 1e-9]
    return {
        "accuracy_at": {c: accuracy_at(xy, c) for c in COMPRESSIONS},
        "within": within,
        "within_exact": _within(board, at_eps),
        "best_accuracy": best.accuracy.mean,
        "best_accuracy_sd": best.accuracy.sd,
        "best_compression": best.compression,
        "largest_compression": compression_at(xy, alive),
        "largest_compression_exact": compression_at(at_eps, alive),
        "speedup": max((s for s in fast if s is not None), default=None),
    }


def _counts(points: Sequence[Point], failures: int) -> dict[str, Any]:
    return {
        "points": len(points),
        "seeds": min(len(p.outcomes) for p in points),
        "runs": sum(len(p.outcomes) for p in points) + failures,
        "diverged": sum(p.diverged for p in points),
        "collapsed": sum(p.collapses for p in points),
    }


def _cost(points: Sequence[Point]) -> dict[str, Any]:
    """Per run: the most steps (a diverged run stops early), mean seconds, mean training FLOPs to dense."""
    done = [o.record for p in points for o in p.outcomes]
    flops = [r.training_flops_ratio for r in done if r.training_flops_ratio is not None]
    return {
        "steps": max(r.steps for r in done),
        "seconds": sum(r.seconds for r in done) / len(done),
        "training_flops_ratio": sum(flops) / len(flops) if flops else None,
    }


def _ranked(board: Board, drafts: Sequence[Row]) -> list[Row]:
    """Ranked entries by falling hypervolume, then what is not confirmed, then the dense baseline."""
    order = sorted(drafts, key=lambda row: (-row.hypervolume_raw, row.entry))
    sparse = [row for row in order if not row.baseline]
    contest = [row for row in sparse if row.source == board.source and board.points[row.entry]]
    placed: list[Row] = []
    for number, row in enumerate(contest, 1):
        tied = _tied(board, contest[number - 2], row) if number > 1 else None
        placed.append(replace(row, rank=number, tied=tied))
    return placed + [r for r in sparse if r not in contest] + [r for r in order if r.baseline]


def _tied(board: Board, above: Row, row: Row) -> bool | None:
    if board.source != "test":
        return None
    first, second = (replicates(board.points[r.entry], board.chance, board.x_max) for r in (above, row))
    return indistinct(first, second)


def on_front(points: Sequence[Point]) -> list[Point]:
    """The points on the front of means, by rising compression."""
    return front(points, lambda p: p.xy)
