"""How far the seeds of an entry agree, and whether two entries can be told apart. No torch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev, variance
from typing import Literal

from scipy.special import stdtr  # type: ignore[import-untyped, unused-ignore]

from ...records.pareto import X_MAX, front, hypervolume
from .intervals import CONFIDENCE, Interval, quantile
from .points import Point, SeedResult

NOTHING = 1e-12  # differences and errors below it are rounding


def replicates(points: Sequence[Point], chance: float, x_max: float = X_MAX) -> dict[int, float]:
    """The hypervolume of each replicate of an entry's front: of the outcomes that share a seed.

    Only seeds that every point of the front of means has, so that none is a front with holes. Where fewer
    than two are shared, replicate j takes the j-th seed of every point and is numbered −1 − j: such seeds
    pair with nothing.
    """
    line = front(points, lambda p: p.xy)
    shared = set.intersection(*({o.seed for o in p.outcomes} for p in line)) if line else set()
    fewest = min((len(point.outcomes) for point in line), default=0)
    if len(shared) < min(2, fewest):
        picked = {-1 - j: [p.outcomes[j] for p in points if j < len(p.outcomes)] for j in range(fewest)}
    else:
        every = [o for p in points for o in p.outcomes]
        picked = {seed: [o for o in every if o.seed == seed] for seed in sorted(shared)}
    return {seed: _volume(outcomes, chance, x_max) for seed, outcomes in picked.items()}


def _volume(outcomes: Sequence[SeedResult], chance: float, x_max: float) -> float:
    return hypervolume([(o.x, o.accuracy) for o in outcomes], (0.0, chance), x_max)


@dataclass(frozen=True)
class Difference:
    """first − second: its mean, 95% interval and two-sided p, from `seeds` replicates of each."""

    kind: Literal["paired", "welch"]
    seeds: int
    mean: float
    interval: Interval
    p: float

    @property
    def distinct(self) -> bool:
        """Whether the interval leaves out zero."""
        return not self.interval.low <= 0 <= self.interval.high

    @property
    def ahead(self) -> bool:
        """Whether the first is the larger one, as far as can be told."""
        return self.interval.low > 0


def difference(
    first: Mapping[int, float], second: Mapping[int, float], confidence: float = CONFIDENCE
) -> Difference | None:
    """Two entries' replicates by seed compared: paired where the seeds are the same, else Welch's way.

    A seed fixes the order of the data and what a trial draws, for every entry alike: runs with the same
    seed are a pair, and Student's interval of their differences is right whatever they have in common.
    None below two replicates each, and where replicates that differ do so by the same to the last bit:
    counts of examples can meet so by chance, and say nothing of how far they scatter.
    """
    if min(len(first), len(second)) < 2:
        return None
    if set(first) == set(second) and min(first) >= 0:
        return _paired([first[seed] - second[seed] for seed in first], confidence)
    return _welch(list(first.values()), list(second.values()), confidence)


def _paired(gaps: Sequence[float], confidence: float) -> Difference | None:
    error = stdev(gaps) / math.sqrt(len(gaps))
    return _judged("paired", len(gaps), fmean(gaps), error, len(gaps) - 1, confidence)


def _welch(first: Sequence[float], second: Sequence[float], confidence: float) -> Difference | None:
    shares = variance(first) / len(first), variance(second) / len(second)
    freedoms = len(first) - 1, len(second) - 1
    parts = sum(share**2 / freedom for share, freedom in zip(shares, freedoms, strict=True))
    freedom = sum(shares) ** 2 / parts if parts > 0 else min(freedoms)
    gap, error = fmean(first) - fmean(second), math.sqrt(sum(shares))
    return _judged("welch", min(len(first), len(second)), gap, error, freedom, confidence)


def _judged(
    kind: Literal["paired", "welch"], seeds: int, gap: float, error: float, freedom: float, confidence: float
) -> Difference | None:
    if error <= NOTHING:
        return Difference(kind, seeds, 0.0, Interval(0.0, 0.0), 1.0) if abs(gap) <= NOTHING else None
    half = quantile(freedom, confidence) * error
    p = 2 * float(stdtr(freedom, -abs(gap) / error))
    return Difference(kind, seeds, gap, Interval(gap - half, gap + half), p)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): the chance of any false finding among all stays below the level.

    The i-th smallest of m is multiplied by m − i + 1, made monotone and cut at 1.
    """
    order = sorted(range(len(ps)), key=ps.__getitem__)
    corrected, running = [1.0] * len(ps), 0.0
    for place, index in enumerate(order):
        running = max(running, min(1.0, (len(ps) - place) * ps[index]))
        corrected[index] = running
    return corrected
