"""Accuracy against compression on one task: each entry's front of means with the spread of its seeds."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from ..accuracy_scale import focus_on
from ..analysis.boards import on_front
from ..analysis.leaderboard import TaskLeaderboard
from ..analysis.points import Point
from ..formatting import format_percent, label, unique_labels
from ..style import Style, left_out, pictured
from ..tables import notes
from .accuracy_axis import accuracy_axis
from .canvas import WIDTH, compression_axis, legend_below, new_figure
from .front_lines import draw_bars, draw_line, handle

Styles = Mapping[str, Style]


def draw_fronts(board: TaskLeaderboard, style: Styles) -> Figure | None:
    """Draws each entry's front of means with the spread of its seeds; the other points are faint.

    Args:
        board: The task's leaderboard; its dense accuracy and chance are drawn as horizontal lines.
        style: Colour, marker and dash of each entry.

    Returns:
        The figure, or None where no entry has a point.

    Example:
        >>> styles = {"dwf-3": ("#0072B2", "o", (0, ())), "magnitude": ("#D55E00", "s", (0, ()))}
        >>> figure = draw_fronts(board, styles)
        >>> [text.get_text() for text in figure.axes[0].texts][1:]
        ['dense 98.2 %', 'chance 10.0 %']
        >>> [text.get_text() for text in figure.legends[0].get_texts()]  # rank by hypervolume, name
        ['1  dwf-3', '2  magnitude']
    """
    shown = [entry for entry in pictured([board]) if board.points[entry]]
    everything = [p for group in board.points.values() for p in group]
    if not everything:
        return None
    # Axes: accuracy in focus around the fronts, compression beyond the sparsest point.
    figure = new_figure(WIDTH, 4.0 + 0.07 * len(shown))
    axes = figure.add_subplot()
    means = [p.accuracy.mean for entry in shown for p in on_front(board.points[entry])]
    every = [p.accuracy.mean for p in everything]
    focus = focus_on(means or every, board.chance, board.dense, min(every))
    accuracy_axis(axes, focus)
    high = max([30.0, *(1.25 * p.compression for p in everything)])
    compression_axis(axes, 0.93, high)
    # Data: the reference lines, then the entries, of which the best is drawn last, on top.
    _references(axes, board)
    for depth, entry in enumerate(reversed(shown)):
        _entry(axes, board.points[entry], style[entry], 3 + depth / 100)
    # Names: legend, axes and title.
    _legend(figure, board, style, shown)
    kind = "test accuracy (%)" if board.source == "test" else "validation accuracy, not confirmed (%)"
    kind = f"balanced {kind}" if board.metric == "balanced_accuracy" else kind
    axes.set_xlabel("compression: prunable weights / nonzero weights")
    axes.set_ylabel(kind)
    axes.set_title(label(board.task) + left_out([board]), loc="left", y=1.0)
    despine(ax=axes)
    return figure


def _entry(axes: Axes, points: Sequence[Point], style: Style, level: float) -> None:
    """Draws the front as a line with markers and error bars of one sample sd both ways; the rest faint.

    Points that learned nothing are crosses.
    """
    colour, marker, _ = style
    line = on_front(points)
    draw_line(axes, line, style, level)
    draw_bars(axes, line, colour, level - 0.5, 0.9)
    for learned, look in ((True, {"marker": marker, "linewidths": 0}), (False, {"marker": "x"})):
        rest = [p for p in points if p.learned == learned and p not in line]
        axes.scatter(
            [p.compression for p in rest], [p.accuracy.mean for p in rest], s=13, color=colour, alpha=0.28,
            zorder=2, **look,
        )  # fmt: skip


def _references(axes: Axes, board: TaskLeaderboard) -> None:
    """Draws dense accuracy and chance as lines, named where data are rare: top right and bottom left."""
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
    """Adds the legend under the axes, in the order of the ranks."""
    short = unique_labels(shown)
    names = [f"{notes.rank(board.row(entry))}  {label(short[entry])}" for entry in shown]
    legend_below(figure, [handle(style[entry]) for entry in shown], names, "rank by hypervolume")
