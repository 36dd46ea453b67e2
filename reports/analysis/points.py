"""Operating points: the seeds of one configuration, with their means and spreads. No torch."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Literal

from ...learning import balanced_accuracy, learned
from ...records.record import Record
from ..statistics.intervals import Interval, deviation, t_interval

Source = Literal["test", "validation"]
XY = tuple[float, float]


@dataclass(frozen=True)
class Stat:
    """Mean and sample standard deviation of several numbers.

    Attributes:
        n: How many numbers there are.
        mean: Their arithmetic mean.
        sd: Their sample standard deviation (n − 1 in the denominator); None for a single number.

    Example:
        >>> found = board.points["dwf-3"][0].accuracy
        >>> found.n, round(found.mean, 3), round(found.sd, 3)
        (3, 0.978, 0.004)
    """

    n: int
    mean: float
    sd: float | None


def _stat(values: Sequence[float]) -> Stat | None:
    """Mean and sample standard deviation of the values; None without values."""
    if not values:
        return None
    return Stat(len(values), fmean(values), deviation(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class SeedResult:
    """The result of one seed of an operating point. A diverged run counts as chance at compression 1.

    Attributes:
        seed: The seed of the run.
        accuracy: Test accuracy for a confirmed point, validation accuracy for a provisional one.
        x: log10 compression, at the validated threshold of zeros.
        exact: (log10 compression, accuracy) with zeros of float32 eps instead; None where not recorded.
        val_accuracy: Validation accuracy, by which configurations are chosen.
        speedup: Theoretical speed-up: multiply-accumulates of the dense model over the sparse one's.
        diverged: Whether training diverged.
        collapsed: Whether no path from the input to a logit is left or nothing was learned, undiverged.
        record: The record of the run.
        chance: Accuracy of guessing on the split that `accuracy` is of.
        replicate: The number of the search, where a suite has several.
        cut: Whether the network was cut to this compression, without retraining.

    Example:
        >>> result = board.points["dwf-3"][1].outcomes[0]
        >>> result.seed, round(result.x, 2), round(10**result.x, 1)
        (1000, 1.13, 13.4)
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
    chance: float = 0.0
    replicate: int | None = None
    cut: bool = False

    @property
    def unit(self) -> int:
        """What is repeated, as a number: the search where there are several, else the seed."""
        return self.seed if self.replicate is None else self.replicate

    @property
    def learned(self) -> bool:
        """Whether the network has learned something (`learning.py`)."""
        return not self.diverged and learned(self.accuracy, self.chance)


@dataclass(frozen=True)
class Point:
    """An operating point: one configuration, trained with one or more seeds.

    Attributes:
        task: The task, dataset-model.
        entry: The entry of the suite that it belongs to.
        method: The method of that entry.
        key: The id of the search trial that its runs repeat, else the hash of the configuration.
        source: The split that accuracies are of: "test" where confirmed, "validation" for a search.
        outcomes: One result a seed, by rising seed.
        failures: The number of runs that failed and so have no result.
        at: The common compression that it is measured at; None for a point of the method's own compression.

    Example:
        >>> seeds = [SeedResult(1, 0.9, 1.0, None, 0.9, None, False, False, record),
        ...          SeedResult(2, 0.8, 3.0, None, 0.8, None, False, False, record)]
        >>> point = Point("task", "dwf-3", "dwf", "trial", "test", tuple(seeds), failures=0)
        >>> point.compression, round(point.accuracy.mean, 2)  # the geometric mean of 10 and 1000
        (100.0, 0.85)
    """

    task: str
    entry: str
    method: str
    key: str
    source: Source
    outcomes: tuple[SeedResult, ...]
    failures: int
    at: float | None = None

    @cached_property
    def by_unit(self) -> dict[int, list[SeedResult]]:
        """The results of each seed, or of each search where there are several, by its number."""
        found: dict[int, list[SeedResult]] = {}
        for outcome in self.outcomes:
            found.setdefault(outcome.unit, []).append(outcome)
        return found

    @cached_property
    def units(self) -> dict[int, float]:
        """Mean accuracy of each seed, or of each search where there are several, by its number."""
        return {unit: fmean(o.accuracy for o in own) for unit, own in self.by_unit.items()}

    @cached_property
    def accuracy(self) -> Stat:
        """Accuracy over seeds or searches, on the split that `source` names."""
        return _required(_stat([*self.units.values()]))

    @property
    def cut(self) -> bool:
        """Whether more than half of the runs were cut to this compression, without retraining."""
        return 2 * sum(o.cut for o in self.outcomes) > len(self.outcomes)

    @property
    def chance(self) -> float:
        """Accuracy of guessing on the split that `source` names."""
        return self.outcomes[0].chance

    @property
    def learned(self) -> bool:
        """Whether networks of the mean accuracy have learned something; else the point is on no front."""
        return learned(self.accuracy.mean, self.chance)

    @cached_property
    def x(self) -> Stat:
        """log10 compression: its mean is the log of the geometric mean of compression."""
        return _required(_stat([o.x for o in self.outcomes]))

    @property
    def xy(self) -> XY:
        """Mean log10 compression and mean accuracy: the point of which fronts are made."""
        return self.x.mean, self.accuracy.mean

    @property
    def compression(self) -> float:
        """Geometric mean of the compression over seeds."""
        return float(10**self.x.mean)

    @cached_property
    def accuracy_interval(self) -> Interval | None:
        """95% t-interval of the mean accuracy over `units`; None below two, and for provisional points."""
        if self.source != "test":
            return None
        return t_interval([*self.units.values()], least=0.0, most=1.0)

    @cached_property
    def compression_interval(self) -> Interval | None:
        """95% t-interval of the geometric mean of compression over seeds, computed on its logarithm.

        Diverged seeds count as compression 1 and so scatter by decades: with one of them the interval ends
        at the sparsest seed at the latest.
        """
        if self.source != "test":
            return None
        seeds = [o.x for o in self.outcomes]
        found = t_interval(seeds, least=0.0, most=max(seeds) if self.diverged else math.inf)
        return Interval(10**found.low, 10**found.high) if found else None

    @cached_property
    def accuracy_exact(self) -> Stat | None:
        """Accuracy with zeros of float32 eps, over the seeds that have it."""
        return _stat([o.exact[1] for o in self.outcomes if o.exact is not None])

    @cached_property
    def x_exact(self) -> Stat | None:
        """log10 compression with zeros of float32 eps, over the seeds that have it."""
        return _stat([o.exact[0] for o in self.outcomes if o.exact is not None])

    @property
    def xy_exact(self) -> XY | None:
        """`xy` at float32 eps; None unless every seed has it, since a mean over some would mislead."""
        x, y = self.x_exact, self.accuracy_exact
        return (x.mean, y.mean) if x and y and x.n == len(self.outcomes) else None

    @property
    def speedup(self) -> float | None:
        """Mean theoretical speed-up over the seeds that have one."""
        found = _stat([o.speedup for o in self.outcomes if o.speedup is not None])
        return found.mean if found else None

    @property
    def val_accuracy(self) -> float | None:
        """Mean validation accuracy over the seeds that have one."""
        found = _stat([o.val_accuracy for o in self.outcomes if o.val_accuracy is not None])
        return found.mean if found else None

    @property
    def diverged(self) -> int:
        """The number of seeds that diverged."""
        return sum(o.diverged for o in self.outcomes)

    @property
    def collapses(self) -> int:
        """The number of seeds that collapsed."""
        return sum(o.collapsed for o in self.outcomes)

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean over seeds of the balanced accuracy on the split that `source` names; None in old records, and
        of a network that was cut."""
        if any(o.cut for o in self.outcomes):
            return None
        return self.mean_of(lambda record: balanced_accuracy(record, self.source))

    def mean_of(self, value: Callable[[Record], float | None]) -> float | None:
        """Returns the mean over seeds of a number in their records; None where no record has it."""
        found = [value(o.record) for o in self.outcomes]
        numbers = [number for number in found if number is not None]
        return fmean(numbers) if numbers else None


def most_accurate(points: Iterable[Point]) -> Point:
    """Returns the point with the best mean accuracy, the sparsest of equals.

    Args:
        points: The operating points of one entry, at least one.

    Returns:
        The point, which may have learned nothing.

    Example:
        >>> round(most_accurate(board.points["dwf-3"]).accuracy.mean, 3)
        0.978
    """
    return max(points, key=lambda p: (p.accuracy.mean, p.x.mean))


def learning(points: Iterable[Point]) -> list[Point]:
    """Returns the points that have learned something, the only ones of which fronts are made.

    Args:
        points: The operating points of one entry.

    Returns:
        Those whose mean accuracy is beyond a twentieth of the way from chance to 1, in their order.

    Example:
        >>> [round(point.compression) for point in learning(board.points["dwf-3"])]  # without 964
        [2, 13, 112]
    """
    return [point for point in points if point.learned]


def learning_at_eps(points: Iterable[Point]) -> list[XY]:
    """Returns `xy_exact` of the points that have it and have learned something there.

    Args:
        points: The operating points of one entry.

    Returns:
        Pairs of log10 compression and accuracy, both at zeros of float32 eps.

    Example:
        >>> len(learning_at_eps(board.points["dwf-3"]))
        3
    """
    pairs = ((p.xy_exact, p.chance) for p in points)
    return [xy for xy, chance in pairs if xy is not None and learned(xy[1], chance)]


def _required(value: Stat | None) -> Stat:
    assert value is not None, "a point has at least one outcome"
    return value
