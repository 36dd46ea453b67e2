"""Which layers a method empties: the density of each layer at about the same compression."""

import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .canvas import WIDTH, new_figure
from .heat import draw_heat, name_columns, name_rows
from .points import Outcome, Point
from .rows import Board
from .text import label, ratio, shortened

TARGETS = (10, 30)
NEAR = math.log10(2)  # a point within a factor of two of the target stands for it
LEAST = 1e-4


def alive(point: Point) -> list[Outcome]:
    """The seeds of a point that did not diverge and say what is left of their layers."""
    return [o for o in point.outcomes if o.record.layers and not o.diverged]


def x_of(point: Point) -> float:
    """Mean log10 compression of those seeds, whose layers are shown."""
    return fmean(o.x for o in alive(point))


def nearest(points: Sequence[Point], target: float) -> Point | None:
    """The point nearest to a compression on the log scale, within a factor of two, that has its layers."""
    x = math.log10(target)
    near = [p for p in points if alive(p) and abs(x_of(p) - x) <= NEAR]
    return min(near, key=lambda p: (abs(x_of(p) - x), p.key)) if near else None


def densities(point: Point) -> dict[str, float]:
    """Nonzeros over size of each layer, the mean over seeds that did not diverge; input to output."""
    found: dict[str, list[float]] = {}
    for outcome in alive(point):
        for layer in outcome.record.layers:
            found.setdefault(layer.name, []).append(layer.nonzeros / max(math.prod(layer.shape), 1))
    return {name: fmean(values) for name, values in found.items()}


def draw_density(board: Board) -> Figure | None:
    """A heat map for each of compression 10 and 30, an entry a row; None without layers near them."""
    panels = []
    for target in TARGETS:
        ranked = [row.entry for row in board.rows if not row.baseline]
        chosen = [(entry, nearest(board.points[entry], target)) for entry in ranked]
        near = [(entry, point) for entry, point in chosen if point is not None]
        if near:
            panels.append((target, near))
    if not panels:
        return None
    names = list(dict.fromkeys(n for _, near in panels for _, point in near for n in densities(point)))
    tall = [0.9 + 0.2 * len(near) for _, near in panels]
    shown = _without_common_end(names)
    figure = new_figure(WIDTH, sum(tall) + 0.3 + 0.055 * max(map(len, shown)))
    grid = figure.subplots(len(panels), 1, height_ratios=tall, squeeze=False)[:, 0]
    for axes, (target, near) in zip(grid, panels, strict=True):
        _panel(axes, target, near, names)
    name_columns(grid[-1], [label(shortened(name)) for name in shown])
    bar = figure.colorbar(grid[0].collections[0], ax=list(grid), pad=0.01, shrink=min(1, 2.5 / sum(tall)))
    bar.set_ticks([-4, -3, -2, -1, 0], labels=["≤0.01", "0.1", "1", "10", "100"])
    bar.set_label("density (%)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(
        f"{label(board.task)}: nonzero weights left in each layer (%)", x=0.01, ha="left", fontsize=10
    )
    return figure


def _without_common_end(names: Sequence[str]) -> list[str]:
    """Layers without the `.weight` that all of them end in, unless bare numbers would be left."""
    short = [name.removesuffix(".weight") for name in names]
    same = all(a != b and not b.isdecimal() for a, b in zip(names, short, strict=True))
    return short if same else list(names)


def _panel(axes: Axes, target: int, near: Sequence[tuple[str, Point]], names: Sequence[str]) -> None:
    found = [densities(point) for _, point in near]
    table: NDArray[np.float64] = np.array(
        [[of.get(name, np.nan) for name in names] for of in found], dtype=np.float64
    )
    darkest = math.log10(LEAST)
    draw_heat(
        axes, np.log10(np.maximum(table, LEAST)), (darkest, 0.0), "cividis",
        said=lambda row, column: _short(float(table[row, column])),
        dark_from=lambda shade: shade < 0.55 * darkest,
    )  # fmt: skip
    name_rows(axes, [f"{label(shortened(entry))}  ({ratio(10 ** x_of(point))})" for entry, point in near])
    axes.set_title(f"compression near {target} (each entry's own in brackets)", loc="left", y=1.0, fontsize=8)


def _short(density: float) -> str:
    """A density in percent with two significant digits: 100, 8.1, 0.25, 0."""
    value = 100 * density
    if value == 0:
        return "0"
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"
