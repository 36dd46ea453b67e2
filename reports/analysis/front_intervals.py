"""Intervals of what is read off a front: accuracy at a compression, compression at an accuracy. No torch."""

import math
from collections.abc import Sequence
from itertools import pairwise

from ...records.pareto import accuracy_at, front
from ..statistics.intervals import Interval, t_interval
from .points import Point, SeedResult

SLACK = 1e-9  # as in pareto: means of ratios of counts


def accuracy_interval(points: Sequence[Point], compression: float) -> Interval | None:
    """Returns the 95% t-interval of the front's accuracy at a compression.

    The accuracy is linear in the two points of the front of means around it, so each seed has a value of its
    own: the front's, plus the interpolated deviations of the seed's accuracies from their means, minus (to
    first order) the slope times those of its log compressions.

    Args:
        points: The operating points of one entry.
        compression: The compression, a ratio.

    Returns:
        The interval; None for provisional points, beyond the largest compression of the front, and where the
        points around it have fewer than two seeds in common.

    Example:
        >>> [round(end, 3) for end in accuracy_interval(board.points["dwf-3"], compression=64)]
        [0.741, 0.8]
    """
    # The front's own accuracy, the centre of the interval
    line = front(points, lambda p: p.xy)
    value = accuracy_at([p.xy for p in line], compression)
    if value is None or points[0].source != "test":
        return None
    # At an end of the front: the spread of that point alone
    x = math.log10(compression)
    around = next(((a, b) for a, b in pairwise(line) if a.x.mean < x <= b.x.mean), None)
    if around is None:
        edge = line[0] if x <= line[0].x.mean else line[-1]
        return t_interval([o.accuracy for o in edge.outcomes], value, 0.0, 1.0)
    # Between two points: one value a seed that both have
    (x0, y0), (x1, y1) = (p.xy for p in around)
    slope, weight = (y1 - y0) / (x1 - x0), (x - x0) / (x1 - x0)
    moved = [
        value
        + (1 - weight) * (first.accuracy - y0 - slope * (first.x - x0))
        + weight * (second.accuracy - y1 - slope * (second.x - x1))
        for first, second in _shared(*around)
    ]
    return t_interval(moved, value, 0.0, 1.0)


def _shared(first: Point, second: Point) -> list[tuple[SeedResult, SeedResult]]:
    """The outcomes of two points that have the same seed."""
    seeds = {o.seed: o for o in second.outcomes}
    return [(o, seeds[o.seed]) for o in first.outcomes if o.seed in seeds]


def within_interval(points: Sequence[Point], floor: float) -> Interval | None:
    """Returns the interval of the largest compression with accuracy of at least `floor`.

    It goes from the largest compression that surely reaches the floor (the whole t-interval of the point's
    accuracy does) to the largest that possibly does (some of it does); 1, that of dense, where none does.

    Args:
        points: The operating points of one entry.
        floor: The accuracy to reach, such as dense accuracy minus a tolerance.

    Returns:
        The interval, in compression; None where a point of the front of means has a single seed.

    Example:
        >>> [round(end, 1) for end in within_interval(board.points["dwf-3"], floor=board.dense - 0.05)]
        [13.0, 13.6]
    """
    if any(len(p.outcomes) < 2 for p in front(points, lambda p: p.xy)):
        return None
    found = [(p.accuracy_interval, p.compression_interval) for p in points]
    known = [(y, x) for y, x in found if y is not None and x is not None]
    if not known:
        return None
    sure = [x.low for y, x in known if y.low >= floor - SLACK]
    possible = [x.high for y, x in known if y.high >= floor - SLACK]
    return Interval(max(sure, default=1.0), max(possible, default=1.0))
