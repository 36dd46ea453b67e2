"""Small multiples: the fronts of all tasks in a grid, a panel a task, one legend for all."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from ..accuracy_scale import focus_on
from ..analysis.boards import on_front
from ..analysis.leaderboard import TaskLeaderboard
from ..formatting import label, natural, shortened, unique_labels
from ..style import Style, left_out, pictured
from .accuracy_axis import accuracy_axis
from .canvas import WIDTH, compression_axis, legend_below, new_figure
from .front_lines import draw_bars, draw_line, handle

DENSE: dict[str, Any] = {"color": "#404040", "linewidth": 0.9, "linestyle": (0, (6, 2))}
COLUMNS = 2  # two panels beside each other stay readable on a phone


def draw_multiples(found: Sequence[TaskLeaderboard], style: Mapping[str, Style]) -> Figure | None:
    """Draws every task's fronts of means with the spread of their seeds, a panel a task in two columns.

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
    # Panels: one compression axis for all, an accuracy axis each.
    lines = (len(shown) + COLUMNS - 1) // COLUMNS
    figure = new_figure(WIDTH, 0.6 + 2.1 * lines + 0.055 * len(entries))
    grid = figure.subplots(lines, COLUMNS, sharex=True, squeeze=False)
    high = max([30.0, *(1.25 * p.compression for b in shown for ps in b.points.values() for p in ps)])
    mixed = any(board.source != "test" for board in shown)
    for axes, board in zip(grid.flat, shown, strict=False):
        _panel(axes, board, style, high, entries)
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
    # Legend: entries by name, then the dense line.
    names = sorted(entries, key=lambda name: (natural(name), name))
    handles, texts = [handle(style[e]) for e in names], [*map(label, unique_labels(names).values())]
    if any(board.dense is not None for board in shown):
        handles, texts = [*handles, Line2D([], [], **DENSE)], [*texts, "dense"]
    legend_below(figure, handles, texts)
    if said := left_out(shown):
        figure.suptitle(said.strip(), x=0.01, ha="left", fontsize=8)
    return figure


def _panel(
    axes: Axes, board: TaskLeaderboard, style: Mapping[str, Style], high: float, entries: Sequence[str]
) -> None:
    shown = [row.entry for row in board.rows if row.entry in entries]
    fronts = {entry: on_front(board.points[entry]) for entry in shown}
    means = [p.accuracy.mean for line in fronts.values() for p in line]
    every = [p.accuracy.mean for group in board.points.values() for p in group]
    accuracy_axis(axes, focus_on(means or every, board.chance, board.dense, min(every)), 6)
    compression_axis(axes, 0.93, high)
    axes.xaxis.set_major_locator(FixedLocator([10**i for i in range(7) if 10**i <= high]))
    if board.dense is not None:
        axes.axhline(board.dense, zorder=1.5, **DENSE)
    for depth, (entry, line) in enumerate(reversed(fronts.items())):
        draw_line(axes, line, style[entry], 3 + depth / 100, small=True)
        draw_bars(axes, line, style[entry][0], 2, 0.6)
    axes.tick_params(labelsize=7)
    despine(ax=axes)
