"""Accuracy against compression on one task: each entry's front of means with the spread of its seeds."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from ..accuracy_scale import focus_on
from ..analysis.boards import TaskLeaderboard, on_front
from ..analysis.points import Point
from ..formatting import format_percent, label, unique_labels
from ..style import Style
from ..tables import notes
from .accuracy_axis import accuracy_axis
from .canvas import WIDTH, compression_axis, legend_below, new_figure
from .front_lines import draw_bars, draw_line, handle

Styles = Mapping[str, Style]


def draw_fronts(board: TaskLeaderboard, style: Styles) -> Figure | None:
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
    _references(axes, board)
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
    draw_bars(axes, line, colour, level - 0.5, 0.9)
    rest = [p for p in points if p not in line]
    axes.scatter(
        [p.compression for p in rest], [p.accuracy.mean for p in rest], s=13, color=colour, marker=marker,
        alpha=0.28, linewidths=0, zorder=2,
    )  # fmt: skip


def _references(axes: Axes, board: TaskLeaderboard) -> None:
    """Dense accuracy and chance as lines with their names, where data are rare: top right, bottom left."""
    place = axes.get_yaxis_transform()

    def say(x: float, y: float, text: str, ha: str) -> None:
        axes.text(x, y, text, transform=place, ha=ha, va="bottom", fontsize=8, color="#404040", zorder=8)

    if board.dense is not None:
        axes.axhline(board.dense, color="#404040", linewidth=1.0, linestyle=(0, (6, 2)), zorder=1.5)
        say(0.995, board.dense, f"dense {format_percent(board.dense)} %", "right")
    if board.chance > 0:
        axes.axhline(board.chance, color="#404040", linewidth=1.0, linestyle=(0, (1, 2)), zorder=1.5)
        say(0.008, board.chance, f"chance {format_percent(board.chance)} %", "left")


def _legend(figure: Figure, board: TaskLeaderboard, style: Styles, shown: Sequence[str]) -> None:
    """Under the axes, in the order of the ranks."""
    short = unique_labels(shown)
    names = [f"{notes.rank(board.row(entry))}  {label(short[entry])}" for entry in shown]
    legend_below(figure, [handle(style[entry]) for entry in shown], names, "rank by hypervolume")
