"""Which layers a method empties: the density of each layer at about the same compression."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..analysis.boards import TaskLeaderboard
from ..analysis.points import Point, SeedResult
from ..formatting import format_ratio, label, shortened, unique_labels
from .canvas import WIDTH, new_figure
from .heatmap import draw_heat, name_columns, name_rows

TARGETS = (10, 30)
NEAR = math.log10(2)  # a point within a factor of two of the target stands for it
LEAST = 1e-4  # lower densities have the colour of this one
WRAP = 60  # characters of a line above a panel


def alive(point: Point) -> list[SeedResult]:
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
            found.setdefault(layer.name, []).append(layer.nonzeros / max(layer.size, 1))
    return {name: fmean(values) for name, values in found.items()}


@dataclass(frozen=True)
class Panel:
    """The entries near a compression, best first, each with its point; and why the others are not there."""

    target: int
    near: list[tuple[str, Point]]
    absent: list[str]

    @property
    def height(self) -> float:
        """Inches."""
        return 0.9 + 0.2 * len(self.near) + 0.13 * len(self.absent)


def panel_of(board: TaskLeaderboard, target: int) -> Panel:
    """An entry a row; `absent` are lines such as `no point within a factor of two: dwf-3, spred`."""
    ranked = [row.entry for row in board.rows if not row.baseline]
    chosen = [(entry, nearest(board.points[entry], target)) for entry in ranked]
    reasons: dict[str, list[str]] = {}
    short = unique_labels(ranked)
    for entry, point in chosen:
        if point is None:
            reasons.setdefault(_why_absent(board.points[entry]), []).append(label(short[entry]))
    absent = [
        line
        for why, names in reasons.items()
        for line in wrap(f"{why}: {', '.join(names)}", WRAP, break_on_hyphens=False)
    ]
    return Panel(target, [(entry, point) for entry, point in chosen if point is not None], absent)


def _why_absent(points: Sequence[Point]) -> str:
    if any(alive(point) for point in points):
        return "no point within a factor of two"
    if not points:
        return "no result"
    diverged = all(o.diverged for point in points for o in point.outcomes)
    return "diverged" if diverged else "no layers in the records"


def draw_density(board: TaskLeaderboard) -> Figure | None:
    """A heat map for each of compression 10 and 30, an entry a row; None without layers near them."""
    every = [panel_of(board, target) for target in TARGETS]
    panels = [panel for panel in every if panel.near]
    if not panels:
        return None
    names = list(dict.fromkeys(n for panel in panels for _, point in panel.near for n in densities(point)))
    tables = [_table(panel, names) for panel in panels]
    shown = _without_common_end(names)
    tall = [panel.height for panel in panels]
    none = [str(panel.target) for panel in every if not panel.near]
    figure = new_figure(WIDTH, sum(tall) + 0.3 + 0.2 * len(none) + 0.055 * max(map(len, shown)))
    grid = figure.subplots(
        len(panels), 1, height_ratios=[len(panel.near) for panel in panels], squeeze=False
    )[:, 0]
    lowest = least(tables)
    for axes, panel, table in zip(grid, panels, tables, strict=True):
        _draw(axes, panel, table, lowest)
    name_columns(grid[-1], [label(shortened(name)) for name in shown])
    _bar(figure, list(grid), tables, lowest, min(1, 2.5 / sum(tall)))
    title = f"{label(board.task)}: nonzero weights left in each layer (%)"
    said = [f"no entry has layers near compression {target}" for target in none]
    figure.suptitle("\n".join([title, *said]), x=0.01, ha="left", fontsize=10)
    return figure


def _table(panel: Panel, names: Sequence[str]) -> NDArray[np.float64]:
    found = [densities(point) for _, point in panel.near]
    return np.array([[of.get(name, np.nan) for name in names] for of in found], dtype=np.float64)


def least(tables: Sequence[NDArray[np.float64]]) -> float:
    """Where the colours begin: the lowest density but zero, down to 1 or 3 of its decade; at most a tenth."""
    positive = [float(d) for table in tables for d in table.flat if d > 0]
    low = min(max(min(positive, default=1.0), LEAST), 0.1)
    decade: float = 10.0 ** math.floor(math.log10(low) + 1e-9)
    return 3 * decade if low >= 3 * decade * (1 - 1e-9) else decade


def _bar(
    figure: Figure, grid: Sequence[Axes], tables: Sequence[NDArray[np.float64]], lowest: float, shrink: float
) -> None:
    bar = figure.colorbar(grid[0].collections[0], ax=grid, pad=0.01, shrink=shrink)
    between = (1, 3) if lowest >= 1e-2 else (1,)
    marks = [m * 10**e for e in range(-4, 1) for m in between if lowest * (1 - 1e-9) <= m * 10**e <= 1]
    ticks = list(dict.fromkeys([lowest, *marks]))
    below = any((table < lowest * (1 - 1e-9)).any() for table in tables)
    texts = [f"{100 * tick:g}" for tick in ticks]
    bar.set_ticks([math.log10(t) for t in ticks], labels=[f"≤{texts[0]}" if below else texts[0], *texts[1:]])
    bar.set_label("density (%)", fontsize=8)
    bar.ax.tick_params(labelsize=7)


def _without_common_end(names: Sequence[str]) -> list[str]:
    """Layers without the `.weight` that all of them end in, unless bare numbers would be left."""
    short = [name.removesuffix(".weight") for name in names]
    same = all(a != b and not b.isdecimal() for a, b in zip(names, short, strict=True))
    return short if same else list(names)


def _draw(axes: Axes, panel: Panel, table: NDArray[np.float64], lowest: float) -> None:
    darkest = math.log10(lowest)
    draw_heat(
        axes, np.log10(np.maximum(table, lowest)), (darkest, 0.0), "cividis",
        said=lambda row, column: _short(float(table[row, column])),
        dark_from=lambda shade: shade < 0.55 * darkest,
    )  # fmt: skip
    short = unique_labels(entry for entry, _ in panel.near)
    name_rows(
        axes, [f"{label(short[entry])}  ({format_ratio(10 ** x_of(point))})" for entry, point in panel.near]
    )
    title = f"compression near {panel.target} (each entry's own in brackets)"
    axes.set_title("\n".join([title, *panel.absent]), loc="left", y=1.0, fontsize=7.5)


def _short(density: float) -> str:
    """A density in percent with two significant digits: 100, 8.1, 0.25, 0."""
    value = 100 * density
    if value == 0:
        return "0"
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"
