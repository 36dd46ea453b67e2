"""Accuracy against compression on one task: each entry's front of means with the spread of its seeds."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from . import notes
from .canvas import WIDTH, compression_axis, legend_below, new_figure
from .focus import Focus, accuracy_axis, focus_on
from .points import Point
from .rows import Board, on_front
from .strokes import draw_line, handle
from .style import Style
from .text import label, percent, shortened

Styles = Mapping[str, Style]


def draw_fronts(board: Board, style: Styles) -> Figure | None:
    """Each entry's front of means with the spread of its seeds; other points faint; None without points."""
    shown = [row.entry for row in board.rows if board.points[row.entry] and not row.baseline]
    everything = [p for group in board.points.values() for p in group]
    if not everything:
        return None
    figure = new_figure(WIDTH, 4.0 + 0.07 * len(shown))
    axes = figure.add_subplot()
    means = [p.accuracy.mean for entry in shown for p in on_front(board.points[entry])]
    every = [p.accuracy.mean for p in everything]
    focus = focus_on(means or every, board.chance, board.dense, min(every))
    accuracy_axis(axes, focus)
    high = max([30.0, *(1.25 * p.compression for p in everything)])
    compression_axis(axes, 0.93, high)
    _references(axes, board, focus)
    for depth, entry in enumerate(reversed(shown)):
        _entry(axes, board.points[entry], style[entry], 3 + depth / 100)
    _legend(figure, board, style, shown)
    kind = "test accuracy (%)" if board.source == "test" else "validation accuracy, not confirmed (%)"
    axes.set_xlabel("compression: prunable weights / nonzero weights")
    axes.set_ylabel(kind)
    axes.set_title(label(board.task), loc="left", y=1.0)
    despine(ax=axes)
    return figure


def _entry(axes: Axes, points: Sequence[Point], style: Style, level: float) -> None:
    """The front as a line with markers and error bars of one sample sd both ways; the rest faint."""
    colour, marker, _ = style
    line = on_front(points)
    draw_line(axes, line, style, level)
    bars = [bar for point in line for bar in _bars(point)]
    axes.add_collection(
        LineCollection(bars, colors=colour, linewidths=0.9, alpha=0.55, zorder=level - 0.5), autolim=False
    )
    rest = [p for p in points if p not in line]
    axes.scatter(
        [p.compression for p in rest], [p.accuracy.mean for p in rest], s=13, color=colour, marker=marker,
        alpha=0.28, linewidths=0, zorder=2,
    )  # fmt: skip


def _bars(point: Point) -> list[list[tuple[float, float]]]:
    if point.accuracy.sd is None or point.x.sd is None:
        return []
    mean, sd, at = point.accuracy.mean, point.accuracy.sd, point.compression
    sides = (10 ** max(point.x.mean - point.x.sd, 0.0), 10 ** (point.x.mean + point.x.sd))
    upright = [(at, max(mean - sd, 0.0)), (at, min(mean + sd, 1.0))]
    return [upright, [(side, mean) for side in sides]]


def _references(axes: Axes, board: Board, focus: Focus) -> None:
    """Dense accuracy and chance as lines with their names, where data are rare: top right, bottom left."""
    place = blended_transform_factory(axes.transAxes, axes.transData)

    def say(x: float, y: float, text: str, ha: str, va: str, small: bool = False) -> None:
        size, colour = (7, "#6a6a6a") if small else (8, "#404040")
        axes.text(x, y, text, transform=place, ha=ha, va=va, fontsize=size, color=colour, zorder=8)

    if board.dense is not None:
        axes.axhline(board.dense, color="#404040", linewidth=1.0, linestyle=(0, (6, 2)), zorder=1.5)
        say(0.995, board.dense, f"dense {percent(board.dense)} %", "right", "bottom")
    if board.chance > 0:
        axes.axhline(board.chance, color="#404040", linewidth=1.0, linestyle=(0, (1, 2)), zorder=1.5)
        say(0.008, board.chance, f"chance {percent(board.chance)} %", "left", "bottom")
    say(0.008, focus.bend, "compressed scale", "left", "top", small=True)


def _legend(figure: Figure, board: Board, style: Styles, shown: Sequence[str]) -> None:
    """Under the axes, in the order of the ranks."""
    names = [f"{notes.rank(board.row(entry))}  {label(shortened(entry))}" for entry in shown]
    legend_below(figure, [handle(style[entry]) for entry in shown], names, "rank by hypervolume")
