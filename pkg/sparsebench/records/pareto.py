"""Fronts of (log10 compression, accuracy) points, and the numbers read off them. Plain Python, no torch.

A point is `(x, y)` with x = log10 compression and y = accuracy as a fraction. A point is dominated when
another has x' ≥ x and y' ≥ y with one of the two strict; of equal points the first is kept.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeVar, overload

XY = tuple[float, float]
T = TypeVar("T")

X_MAX = 3.0
SLACK = 1e-9  # accuracies are means of ratios of counts: 0.96 - 0.05 must still admit 0.91
LEARNED = 0.01  # a dense network less than a point above chance is no measure of others


def _itself(item: Any) -> XY:
    return item[0], item[1]


@overload
def front(points: Iterable[XY]) -> list[XY]: ...
@overload
def front(points: Iterable[T], key: Callable[[T], XY]) -> list[T]: ...
def front(points: Iterable[Any], key: Callable[[Any], XY] = _itself) -> list[Any]:
    """The points that no other dominates, by rising compression (and so by falling accuracy).

    `points` are `(x, y)` pairs, or anything that `key` turns into one.
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
    """At most `k` of the points, spread evenly over log compression, by rising compression.

    The points chosen are those nearest, in the sum of squares and each used once, to `k` equally spaced
    targets between the least and the largest compression. For k ≥ 2 both ends are kept; for k = 1 the
    point nearest the middle is. Equal sums go to the smaller compression, so the choice is determined.
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
    """Indices of `xs`, one a target and in order, with the least sum of squared distances.

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
    """The area that the points dominate above and to the right of `reference`, x clipped to `x_max`.

    In accuracy × decades of compression. Points not better than the reference in both coordinates add
    nothing. `reference` is (0, chance) on a leaderboard.
    """
    left, floor = reference
    clipped = ((min(x, x_max), y) for x, y in points)
    area = 0.0
    for x, y in front((x, y) for x, y in clipped if x > left and y > floor):
        area += (x - left) * (y - floor)
        left = x
    return area


def hypervolume_scale(chance: float, dense: float | None, x_max: float = X_MAX) -> float | None:
    """x_max·(dense − chance), what normalises a hypervolume; None where dense is not a point above chance."""
    if dense is None or dense < chance + LEARNED - SLACK or x_max <= 0:
        return None
    return x_max * (dense - chance)


def normalised_hypervolume(
    points: Iterable[XY], chance: float, dense: float | None, x_max: float = X_MAX
) -> float | None:
    """Hypervolume over its scale: 1 is the dense accuracy kept up to 10^x_max.

    None where there is no scale. Above 1 when sparse beats dense.
    """
    scale = hypervolume_scale(chance, dense, x_max)
    return None if scale is None else hypervolume(points, (0.0, chance), x_max) / scale


def accuracy_at(points: Iterable[XY], compression: float) -> float | None:
    """The front's accuracy at a compression, linear in log10 compression between adjacent points.

    Below the front's least compression its first point's accuracy; above its largest None.
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
    """The largest compression (a ratio, not its log) measured with accuracy ≥ `floor`, else None.

    Measured points only: between two points nothing was trained, so nothing is claimed to hold there.
    """
    reached = [x for x, y in points if y >= floor - SLACK]
    return 10 ** max(reached) if reached else None
