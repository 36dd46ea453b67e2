"""The density of each layer at about the same compression: a heat map that shows which layers are pruned."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...records.record import Record
from ..analysis.leaderboard import TaskLeaderboard
from ..analysis.points import Point
from ..formatting import format_ratio, label, shortened, unique_labels
from ..style import left_out, pictured
from .canvas import WIDTH, new_figure
from .heatmap import draw_heat, name_columns, name_rows

TARGETS = (10.0, 30.0)
NEAR = math.log10(2)  # a point within a factor of two of a target is shown for it
LEAST = 1e-4  # lower densities have this one's colour
WRAP = 60  # most characters of a line above a panel


@dataclass(frozen=True)
class PrunedPoint:
    """A point of an entry with the densities of its layers, over the seeds that did not diverge.

    Attributes:
        point: The point.
        x: Mean log10 compression of the seeds whose records list their layers.
        densities: Mean over them of the density (nonzeros / size) by the layer's name, from input to output.

    Example:
        >>> found = pruned_point(board.points["dwf-3"][1], board.whole)
        >>> f"{10**found.x:.1f}", {name: f"{density:.1%}" for name, density in found.densities.items()}
        ('13.3', {'fc1': '7.5%', 'fc2': '22.6%', 'fc3': '37.6%'})
    """

    point: Point
    x: float
    densities: Mapping[str, float]


def pruned_point(point: Point, whole: Callable[[Record], Record]) -> PrunedPoint | None:
    """Returns a point with the densities of its layers.

    Args:
        point: A configuration with one or more seeds.
        whole: Returns the record of a seed with its layers.

    Returns:
        The point; None where all its seeds diverged, or no record lists its layers.

    Example:
        >>> pruned_point(board.points["dense"][0], board.whole).densities
        {'fc1': 1.0, 'fc2': 1.0, 'fc3': 1.0}
    """
    xs, found = list[float](), dict[str, list[float]]()
    for outcome in point.outcomes:
        layers = () if outcome.diverged else whole(outcome.record).layers
        for layer in layers:
            found.setdefault(layer.name, []).append(layer.nonzeros / max(layer.size, 1))
        xs += [outcome.x] if layers else []
    return PrunedPoint(point, fmean(xs), {n: fmean(values) for n, values in found.items()}) if xs else None


def nearest(points: Sequence[Point], target: float, whole: Callable[[Record], Record]) -> PrunedPoint | None:
    """Returns the point nearest to a compression on the log scale, within a factor of two of it.

    Args:
        points: An entry's points; those without layers in their records are passed over.
        target: The compression, as a ratio.
        whole: Returns the record of a seed with its layers.

    Returns:
        The point, or None where none is so near. Its compression is taken over the seeds that did not
        diverge, whose layers are shown.

    Example:
        >>> [f"{point.compression:.1f}" for point in board.points["dwf-3"]]
        ['1.6', '13.3', '112.1', '964.2']
        >>> nearest(board.points["dwf-3"], 10, board.whole).point is board.points["dwf-3"][1]
        True
        >>> nearest(board.points["dwf-3"], 30, board.whole) is None
        True
    """
    x = math.log10(target)
    # Read only what can be near: a mean over seeds lies between them.
    around = [p for p in points if min(o.x for o in p.outcomes) <= x + NEAR]
    around = [p for p in around if max(o.x for o in p.outcomes) >= x - NEAR]
    found = [pruned for pruned in (pruned_point(p, whole) for p in around) if pruned is not None]
    near = [pruned for pruned in found if abs(pruned.x - x) <= NEAR]
    return min(near, key=lambda p: (abs(p.x - x), p.point.key)) if near else None


@dataclass(frozen=True)
class _Panel:
    """One heat map: the entries with a point near a compression, best first, and why others are absent.

    Attributes:
        target: The compression.
        near: The entries shown, each with the point nearest to `target`.
        absent: Lines such as `no point within a factor of two: dwf-3, spred`.
    """

    target: float
    near: list[tuple[str, PrunedPoint]]
    absent: list[str]

    @property
    def height(self) -> float:
        """The height of the panel in the figure, in inches."""
        return 0.9 + 0.2 * len(self.near) + 0.13 * len(self.absent)


def targets(board: TaskLeaderboard) -> list[float]:
    """Returns the compressions near which layers are shown: two of the common ones, else `TARGETS`.

    Args:
        board: The task's leaderboard.

    Returns:
        The common compressions nearest to 10 and to 30 on the log scale, ascending.

    Example:
        >>> from dataclasses import replace
        >>> targets(board), targets(replace(board, compressions=(4.0, 16.0, 64.0, 256.0)))
        ([10.0, 30.0], [16.0, 64.0])
    """
    found = list[float]()
    for near in TARGETS:
        left = [c for c in board.compressions if c not in found]
        found += [min(left, key=lambda c: abs(math.log(c / near)))] if left else []
    return sorted(found) or list(TARGETS)


def _panel_of(board: TaskLeaderboard, target: float) -> _Panel:
    """Returns the panel of one compression; the dense baseline has no row.

    The layers are those that the methods left, before any cut to a common compression.
    """
    ranked = pictured([board])
    points = board.own if board.compressions else board.points
    chosen = [(entry, nearest(points[entry], target, board.whole)) for entry in ranked]
    reasons: dict[str, list[str]] = {}
    short = unique_labels(ranked)
    for entry, point in chosen:
        if point is None:
            reasons.setdefault(_why_absent(points[entry], board.whole), []).append(label(short[entry]))
    absent = [
        line
        for why, names in reasons.items()
        for line in wrap(f"{why}: {', '.join(names)}", WRAP, break_on_hyphens=False)
    ]
    return _Panel(target, [(entry, point) for entry, point in chosen if point is not None], absent)


def _why_absent(points: Sequence[Point], whole: Callable[[Record], Record]) -> str:
    if any(whole(o.record).layers for point in points for o in point.outcomes if not o.diverged):
        return "no point within a factor of two"
    if not points:
        return "no result"
    diverged = all(o.diverged for point in points for o in point.outcomes)
    return "diverged" if diverged else "no layers in the records"


def draw_density(board: TaskLeaderboard) -> Figure | None:
    """Draws the densities of layers near two compressions (see `targets`): a heat map each, an entry a row.

    The colours are on a log scale, the same in both.

    Args:
        board: The task's leaderboard, whose order the rows have; the dense baseline has none.

    Returns:
        The figure, or None where no entry has a point with layers within a factor of two of either.

    Example:
        >>> print(draw_density(board).get_suptitle())
        made_up-net: nonzero weights left in each layer (%)
        no entry has layers near compression 30
    """
    # Data: a panel for each compression that any entry is near, and the layers of all of them as columns.
    every = [_panel_of(board, target) for target in targets(board)]
    panels = [panel for panel in every if panel.near]
    if not panels:
        return None
    names = list(dict.fromkeys(n for panel in panels for _, near in panel.near for n in near.densities))
    tables = [_table(panel, names) for panel in panels]
    # Axes: panels below each other, as high as their rows and texts ask for, with one scale of colours.
    shown = _without_common_end(names)
    tall = [panel.height for panel in panels]
    none = [f"{panel.target:g}" for panel in every if not panel.near]
    figure = new_figure(WIDTH, sum(tall) + 0.3 + 0.2 * len(none) + 0.055 * max(map(len, shown)))
    grid = figure.subplots(
        len(panels), 1, height_ratios=[len(panel.near) for panel in panels], squeeze=False
    )[:, 0]
    lowest = _least(tables)
    for axes, panel, table in zip(grid, panels, tables, strict=True):
        _draw(axes, panel, table, lowest)
    name_columns(grid[-1], [label(shortened(name)) for name in shown])
    _bar(figure, list(grid), tables, lowest, min(1, 2.5 / sum(tall)))
    # Title: with the compressions that no entry is near.
    title = f"{label(board.task)}: nonzero weights left in each layer (%){left_out([board])}"
    said = [f"no entry has layers near compression {target}" for target in none]
    figure.suptitle("\n".join([title, *said]), x=0.01, ha="left", fontsize=10)
    return figure


def _table(panel: _Panel, names: Sequence[str]) -> NDArray[np.float64]:
    found = [near.densities for _, near in panel.near]
    return np.array([[of.get(name, np.nan) for name in names] for of in found], dtype=np.float64)


def _least(tables: Sequence[NDArray[np.float64]]) -> float:
    """Returns the density at which the colours begin: the lowest above zero, from `LEAST` to a tenth.

    It is rounded down to 1 or 3 times a power of ten.
    """
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
    """Returns the layers' names without the `.weight` that all of them end in, unless numbers remain."""
    short = [name.removesuffix(".weight") for name in names]
    same = all(a != b and not b.isdecimal() for a, b in zip(names, short, strict=True))
    return short if same else list(names)


def _draw(axes: Axes, panel: _Panel, table: NDArray[np.float64], lowest: float) -> None:
    darkest = math.log10(lowest)
    draw_heat(
        axes, np.log10(np.maximum(table, lowest)), (darkest, 0.0), "cividis",
        said=lambda row, column: _short(float(table[row, column])),
        dark_from=lambda shade: shade < 0.55 * darkest,
    )  # fmt: skip
    short = unique_labels(entry for entry, _ in panel.near)
    name_rows(axes, [f"{label(short[entry])}  ({format_ratio(10**near.x)})" for entry, near in panel.near])
    title = f"own compression near {panel.target:g} (each entry's in brackets)"
    axes.set_title("\n".join([title, *panel.absent]), loc="left", y=1.0, fontsize=7.5)


def _short(density: float) -> str:
    """Returns a density in percent with about two significant digits: 100, 8.1, 0.25, 0."""
    value = 100 * density
    if value == 0:
        return "0"
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"
