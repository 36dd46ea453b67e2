"""The accuracy scale of the plots: two linear pieces, most of the height for the upper one. No matplotlib."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..learning import learned

LOWER = 0.2  # the compressed range's share of the axis
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)  # tick distances, as fractions


@dataclass(frozen=True)
class Focus:
    """A piecewise linear accuracy axis: a compressed range below the bend, an expanded one above it.

    Accuracies from `bottom` to `bend` take the lowest fifth (`LOWER`) of the height, those from `bend` to
    `top` take the rest; values outside continue the nearer piece.

    Attributes:
        bottom: Accuracy (a fraction) at the lower end of the axis, height 0.
        bend: Accuracy at which the slope changes, height 0.2.
        top: Accuracy at the upper end of the axis, height 1; slightly above 1 where the best is near 1.

    Example:
        >>> Focus(bottom=0.0, bend=0.9, top=1.0).forward([0.0, 0.45, 0.9, 0.95, 1.0])
        array([0. , 0.1, 0.2, 0.6, 1. ])
    """

    bottom: float
    bend: float
    top: float

    def forward(self, values: ArrayLike) -> NDArray[np.float64]:
        """Returns the heights, as fractions of the axis, of accuracies."""
        y = np.asarray(values, dtype=np.float64)
        below = (y - self.bottom) * (LOWER / (self.bend - self.bottom))
        above = LOWER + (y - self.bend) * ((1 - LOWER) / (self.top - self.bend))
        return np.where(y < self.bend, below, above)

    def inverse(self, values: ArrayLike) -> NDArray[np.float64]:
        """Returns the accuracies at heights: the inverse of `forward`."""
        v = np.asarray(values, dtype=np.float64)
        below = self.bottom + v * ((self.bend - self.bottom) / LOWER)
        above = self.bend + (v - LOWER) * ((self.top - self.bend) / (1 - LOWER))
        return np.where(v < LOWER, below, above)


def focus_on(accuracies: Sequence[float], chance: float, dense: float | None, lowest: float = 1.0) -> Focus:
    """Returns the scale that expands the range from the best accuracy down past most of the others.

    The expanded range ends 2.5 times the median loss below the best accuracy (the largest of the points and
    dense), at least a tenth (and two points of accuracy) and at most six tenths of the way to chance, on a
    tick. The median is over networks that have learned something: the others do not widen the range.

    Args:
        accuracies: Mean accuracies, as fractions, whose range is to be expanded: those of the fronts.
        chance: Chance accuracy, which the axis shows in its compressed range.
        dense: Accuracy of the dense baseline; None without one.
        lowest: The smallest accuracy drawn at all; the axis reaches down to it.

    Returns:
        The scale, from at most `lowest` and chance to just above the best accuracy.

    Example:
        >>> focus_on([0.9, 0.8, 0.7], chance=0.1, dense=None)  # median loss 0.1: bend 0.25 below the best
        Focus(bottom=0.0, bend=0.65, top=0.92)
    """
    best = max([*accuracies, chance + 1e-3, *([dense] if dense is not None else [])])
    alive = sorted(y for y in accuracies if learned(y, chance)) or [best]
    loss = 2.5 * (best - alive[len(alive) // 2])
    whole = best - chance
    bend = best - min(max(loss, 0.1 * whole, 0.02), 0.6 * whole)
    bend = _on_a_tick(bend, best)
    bottom = max(0.0, min(chance - 0.15 * whole, lowest, *accuracies))
    if bend <= chance + 0.05 * whole:
        bend = chance + 0.3 * whole
    top = min(best + 0.08 * (best - bend), max(1.0, best) + 0.02 * (best - bend))
    return Focus(bottom, bend, top)


def _on_a_tick(bend: float, best: float) -> float:
    """The bend rounded down to a tick, repeated while the wider range needs a larger tick distance."""
    for _ in STEPS:
        step = _step(1.08 * (best - bend))
        bend, before = math.floor(bend / step + 1e-9) * step, bend
        if bend == before:
            break
    return bend


def _step(span: float) -> float:
    """The smallest tick distance that divides the span into at most 6.5 parts."""
    return next((step for step in STEPS if span / step <= 6.5), STEPS[-1])
