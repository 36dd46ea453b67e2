"""Small multiples: the fronts of all tasks in a grid, a panel a task, one legend for all."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from ..accuracy_scale import focus_on
from ..analysis.boards import focused, on_front
from ..analysis.leaderboard import TaskLeaderboard
from ..analysis.scores import cells
from ..formatting import label, natural, shortened, unique_labels
from ..style import Style, left_out, pictured
from .accuracy_axis import accuracy_axis
from .canvas import WIDTH, compression_axis, legend_below, legend_grid, new_figure
from .front import measured_marks, side_by_side
from .front_lines import draw_bars, draw_line, draw_measured, handle

DENSE: dict[str, Any] = {"color": "#404040", "linewidth": 0.9, "linestyle": (0, (6, 2))}
LEFT_OUT = ("dense, cut",)  # marks of the larger figure alone
MOST_TICKS = 6
COLUMNS = 2  # two panels beside each other stay readable on a phone


def draw_multiples(found: Sequence[TaskLeaderboard], style: Mapping[str, Style]) -> Figure | None:
    """Draws what entries reach at the common compressions, a panel a task in two columns.

    Of earlier versions it draws the fronts of means with the spread of their seeds.

    Args:
        found: The leaderboards of the tasks; tasks without a point are left out.
        style: Colour, marker and dash of each entry, the same in all panels.

    Returns:
        The figure, or None where no task has a point.

    Example:
        >>> styles = {"dwf-3": ("#0072B2", "o", (0, ())), "magnitude": ("#D55E00", "s", (0, ()))}
        >>> figure = draw_multiples([board, board], styles)
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['made_up-net', 'made_up-net']
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['dwf-3', 'magnitude', 'dense']
    """
    shown = [board for board in found if any(board.points.values())]
    if not shown:
        return None
    entries = [entry for entry in pictured(shown) if any(board.points.get(entry) for board in shown)]
    # Legend: entries by name, then the dense line.
    names = sorted(entries, key=lambda name: (natural(name), name))
    handles, texts = [handle(style[e]) for e in names], [*map(label, unique_labels(names).values())]
    if any(board.dense is not None for board in shown):
        handles, texts = [*handles, Line2D([], [], **DENSE)], [*texts, "dense"]
    marks = {name: mark for name, mark in measured_marks(shown).items() if name not in LEFT_OUT}
    # Panels: one compression axis for all, an accuracy axis each.
    lines = (len(shown) + COLUMNS - 1) // COLUMNS
    figure = new_figure(WIDTH, 0.6 + 2.1 * lines + 0.16 * legend_grid(texts, marks)[1])
    grid = figure.subplots(lines, COLUMNS, sharex=True, squeeze=False)
    axis = _compressions(shown)
    mixed = any(board.source != "test" for board in shown)
    for axes, board in zip(grid.flat, shown, strict=False):
        _panel(axes, board, style, axis, entries)
        title = label(shortened(board.task, 30)) + (f" ({board.source})" if mixed else "")
        axes.set_title(title, loc="left", y=1.0, fontsize=8)
    # Labels: accuracy at the left, compression under the lowest panel of each column, the unused panel off.
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy (%)" if mixed else "test accuracy (%)", fontsize=8)
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_axis_off()
    for axes in list(grid.flat)[max(0, len(shown) - COLUMNS) : len(shown)]:
        axes.set_xlabel("compression", fontsize=8)
        axes.tick_params(labelbottom=True)
    legend_below(figure, handles, texts, marks=marks)
    if said := left_out(shown):
        figure.suptitle(said.strip(), x=0.01, ha="left", fontsize=8)
    return figure


def _compressions(found: Sequence[TaskLeaderboard]) -> tuple[float, float, list[float]]:
    """Returns the ends and the ticks of the axis that all panels share: common compressions, else decades."""
    common = {board.compressions for board in found}
    high = max([30.0, *(1.25 * p.compression for b in found for ps in b.points.values() for p in ps)])
    low = 0.8 * min((min(own, default=1.16) for own in common), default=1.0)
    ticks = list(common.pop()) if len(common) == 1 else []
    return low, high, ticks[:: 1 + len(ticks) // MOST_TICKS] or [10**i for i in range(7)]


def _panel(
    axes: Axes,
    board: TaskLeaderboard,
    style: Mapping[str, Style],
    axis: tuple[float, float, list[float]],
    entries: Sequence[str],
) -> None:
    shown = [row.entry for row in board.rows if row.entry in entries and board.points[row.entry]]
    every = [p.accuracy.mean for group in board.points.values() for p in group]
    focus = focus_on(focused(board, shown) or every, board.chance, board.dense, min(every))
    accuracy_axis(axes, focus, 6)
    low, high, ticks = axis
    compression_axis(axes, low, high, at=ticks)
    if board.dense is not None:
        axes.axhline(board.dense, zorder=1.5, **DENSE)
    beside = side_by_side(board.compressions, len(shown))
    for depth, (entry, factor) in enumerate(zip(reversed(shown), reversed(beside), strict=True)):
        level = 3 + depth / 100
        if board.compressions:
            draw_measured(axes, cells(board.points[entry]), style[entry], level, factor, small=True)
        else:
            draw_line(axes, on_front(board.points[entry]), style[entry], level, small=True)
            draw_bars(axes, on_front(board.points[entry]), style[entry][0], 2, 0.6)
    axes.tick_params(labelsize=7)
    despine(ax=axes)
