"""Pareto fronts of (log10 compression, accuracy) points, and the numbers read off them. No torch.

A point is `(x, y)` with x = log10 compression and y = accuracy as a fraction. A point is dominated when
another has x' ≥ x and y' ≥ y with one of the two strict; of equal points the first stays.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeVar, overload

from ..learning import learned

XY = tuple[float, float]
T = TypeVar("T")

X_MAX = 3.0
SLACK = 1e-9  # for rounding errors: a floor of 0.96 - 0.05 must still admit an accuracy of 0.91


def _itself(item: Any) -> XY:
    return item[0], item[1]


@overload
def front(points: Iterable[XY]) -> list[XY]: ...
@overload
def front(points: Iterable[T], key: Callable[[T], XY]) -> list[T]: ...
def front(points: Iterable[Any], key: Callable[[Any], XY] = _itself) -> list[Any]:
    """Returns the points that no other point dominates, by rising compression and so by falling accuracy.

    Args:
        points: `(x, y)` pairs, or items of any kind with a `key`.
        key: Turns an item into its `(x, y)` pair; by default the item is one.

    Returns:
        The items on the front.

    Example:
        >>> front([(0, 0.90), (1, 0.80), (1, 0.70), (2, 0.85)])  # 2 decades at 85% dominate 1 decade at 80%
        [(0, 0.9), (2, 0.85)]
    """
    kept: list[Any] = []
    best = -math.inf
    for (_, y), item in _by_falling_compression(points, key):
        if y > best:
            kept.append(item)
            best = y
    return kept[::-1]


def _by_falling_compression(points: Iterable[Any], key: Callable[[Any], XY]) -> list[tuple[XY, Any]]:
    pairs = [(key(item), item) for item in points]
    return sorted(pairs, key=lambda pair: (-pair[0][0], -pair[0][1]))


@overload
def spread(points: Sequence[XY], k: int) -> list[XY]: ...
@overload
def spread(points: Sequence[T], k: int, key: Callable[[T], XY]) -> list[T]: ...
def spread(points: Sequence[Any], k: int, key: Callable[[Any], XY] = _itself) -> list[Any]:
    """Returns at most `k` of the points, spread evenly over log compression.

    The points chosen are those nearest, in the sum of squares and each used once, to `k` equally spaced
    targets between the least and the largest compression. For k ≥ 2 both ends are among them; for k = 1 it
    is the point nearest the middle. Equal sums go to the smaller compression, so the choice is determined.

    Args:
        points: `(x, y)` pairs, or items of any kind with a `key`; usually a front.
        k: The most points to choose; all of them where there are no more, and none for k < 1.
        key: Turns an item into its `(x, y)` pair; by default the item is one.

    Returns:
        The items chosen, by rising compression.

    Example:
        >>> spread([(0, 0.9), (0.2, 0.9), (1.1, 0.8), (2, 0.7)], k=3)  # the targets are x = 0, 1 and 2
        [(0, 0.9), (1.1, 0.8), (2, 0.7)]
    """
    items = sorted(points, key=lambda item: key(item)[0])
    if len(items) <= k or k < 1:
        return items[: max(k, 0)]
    xs = [key(item)[0] for item in items]
    if k == 1:
        middle = (xs[0] + xs[-1]) / 2
        return [min(items, key=lambda item: abs(key(item)[0] - middle))]
    step = (xs[-1] - xs[0]) / (k - 1)
    inner = _match(xs[1:-1], [xs[0] + i * step for i in range(1, k - 1)])
    return [items[0], *(items[1 + i] for i in inner), items[-1]]


def _match(xs: Sequence[float], targets: Sequence[float]) -> list[int]:
    """Returns indices of `xs`, one for each target and in order, with the least sum of squared distances.

    Dynamic programming: cost[j] is the least cost of the targets so far with the last of them at xs[j].
    """
    cost = [0.0] * len(xs)
    came_from: list[list[int]] = []
    for number, target in enumerate(targets):
        row, origin = [math.inf] * len(xs), [-1] * len(xs)
        best, best_at = (0.0, -1) if number == 0 else (math.inf, -1)
        for j, x in enumerate(xs):
            row[j], origin[j] = best + (x - target) ** 2, best_at
            if number and cost[j] < best:
                best, best_at = cost[j], j
        cost = row
        came_from.append(origin)
    if not targets:
        return []
    at = min(range(len(xs)), key=cost.__getitem__)
    chosen = [at]
    for origin in reversed(came_from[1:]):
        at = origin[at]
        chosen.append(at)
    return chosen[::-1]


def hypervolume(points: Iterable[XY], reference: XY = (0.0, 0.0), x_max: float = X_MAX) -> float:
    """Returns the area that the points dominate above and right of `reference`, with x clipped to `x_max`.

    Points not better than the reference in both coordinates add nothing.

    Args:
        points: `(x, y)` pairs; they need not be a front.
        reference: The corner from which the area is measured; (0, chance accuracy) on a leaderboard.
        x_max: The log10 compression beyond which more compression counts no more.

    Returns:
        The area in accuracy × decades of compression.

    Example:
        >>> hypervolume([(1, 0.75), (2, 0.5)], reference=(0, 0.25))  # 1·(0.75 − 0.25) + 1·(0.5 − 0.25)
        0.75
        >>> hypervolume([(4, 0.75)], reference=(0, 0.25), x_max=3.0)
        1.5
    """
    left, floor = reference
    clipped = ((min(x, x_max), y) for x, y in points)
    area = 0.0
    for x, y in front((x, y) for x, y in clipped if x > left and y > floor):
        area += (x - left) * (y - floor)
        left = x
    return area


def hypervolume_scale(chance: float, dense: float | None, x_max: float = X_MAX) -> float | None:
    """Returns x_max·(dense − chance), the hypervolume of the dense accuracy retained up to 10^x_max.

    Args:
        chance: Accuracy of guessing.
        dense: Accuracy of the dense network; None where there is none.
        x_max: The log10 compression at which hypervolumes are cut off.

    Returns:
        The divisor that normalises a hypervolume; None where the dense accuracy is missing or that of a
        network that has learned nothing, as no other method can be measured against it.

    Example:
        >>> hypervolume_scale(chance=0.25, dense=0.75, x_max=3.0)
        1.5
        >>> print(hypervolume_scale(chance=0.25, dense=0.28))
        None
    """
    if dense is None or not learned(dense, chance) or x_max <= 0:
        return None
    return x_max * (dense - chance)


def normalised_hypervolume(
    points: Iterable[XY], chance: float, dense: float | None, x_max: float = X_MAX
) -> float | None:
    """Returns the hypervolume above (0, chance), divided by `hypervolume_scale`.

    Args:
        points: `(x, y)` pairs; they need not be a front.
        chance: Accuracy of guessing.
        dense: Accuracy of the dense network; None where there is none.
        x_max: The log10 compression at which the hypervolume is cut off.

    Returns:
        1 where the dense accuracy is retained up to 10^x_max, above 1 where sparse networks exceed it, and
        None where there is no scale.

    Example:
        >>> normalised_hypervolume([(1.5, 0.75)], chance=0.25, dense=0.75, x_max=3.0)  # half the decades
        0.5
    """
    scale = hypervolume_scale(chance, dense, x_max)
    return None if scale is None else hypervolume(points, (0.0, chance), x_max) / scale


def accuracy_at(points: Iterable[XY], compression: float) -> float | None:
    """Returns the front's accuracy at a compression, interpolated linearly in log10 compression.

    Args:
        points: `(x, y)` pairs; they need not be a front.
        compression: The compression as a ratio, not as its logarithm.

    Returns:
        The accuracy: the first point's below the least compression of the front, and None above the largest.

    Example:
        >>> points = [(0, 1.0), (2, 0.5)]  # accuracy 1.0 at 1×, 0.5 at 100×
        >>> accuracy_at(points, 10), accuracy_at(points, 1000)
        (0.75, None)
    """
    line = front(points)
    x = math.log10(compression)
    if not line or x > line[-1][0] + SLACK:
        return None
    if x <= line[0][0]:
        return line[0][1]
    for (x0, y0), (x1, y1) in pairwise(line):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return line[-1][1]


def compression_at(points: Iterable[XY], floor: float) -> float | None:
    """Returns the largest compression measured with accuracy ≥ `floor`.

    Only measured points count: between two points nothing was trained, so nothing is claimed there.

    Args:
        points: `(x, y)` pairs; they need not be a front.
        floor: The least accuracy that is acceptable, a fraction.

    Returns:
        The compression as a ratio, not as its logarithm; None where no point reaches the floor.

    Example:
        >>> compression_at([(0.0, 0.9), (1.0, 0.8), (2.0, 0.7)], floor=0.75)
        10.0
    """
    reached = [x for x, y in points if y >= floor - SLACK]
    return 10 ** max(reached) if reached else None
