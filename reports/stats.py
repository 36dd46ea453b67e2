"""How far the seeds of an entry agree, and whether two entries can be told apart. No torch."""

import math
from collections.abc import Sequence
from statistics import fmean, variance

from scipy.special import stdtrit  # type: ignore[import-untyped, unused-ignore]

from .pareto import X_MAX, hypervolume
from .points import Point


def replicates(points: Sequence[Point], chance: float, x_max: float = X_MAX) -> list[float]:
    """The hypervolume of each replicate of an entry's front.

    Replicate j takes the j-th seed of every point. There are as many as the point with the fewest seeds
    has, so that none is a front with holes or with a seed used twice.
    """
    count = min((len(point.outcomes) for point in points), default=0)
    return [
        hypervolume([(p.outcomes[j].x, p.outcomes[j].accuracy) for p in points], (0.0, chance), x_max)
        for j in range(count)
    ]


def indistinct(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> bool | None:
    """Whether Welch's t-interval of the difference of two means holds zero; None below two values each.

    Seeds are treated as unpaired, which never makes a difference look surer than it is when the two
    entries' seeds have nothing in common but their number.
    """
    if len(first) < 2 or len(second) < 2:
        return None
    shares = variance(first) / len(first), variance(second) / len(second)
    difference, error = fmean(first) - fmean(second), math.sqrt(sum(shares))
    if error <= 1e-12:
        return abs(difference) <= 1e-12
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True)
    )
    return bool(abs(difference) <= float(stdtrit(freedom, (1 + confidence) / 2)) * error)
