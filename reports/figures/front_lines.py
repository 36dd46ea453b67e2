"""A front as a stroke: one line, its markers and its handle in a legend, the same in every figure."""

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
    """The points of a front, joined, with their markers."""
    colour, marker, dash = style
    x, y = [p.compression for p in line], [p.accuracy.mean for p in line]
    look = SMALL if small else LOOK
    axes.add_line(
        Line2D(x, y, color=colour, marker=marker, linestyle=dash, zorder=level, clip_on=False, **look)
    )


def draw_bars(axes: Axes, line: Sequence[Point], colour: str, level: float, width: float) -> None:
    """Error bars of one sample sd both ways, all in one stroke: one object is drawn sooner than many."""
    ends = [end for point in line for end in _bars(point)]
    x, y = [x for x, _ in ends], [y for _, y in ends]
    axes.add_line(Line2D(x, y, color=colour, linewidth=width, alpha=0.55, zorder=level))


def _bars(point: Point) -> list[tuple[float, float]]:
    """Upright and level, each with a gap after it; none where a point has no sd."""
    if point.accuracy.sd is None or point.x.sd is None:
        return []
    mean, sd, at = point.accuracy.mean, point.accuracy.sd, point.compression
    left, right = 10 ** max(point.x.mean - point.x.sd, 0.0), 10 ** (point.x.mean + point.x.sd)
    return [(at, max(mean - sd, 0.0)), (at, min(mean + sd, 1.0)), GAP, (left, mean), (right, mean), GAP]


def handle(style: Style) -> Line2D:
    """What stands for an entry in a legend."""
    colour, marker, dash = style
    return Line2D([], [], color=colour, marker=marker, linestyle=dash, **LOOK)
