"""A front as a stroke: one line, its markers and its handle in a legend, the same in every figure."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .points import Point
from .style import Style

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


def draw_line(axes: Axes, line: Sequence[Point], style: Style, level: float, small: bool = False) -> None:
    """The points of a front, joined, with their markers."""
    colour, marker, dash = style
    x, y = [p.compression for p in line], [p.accuracy.mean for p in line]
    look = SMALL if small else LOOK
    axes.add_line(
        Line2D(x, y, color=colour, marker=marker, linestyle=dash, zorder=level, clip_on=False, **look)
    )


def bars(point: Point) -> list[list[tuple[float, float]]]:
    """Error bars of one sample sd both ways, as lines in data units; none where a point has no sd."""
    if point.accuracy.sd is None or point.x.sd is None:
        return []
    mean, sd, at = point.accuracy.mean, point.accuracy.sd, point.compression
    sides = (10 ** max(point.x.mean - point.x.sd, 0.0), 10 ** (point.x.mean + point.x.sd))
    upright = [(at, max(mean - sd, 0.0)), (at, min(mean + sd, 1.0))]
    return [upright, [(side, mean) for side in sides]]


def handle(style: Style) -> Line2D:
    """What stands for an entry in a legend."""
    colour, marker, dash = style
    return Line2D([], [], color=colour, marker=marker, linestyle=dash, **LOOK)
