"""Intervals that are honest for a handful of seeds: Student's t, never a bootstrap. No torch.

A bootstrap of three values covers the mean about three times in four where it says 95%; Student's interval
covers what it says for any number of seeds from two on, as far as they scatter normally.
"""

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean
from typing import NamedTuple

from scipy.special import stdtrit  # type: ignore[import-untyped, unused-ignore]

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A confidence interval, both ends in the unit of the number that it belongs to."""

    low: float
    high: float


def deviation(values: Sequence[float]) -> float:
    """Sample standard deviation; `statistics.stdev` reckons in fractions, which thousands of points feel."""
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


@cache
def quantile(freedom: float, confidence: float = CONFIDENCE) -> float:
    """How many standard errors Student's two-sided interval reaches: 4.303 for two degrees of freedom."""
    return float(stdtrit(freedom, (1 + confidence) / 2))


def t_interval(
    values: Sequence[float],
    centre: float | None = None,
    least: float = -math.inf,
    most: float = math.inf,
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """centre ± t(n−1)·s/√n over n independent values, cut at what is possible; None below two values.

    `centre` is the mean unless the number that is reported was made of the values in another way, as the
    hypervolume of a front of means is.
    """
    if len(values) < 2:
        return None
    middle = fmean(values) if centre is None else centre
    half = quantile(len(values) - 1, confidence) * deviation(values) / math.sqrt(len(values))
    return Interval(max(middle - half, least), min(middle + half, most))
