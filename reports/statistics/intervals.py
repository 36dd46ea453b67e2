"""Confidence intervals of means over few seeds: Student's t, never a bootstrap. No torch.

A bootstrap of three values covers the mean about three times in four where it says 95%; Student's interval
has its nominal coverage for any number of seeds from two on, as far as they are normally distributed.
"""

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean
from typing import NamedTuple

from scipy.special import stdtrit  # type: ignore[import-untyped, unused-ignore]

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A confidence interval, both ends in the unit of the number that it belongs to.

    Attributes:
        low: The lower end.
        high: The upper end.

    Example:
        >>> interval = board.row("dwf-3").hypervolume_interval
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.574, 0.588)
    """

    low: float
    high: float


def deviation(values: Sequence[float]) -> float:
    """Returns the sample standard deviation, n − 1 in the denominator.

    `statistics.stdev` computes in fractions, which is slow over thousands of points.

    Args:
        values: Two numbers or more.

    Returns:
        The standard deviation, in the unit of the values.

    Example:
        >>> deviation([1.0, 2.0, 3.0])
        1.0
    """
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


@cache
def quantile(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Returns how many standard errors a two-sided t-interval reaches to either side of its centre.

    Args:
        freedom: Degrees of freedom; n − 1 for a mean of n values.
        confidence: Coverage of the interval, 0.95 for 95%.

    Returns:
        The quantile of Student's t at (1 + confidence)/2.

    Example:
        >>> round(quantile(2), 3)  # three seeds
        4.303
    """
    return float(stdtrit(freedom, (1 + confidence) / 2))


def t_interval(
    values: Sequence[float],
    centre: float | None = None,
    least: float = -math.inf,
    most: float = math.inf,
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """Returns the t-interval centre ± t(n−1)·s/√n over n independent values, cut at what is possible.

    Args:
        values: The values, one a seed or task.
        centre: The number reported; their mean, unless it was computed of them in another way, as the
            hypervolume of a front of means is.
        least: The smallest possible value, at which the interval is cut.
        most: The largest possible value.
        confidence: Coverage of the interval, 0.95 for 95%.

    Returns:
        The interval; None below two values.

    Example:
        >>> low, high = t_interval([0.97, 0.98, 0.99], most=1.0)  # 0.98 ± 4.303 · 0.01 / √3
        >>> round(low, 4), high
        (0.9552, 1.0)
    """
    if len(values) < 2:
        return None
    middle = fmean(values) if centre is None else centre
    half = quantile(len(values) - 1, confidence) * deviation(values) / math.sqrt(len(values))
    return Interval(max(middle - half, least), min(middle + half, most))
