"""Accuracy against compression on one task: what each entry measured at the common compressions.

Of earlier versions, whose points have compressions of their own: each entry's front of means with the spread
of its seeds.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from ..accuracy_scale import focus_on
from ..analysis.boards import focused, on_front
from ..analysis.leaderboard import TaskLeaderboard
from ..analysis.points import Point
from ..analysis.scores import cells
from ..formatting import format_percent, label, span, unique_labels
from ..style import NEUTRAL, Style, left_out, pictured
from ..tables import notes
from .accuracy_axis import accuracy_axis
from .canvas import COUNTED, WIDTH, compression_axis, legend_below, legend_grid, new_figure
from .front_lines import LOOK, draw_bars, draw_line, draw_measured, handle, hollow

Styles = Mapping[str, Style]

SAME = 0.02  # compressions whose ratio is nearer to 1 are one place
APART = 0.16  # the part of the distance of two common compressions over which entries stand side by side


def draw_fronts(board: TaskLeaderboard, style: Styles, own: bool = True) -> Figure | None:
    """Draws each entry's accuracy at the common compressions with its 95% intervals; own zeros are faint.

    Of earlier versions it draws each entry's front of means with the spread of its seeds; the other points
    are faint.

    Args:
        board: The task's leaderboard; its dense accuracy and chance are drawn as horizontal lines.
        style: Colour, marker and dash of each entry.
        own: Whether what the methods reached by themselves, at compressions of their own, is marked too.

    Returns:
        The figure, or None where no entry has a point.

    Example:
        >>> styles = {"dwf-3": ("#0072B2", "o", (0, ())), "magnitude": ("#D55E00", "s", (0, ()))}
        >>> figure = draw_fronts(board, styles)
        >>> [text.get_text() for text in figure.axes[0].texts][1:]
        ['dense 98.2 %', 'chance 10.0 %']
        >>> [text.get_text() for text in figure.legends[0].get_texts()]  # rank, name
        ['1  dwf-3', '2  magnitude']
    """
    shown = [entry for entry in pictured([board]) if board.points[entry]]
    everything = [p for group in board.points.values() for p in group]
    if not everything:
        return None
    # Axes: accuracy in focus around the fronts, compression beyond the sparsest point.
    names, title = _named(board, shown)
    reached = {entry: _own_zeros(board, entry) for entry in shown} if own else {}
    marks = measured_marks([board], own=any(reached.values()))
    figure = new_figure(WIDTH, 3.2 + 0.17 * (1 + legend_grid(names, marks)[1]))
    axes = figure.add_subplot()
    every = [p.accuracy.mean for p in everything]
    focus = focus_on(focused(board, shown) or every, board.chance, board.dense, min(every))
    accuracy_axis(axes, focus)
    _compressions(axes, board, [*everything, *(p for points in reached.values() for p in points)])
    # Data: the reference lines, then the entries, of which the best is drawn last, on top.
    _references(axes, board)
    if board.compressions:
        _measured(axes, board, style, shown)
        for entry, points in reached.items():
            _faint(axes, points, style[entry])
    else:
        for depth, entry in enumerate(reversed(shown)):
            _entry(axes, board.points[entry], style[entry], 3 + depth / 100)
    # Names: legend, axes and title.
    legend_below(figure, [handle(style[entry]) for entry in shown], names, title, marks)
    kind = "test accuracy (%)" if board.source == "test" else "validation accuracy, not confirmed (%)"
    kind = f"balanced {kind}" if board.metric == "balanced_accuracy" else kind
    axes.set_xlabel(COUNTED[board.granularity])
    axes.set_ylabel(kind)
    axes.set_title(label(board.task) + left_out([board]), loc="left", y=1.0)
    despine(ax=axes)
    return figure


def side_by_side(compressions: Sequence[float], count: int) -> list[float]:
    """Returns factors of the compressions by which entries stand side by side, so that bars do not overlap.

    Args:
        compressions: The common compressions.
        count: The number of entries.

    Returns:
        One factor an entry, rising around 1; together they span a sixth of the way to the next compression.

    Example:
        >>> [round(factor, 2) for factor in side_by_side([4, 16, 64], 3)]
        [0.9, 1.0, 1.12]
    """
    near = min((b / a for a, b in pairwise(compressions)), default=2.0)
    return [near ** (APART * (i / max(count - 1, 1) - 0.5)) for i in range(count)]


def _compressions(axes: Axes, board: TaskLeaderboard, points: Sequence[Point]) -> None:
    """Sets the axis of compression: its ticks are the common compressions where there are any."""
    if board.compressions:
        least = min([*board.compressions, *(p.compression for p in points if p.at is None)])
        ticks = [1.0, *board.compressions] if least < 2 else board.compressions
        most = max([*board.compressions, *(p.compression for p in points)])
        compression_axis(axes, 0.87 * max(least, 1.0), 1.25 * most, at=ticks)
    else:
        compression_axis(axes, 0.93, max([30.0, *(1.25 * p.compression for p in points)]))


def _measured(axes: Axes, board: TaskLeaderboard, style: Styles, shown: Sequence[str]) -> None:
    """Draws the entries at the common compressions, side by side, and the dense training that was cut."""
    beside = side_by_side(board.compressions, len(shown))
    for depth, (entry, factor) in enumerate(zip(reversed(shown), reversed(beside), strict=True)):
        draw_measured(axes, cells(board.points[entry]), style[entry], 3 + depth / 100, factor)
    for entry in _baselines(board):
        draw_measured(axes, cells(board.points[entry]), (NEUTRAL, "*", (0, (1, 1))), 2.5)


def _baselines(board: TaskLeaderboard) -> list[str]:
    return [row.entry for row in board.rows if row.baseline and cells(board.points[row.entry])]


def _own_zeros(board: TaskLeaderboard, entry: str) -> list[Point]:
    """Returns what a method reached by itself, at the validated threshold of zeros, beside the common
    compressions: at these it is on the line already."""
    found = board.own.get(entry, [])
    return [p for p in found if not any(abs(p.compression / c - 1) < SAME for c in board.compressions)]


def _faint(axes: Axes, points: Sequence[Point], style: Style, **look: Any) -> None:
    x, y = [p.compression for p in points], [p.accuracy.mean for p in points]
    axes.scatter(
        x, y, s=13, color=style[0], alpha=0.28, zorder=2, **{"marker": style[1], "linewidths": 0, **look}
    )


def _entry(axes: Axes, points: Sequence[Point], style: Style, level: float) -> None:
    """Draws the front as a line with markers and error bars of one sample sd both ways; the rest faint.

    Points that learned nothing are crosses.
    """
    line = on_front(points)
    draw_line(axes, line, style, level)
    draw_bars(axes, line, style[0], level - 0.5, 0.9)
    for learned, look in ((True, {}), (False, {"marker": "x", "linewidths": None})):
        rest = [p for p in points if p.learned == learned and p not in line]
        _faint(axes, rest, style, **look)


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


def _named(board: TaskLeaderboard, shown: Sequence[str]) -> tuple[list[str], str]:
    """Returns the texts of the legend in the order of the ranks, and its title."""
    short = unique_labels(shown)
    names = [f"{notes.rank(board.row(entry))}  {label(short[entry])}" for entry in shown]
    points = [point for entry in shown for point in cells(board.points[entry])]
    over = f"; bars: 95 % intervals over {span(len(p.units) for p in points)} {notes.units(board)}"
    return names, f"rank by {board.merit_name}" + (over if any(p.accuracy_interval for p in points) else "")


def measured_marks(found: Sequence[TaskLeaderboard], own: bool = False) -> dict[str, Line2D]:
    """Returns the marks of figures of common compressions, with the words that a legend has for them.

    Args:
        found: The leaderboards of the figure: marks that none of them has are left out.
        own: Whether the figure has the marks of own zeros.

    Returns:
        Legend handles by their words.

    Example:
        >>> list(measured_marks([board]))  # of a version without common compressions
        []
    """
    points = [p for board in found if board.compressions for own in board.points.values() for p in cells(own)]
    alive = [point for point in points if point.learned]
    marks = {"color": NEUTRAL, "marker": "o", "linestyle": "none"}
    made = {
        "by itself": ({**LOOK, **marks}, any(not point.cut for point in alive)),
        "cut to it": ({**marks, **hollow(NEUTRAL)}, any(point.cut for point in alive)),
        "learned nothing": ({**marks, **hollow(NEUTRAL), "marker": "x"}, len(alive) < len(points)),
        "own zeros": ({**marks, "markersize": 3.6, "alpha": 0.4, "markeredgewidth": 0}, own),
        "dense, cut": (
            {**hollow(NEUTRAL), "color": NEUTRAL, "marker": "*", "linestyle": (0, (1, 1)), "linewidth": 1.4},
            any(_baselines(board) for board in found if board.compressions),
        ),
    }
    return {name: Line2D([], [], **look) for name, (look, there) in made.items() if there}
