"""The critical-difference diagram: mean ranks over tasks, bars joining entries that are not distinguishable.

After Demšar, JMLR 7 (2006), figure 1: the bars are the groups of Nemenyi's test. Drawn in inches from the
top left corner, so that distances do not depend on the number of entries.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from ..analysis.across_tasks import MeanRank, TasksComparison
from ..formatting import label, unique_labels
from ..style import Style
from .canvas import WIDTH, new_figure

INK = "#303030"
SIZE = 8  # font size in points; the other lengths are in inches
LEAST = 1.5  # length of the axis: names are shortened until it has as much
OUT = 0.18  # between an end of the axis and the names beside it
APART = 0.24  # least distance between the numbers of the axis
AXIS = 0.8  # distance of the axis from the top
BAR = 0.12  # between bars
NAME = 0.24  # between names


@dataclass(frozen=True)
class Scale:
    """The rank axis of the diagram: called with a mean rank, it returns the position in inches.

    Attributes:
        worst: The last rank of the axis, which is the number of entries, 2 or more.
        left: The position of rank 1, in inches from the figure's left edge.
        right: The position of rank `worst`.

    Example:
        >>> scale = Scale(worst=3, left=1.0, right=5.0)
        >>> scale(1), scale(1.5), scale(3)
        (1.0, 2.0, 5.0)
    """

    worst: int
    left: float
    right: float

    def __call__(self, rank: float) -> float:
        return self.left + (self.right - self.left) * (rank - 1) / (self.worst - 1)


def draw_critical(result: TasksComparison, style: Mapping[str, Style]) -> Figure:
    """Draws the critical-difference diagram: an axis of mean ranks, 1 at the left, names at both sides.

    Args:
        result: The comparison of two or more entries over tasks; its groups become the bars.
        style: Colour, marker and dash of each entry; a line in this colour joins its name to its mean rank.

    Returns:
        The figure, `WIDTH` inches wide, as high as the number of entries and of bars asks for.

    Example:
        >>> from dataclasses import replace
        >>> from sparsebench.reports.analysis.across_tasks import compare_over_tasks
        >>> result = compare_over_tasks([replace(board, task=f"task {i}") for i in range(6)])
        >>> styles = {"dwf-3": ("#0072B2", "o", (0, ())), "magnitude": ("#D55E00", "s", (0, ()))}
        >>> [text.get_text() for text in draw_critical(result, styles).axes[0].texts][-2:]
        ['dwf-3  1.00', 'magnitude  2.00']
    """
    # Sizes: the better half of the entries is named at the left, the other at the right.
    half = (len(result.standings) + 1) // 2
    left, right = result.standings[:half], result.standings[half:]
    first = AXIS + BAR * len(result.groups) + 0.3
    height = first + NAME * (half - 1) + 0.2
    figure = new_figure(WIDTH, height)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    # The axis with the critical difference above it, and a bar for each group below it.
    names, scale = _fitting(figure, left, right)
    _axis(axes, scale)
    _reach(axes, result, scale)
    _bars(axes, result, scale)
    # The names, from the outer ranks at the top to the middle ones, so that their lines do not cross.
    for i, standing in enumerate(left):
        _name(axes, names[standing.entry], standing, style, scale, first + NAME * i, at_left=True)
    for i, standing in enumerate(reversed(right)):
        _name(axes, names[standing.entry], standing, style, scale, first + NAME * i, at_left=False)
    return figure


def _fitting(
    figure: Figure, left: Sequence[MeanRank], right: Sequence[MeanRank]
) -> tuple[dict[str, str], Scale]:
    """Returns names short enough to leave `LEAST` inches for the axis, and the axis between them."""
    agg: Any = FigureCanvasAgg(figure)
    measured, font = agg.get_renderer(), FontProperties(size=SIZE)

    def width(text: str) -> float:
        return 0.1 + OUT + float(measured.get_text_width_height_descent(text, font, False)[0]) / figure.dpi

    both = [*left, *right]
    for most in (26, 22, 18, 14, 10):
        names = unique_labels([s.entry for s in both], most)
        ends = [max((width(_said(names[s.entry], s)) for s in side), default=0.3) for side in (left, right)]
        if WIDTH - sum(ends) >= LEAST:
            break
    return names, Scale(len(both), ends[0], WIDTH - ends[1])


def _said(name: str, standing: MeanRank) -> str:
    return f"{name}  {standing.mean_rank:.2f}"


def _axis(axes: Axes, scale: Scale) -> None:
    axes.plot([scale(1), scale(scale.worst)], [AXIS, AXIS], color=INK, linewidth=1)
    step = max(1, math.ceil(APART * (scale.worst - 1) / (scale.right - scale.left)))
    for rank in range(1, scale.worst + 1):
        labelled = (rank - 1) % step == 0
        axes.plot([scale(rank)] * 2, [AXIS - (0.08 if labelled else 0.04), AXIS], color=INK, linewidth=1)
        if labelled:
            axes.text(scale(rank), AXIS - 0.12, str(rank), ha="center", va="bottom", fontsize=SIZE)


def _reach(axes: Axes, result: TasksComparison, scale: Scale) -> None:
    """Draws the critical difference above the axis, as a length from rank 1 on (at most the axis's)."""
    end = min(1 + result.critical_difference, float(scale.worst))
    axes.plot([scale(1), scale(end)], [0.36, 0.36], color=INK, linewidth=1)
    for x in (scale(1), scale(end)):
        axes.plot([x, x], [0.32, 0.40], color=INK, linewidth=1)
    over = f"mean rank by {result.merit} over {len(result.tasks)} tasks"
    text = f"{over}; critical difference {result.critical_difference:.2f}"
    axes.text(0.08, 0.24, text, ha="left", va="bottom", fontsize=SIZE)


def _bars(axes: Axes, result: TasksComparison, scale: Scale) -> None:
    ranks = {s.entry: s.mean_rank for s in result.standings}
    for i, group in enumerate(result.groups):
        ends = [scale(ranks[group[0]]) - 0.03, scale(ranks[group[-1]]) + 0.03]
        y = AXIS + BAR * (i + 1)
        axes.plot(ends, [y, y], color=INK, linewidth=2.6, solid_capstyle="round", zorder=3)


def _name(
    axes: Axes, name: str, standing: MeanRank, style: Mapping[str, Style], scale: Scale, y: float, *,
    at_left: bool,
) -> None:  # fmt: skip
    """Draws a line from the mean rank down and out to the name, in the entry's colour and with its marker."""
    colour, marker, _ = style[standing.entry]
    x, edge = scale(standing.mean_rank), scale.left - 0.1 if at_left else scale.right + 0.1
    axes.plot([x, x, edge], [AXIS, y, y], color=colour, linewidth=1, zorder=2)
    axes.plot([edge], [y], color=colour, marker=marker, markersize=4.8, zorder=4)
    gap, side = (0.1 - OUT, "right") if at_left else (OUT - 0.1, "left")
    axes.text(edge + gap, y, _said(label(name), standing), ha=side, va="center", fontsize=SIZE)
