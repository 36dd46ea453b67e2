"""A front as a line: its stroke, markers, error bars and legend handle, the same in every figure."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..analysis.points import Point
from ..style import Style

LOOK: dict[str, Any] = {
    "linewidth": 1.4,
    "markersize": 4.8,
    "markeredgecolor": "white",
    "markeredgewidth": 0.5,
}
SMALL: dict[str, Any] = {
    "linewidth": 1.1,
    "markersize": 3.2,
    "markeredgecolor": "white",
    "markeredgewidth": 0.3,
}

GAP = (math.nan, math.nan)


def draw_line(axes: Axes, line: Sequence[Point], style: Style, level: float, small: bool = False) -> None:
    """Draws the points of a front as markers joined by a line.

    Args:
        axes: The axes, compression on x and accuracy as a fraction on y.
        line: The points by rising compression; each is drawn at its geometric mean compression.
        style: The entry's colour, marker and dash.
        level: matplotlib's zorder: higher levels are drawn over lower ones.
        small: Whether line and markers are the smaller ones of small multiples.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().subplots()
        >>> draw_line(axes, board.points["dwf-3"], ("#0072B2", "o", (0, ())), level=3)
        >>> [f"{x:.1f}: {y:.2f}" for x, y in axes.lines[0].get_xydata()]
        ['1.6: 0.98', '13.3: 0.98', '112.1: 0.70', '964.2: 0.12']
    """
    colour, marker, dash = style
    x, y = [p.compression for p in line], [p.accuracy.mean for p in line]
    look = SMALL if small else LOOK
    axes.add_line(
        Line2D(x, y, color=colour, marker=marker, linestyle=dash, zorder=level, clip_on=False, **look)
    )


def draw_bars(axes: Axes, line: Sequence[Point], colour: str, level: float, width: float) -> None:
    """Draws error bars of one sample sd in accuracy and in log compression, as one line with gaps.

    One line with gaps takes less time to draw than an object for each bar.

    Args:
        axes: The axes, compression on x and accuracy as a fraction on y.
        line: The points; one of a single seed has no sd and gets no bars.
        colour: The entry's colour.
        level: matplotlib's zorder: higher levels are drawn over lower ones.
        width: Width of the bars in points (1/72 inch).

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().subplots()
        >>> draw_bars(axes, board.points["dwf-3"][:2], "#0072B2", level=2, width=0.9)
        >>> len(axes.lines), len(axes.lines[0].get_xdata())  # two bars a point: 2 · (2 ends + gap)
        (1, 12)
    """
    ends = [end for point in line for end in _bars(point)]
    x, y = [x for x, _ in ends], [y for _, y in ends]
    axes.add_line(Line2D(x, y, color=colour, linewidth=width, alpha=0.55, zorder=level))


def _bars(point: Point) -> list[tuple[float, float]]:
    """Returns the ends of the vertical and the horizontal bar, a gap after each; none without an sd."""
    if point.accuracy.sd is None or point.x.sd is None:
        return []
    mean, sd, at = point.accuracy.mean, point.accuracy.sd, point.compression
    left, right = 10 ** max(point.x.mean - point.x.sd, 0.0), 10 ** (point.x.mean + point.x.sd)
    return [(at, max(mean - sd, 0.0)), (at, min(mean + sd, 1.0)), GAP, (left, mean), (right, mean), GAP]


def draw_measured(
    axes: Axes, points: Sequence[Point], style: Style, level: float, beside: float = 1.0, small: bool = False
) -> None:
    """Draws what was measured at common compressions: a line, filled and hollow markers, intervals.

    A marker is filled where the method reached the compression by itself, hollow where most runs were cut to
    it. What has learned nothing is a cross, on no line.

    Args:
        axes: The axes, compression on x and accuracy as a fraction on y.
        points: An entry's points by rising compression.
        style: The entry's colour, marker and dash.
        level: matplotlib's zorder: higher levels are drawn over lower ones.
        beside: A factor of all compressions, near 1, by which entries stand side by side.
        small: Whether line and markers are the smaller ones of small multiples.

    Example:
        >>> from dataclasses import replace
        >>> from matplotlib.figure import Figure
        >>> axes, points = Figure().subplots(), [replace(p, at=4.0) for p in board.points["dwf-3"][:2]]
        >>> draw_measured(axes, points, ("#0072B2", "o", (0, ())), level=3)
        >>> [line.get_xdata() for line in axes.lines[:2]]  # the line, then the filled markers
        [[4.0, 4.0], [4.0, 4.0]]
    """
    colour, marker, dash = style
    look = SMALL if small else LOOK
    alive = [point for point in points if point.learned]
    drawn = (
        (alive, {"linestyle": dash, "linewidth": look["linewidth"]}),
        ([point for point in alive if not point.cut], {**look, "linestyle": "none", "marker": marker}),
        ([point for point in alive if point.cut], {**hollow(colour, small), "marker": marker}),
        ([point for point in points if not point.learned], {**hollow(colour, small), "marker": "x"}),
    )
    for number, (some, how) in enumerate(drawn):
        if not some:
            continue  # an empty line would have its place in the layout
        x, y = [beside * (p.at or p.compression) for p in some], [p.accuracy.mean for p in some]
        axes.add_line(Line2D(x, y, color=colour, zorder=level + number / 1000, clip_on=False, **how))
    ends = [end for point in points for end in _interval(point, beside)]
    x, y = [x for x, _ in ends], [y for _, y in ends]
    width = 0.6 if small else 0.9
    axes.add_line(Line2D(x, y, color=colour, linewidth=width, alpha=0.55, zorder=level - 0.5))


def hollow(colour: str, small: bool = False) -> dict[str, Any]:
    """Returns the look of a hollow marker: an edge in a colour, filled with the paper's white.

    Args:
        colour: The entry's colour.
        small: Whether it is one of small multiples.

    Returns:
        Keywords of a `Line2D` without a line.

    Example:
        >>> hollow("#0072B2")["markerfacecolor"]
        'white'
    """
    size = (SMALL if small else LOOK)["markersize"]
    edge = 0.8 if small else 1.2
    return {
        "linestyle": "none", "markersize": size, "markerfacecolor": "white", "markeredgecolor": colour,
        "markeredgewidth": edge,
    }  # fmt: skip


def _interval(point: Point, beside: float) -> list[tuple[float, float]]:
    """Returns the ends of the bar of a point's 95% interval, and a gap; none without an interval."""
    found = point.accuracy_interval
    if found is None:
        return []
    x = beside * (point.at or point.compression)
    return [(x, found.low), (x, found.high), GAP]


def handle(style: Style) -> Line2D:
    """Returns an entry's legend handle: a line with its marker, in the style of its front.

    Args:
        style: The entry's colour, marker and dash.

    Returns:
        A line without data.

    Example:
        >>> entry = handle(("#0072B2", "o", (0, ())))
        >>> entry.get_color(), entry.get_marker(), entry.get_xdata()
        ('#0072B2', 'o', [])
    """
    colour, marker, dash = style
    return Line2D([], [], color=colour, marker=marker, linestyle=dash, **LOOK)
