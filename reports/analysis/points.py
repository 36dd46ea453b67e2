"""From records to operating points: the seeds of one configuration, with their mean and spread. No torch."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Literal

from ...records.record import Record
from ...records.store import latest
from .intervals import Interval, deviation, t_interval

Source = Literal["test", "validation"]
COLLAPSE = 1.5  # an accuracy up to this many times chance counts as collapsed
XY = tuple[float, float]


@dataclass(frozen=True)
class Stat:
    """Mean and sample standard deviation of n numbers; `sd` is None below two."""

    n: int
    mean: float
    sd: float | None


def stat(values: Sequence[float]) -> Stat | None:
    """Mean and sample sd, or None of nothing."""
    if not values:
        return None
    return Stat(len(values), fmean(values), deviation(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class SeedResult:
    """One seed. `x` is log10 compression. A diverged run is chance accuracy at compression 1.

    The `exact` pair holds at zeros of float32 eps; None where the record has none.
    """

    seed: int
    accuracy: float
    x: float
    exact: XY | None
    val_accuracy: float | None
    speedup: float | None
    diverged: bool
    collapsed: bool
    record: Record


@dataclass(frozen=True)
class Point:
    """A configuration trained with one or more seeds. `failures` are runs that gave no outcome at all."""

    task: str
    entry: str
    method: str
    key: str
    source: Source
    outcomes: tuple[SeedResult, ...]
    failures: int

    @cached_property
    def accuracy(self) -> Stat:
        return _required(stat([o.accuracy for o in self.outcomes]))

    @cached_property
    def x(self) -> Stat:
        """log10 compression: its mean is the log of the geometric mean of compression."""
        return _required(stat([o.x for o in self.outcomes]))

    @property
    def xy(self) -> XY:
        """The point of the front of means."""
        return self.x.mean, self.accuracy.mean

    @property
    def compression(self) -> float:
        """Geometric mean over seeds."""
        return float(10**self.x.mean)

    @cached_property
    def accuracy_interval(self) -> Interval | None:
        """95% t-interval of the mean accuracy over seeds; None below two, and for the runs of a search."""
        if self.source != "test":
            return None
        return t_interval([o.accuracy for o in self.outcomes], least=0.0, most=1.0)

    @cached_property
    def compression_interval(self) -> Interval | None:
        """The same of the geometric mean of compression, computed on its logarithm.

        Seeds at 1 because they diverged scatter by decades: then it ends at the sparsest seed.
        """
        if self.source != "test":
            return None
        seeds = [o.x for o in self.outcomes]
        found = t_interval(seeds, least=0.0, most=max(seeds) if self.diverged else math.inf)
        return Interval(10**found.low, 10**found.high) if found else None

    @cached_property
    def accuracy_exact(self) -> Stat | None:
        return stat([o.exact[1] for o in self.outcomes if o.exact is not None])

    @cached_property
    def x_exact(self) -> Stat | None:
        return stat([o.exact[0] for o in self.outcomes if o.exact is not None])

    @property
    def xy_exact(self) -> XY | None:
        """The same at float32 eps, where every seed has it: a mean over some seeds would mislead."""
        x, y = self.x_exact, self.accuracy_exact
        return (x.mean, y.mean) if x and y and x.n == len(self.outcomes) else None

    @property
    def speedup(self) -> float | None:
        """Mean theoretical speed-up."""
        found = stat([o.speedup for o in self.outcomes if o.speedup is not None])
        return found.mean if found else None

    @property
    def val_accuracy(self) -> float | None:
        found = stat([o.val_accuracy for o in self.outcomes if o.val_accuracy is not None])
        return found.mean if found else None

    @property
    def diverged(self) -> int:
        return sum(o.diverged for o in self.outcomes)

    @property
    def collapses(self) -> int:
        return sum(o.collapsed for o in self.outcomes)

    def mean_of(self, value: Callable[[Record], float | None]) -> float | None:
        """Mean over the seeds of something in their records, such as the cost of training."""
        found = [value(o.record) for o in self.outcomes]
        numbers = [number for number in found if number is not None]
        return fmean(numbers) if numbers else None


def _required(value: Stat | None) -> Stat:
    assert value is not None, "a point has at least one outcome"
    return value


def by_task(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The latest record of each identity, by task, in the order tasks first appear."""
    tasks: dict[str, list[Record]] = {}
    for record in latest(records):
        tasks.setdefault(record.task, []).append(record)
    return tasks


def chance_of(records: Iterable[Record]) -> float:
    """1/classes of the task; 0 where no record says how many classes there are."""
    return next((1 / record.classes for record in records if record.classes), 0.0)


def confirmed(records: Sequence[Record], chance: float) -> tuple[list[Point], dict[str, int]]:
    """Points of one task's confirm phase, on test; and per entry the runs of it that gave no outcome.

    Runs are grouped by the search trial they repeat.
    """
    chosen = [record for record in records if record.phase == "confirm"]
    return _points(chosen, chance, "test")


def provisional(records: Sequence[Record], chance: float) -> tuple[list[Point], dict[str, int]]:
    """Points of one task's search and single runs, on validation: for runs without a confirm phase."""
    chosen = [record for record in records if record.phase != "confirm"]
    return _points(chosen, chance, "validation")


def _points(records: Sequence[Record], chance: float, source: Source) -> tuple[list[Point], dict[str, int]]:
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        key = record.confirms if source == "test" and record.confirms else record.config
        groups.setdefault((record.entry, key), []).append(record)
    points: list[Point] = []
    failed: dict[str, int] = {}
    for (entry, key), group in groups.items():
        outcomes = [seed_result(record, chance, source) for record in group]
        kept = sorted((o for o in outcomes if o is not None), key=lambda o: (o.seed, o.record.id))
        missing = len(group) - len(kept)
        failed[entry] = failed.get(entry, 0) + missing
        if kept:
            first = group[0]
            points.append(Point(first.task, entry, first.method, key, source, tuple(kept), missing))
    return sorted(points, key=lambda p: (p.entry, p.x.mean, -p.accuracy.mean, p.key)), failed


def seed_result(record: Record, chance: float, source: Source) -> SeedResult | None:
    """What a run says for the leaderboard; None when it failed or does not hold what is asked of it."""
    accuracy = record.test_accuracy if source == "test" else record.val_accuracy
    if record.status == "diverged":
        at = (0.0, chance)
        return SeedResult(record.seed, chance, 0.0, at, chance, 1.0, True, False, record)
    if record.status == "failed" or accuracy is None or record.compression is None:
        return None
    collapsed = bool(record.collapsed_layers) or accuracy <= COLLAPSE * chance
    exact = _exact(record, accuracy, source)
    return SeedResult(
        record.seed, accuracy, record.log_compression, exact, record.val_accuracy, record.speedup,
        False, collapsed, record,
    )  # fmt: skip


def _exact(record: Record, accuracy: float, source: Source) -> XY | None:
    """The operating point at float32 eps; a method with exact zeros of its own has only the one."""
    if not record.threshold and record.compression_exact is None:
        return record.log_compression, accuracy
    at_eps = record.test_accuracy_exact if source == "test" else record.val_accuracy_exact
    if record.compression_exact is None or at_eps is None:
        return (record.log_compression, accuracy) if not record.threshold else None
    return math.log10(record.compression_exact), at_eps
