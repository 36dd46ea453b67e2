"""The accuracy scale: most of its height for the range that matters, chance in the rest. No matplotlib."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOWER = 0.2  # the compressed range's share of the axis


STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Focus:
    """Accuracies from `bottom` to `bend` take `LOWER` of the height, from `bend` to `top` the rest."""

    bottom: float
    bend: float
    top: float

    def forward(self, values: ArrayLike) -> NDArray[np.float64]:
        y = np.asarray(values, dtype=np.float64)
        below = (y - self.bottom) * (LOWER / (self.bend - self.bottom))
        above = LOWER + (y - self.bend) * ((1 - LOWER) / (self.top - self.bend))
        return np.where(y < self.bend, below, above)

    def inverse(self, values: ArrayLike) -> NDArray[np.float64]:
        v = np.asarray(values, dtype=np.float64)
        below = self.bottom + v * ((self.bend - self.bottom) / LOWER)
        above = self.bend + (v - LOWER) * ((self.top - self.bend) / (1 - LOWER))
        return np.where(v < LOWER, below, above)


def focus_on(accuracies: Sequence[float], chance: float, dense: float | None, lowest: float = 1.0) -> Focus:
    """The range that matters: from dense (or the best) down past most of the accuracies that live.

    It reaches to 2.5 times the median loss, but not less than a tenth or more than six tenths of the way
    to chance. The axis itself goes down to chance and to `lowest`.
    """
    best = max([*accuracies, chance + 1e-3, *([dense] if dense is not None else [])])
    alive = sorted(y for y in accuracies if y > 1.5 * chance) or [best]
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
    """The tick at or below: going down may ask for a wider tick distance, and so for going down again."""
    for _ in STEPS:
        step = _step(1.08 * (best - bend))
        bend, before = math.floor(bend / step + 1e-9) * step, bend
        if bend == before:
            break
    return bend


def _step(span: float) -> float:
    """A tick distance that gives three to seven ticks."""
    return next((step for step in STEPS if span / step <= 6.5), STEPS[-1])
