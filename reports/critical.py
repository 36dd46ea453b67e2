"""The critical-difference diagram: mean ranks over tasks, bars joining what cannot be told apart.

After Demšar, JMLR 7 (2006), figure 1: the bars are the groups of Nemenyi's test. Drawn in inches from the
top left corner, so that any number of entries keeps its distances.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .canvas import WIDTH, new_figure
from .overall import Overall, Standing
from .style import Style
from .text import label, shortened

INK = "#303030"
MARGIN = 1.5  # for the names
AXIS = 0.8  # where the axis lies
BAR = 0.12  # between bars
NAME = 0.24  # between names


@dataclass(frozen=True)
class Scale:
    """Ranks from 1 (left) to `worst` (right) as inches."""

    worst: int

    def __call__(self, rank: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * (rank - 1) / (self.worst - 1)


def draw_critical(result: Overall, style: Mapping[str, Style]) -> Figure:
    """An axis of mean ranks, the best at the left; names at both sides, each led to its rank."""
    half = (len(result.standings) + 1) // 2
    left, right = result.standings[:half], result.standings[half:]
    first = AXIS + BAR * len(result.groups) + 0.3
    height = first + NAME * (half - 1) + 0.2
    figure = new_figure(WIDTH, height)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    scale = Scale(len(result.standings))
    _axis(axes, scale)
    _reach(axes, result, scale)
    _bars(axes, result, scale)
    for i, standing in enumerate(left):
        _name(axes, standing, style[standing.entry], scale, first + NAME * i, at_left=True)
    for i, standing in enumerate(reversed(right)):
        _name(axes, standing, style[standing.entry], scale, first + NAME * i, at_left=False)
    return figure


def _axis(axes: Axes, scale: Scale) -> None:
    axes.plot([scale(1), scale(scale.worst)], [AXIS, AXIS], color=INK, linewidth=1)
    step = max(1, round(scale.worst / 10))
    for rank in range(1, scale.worst + 1):
        labelled = (rank - 1) % step == 0
        axes.plot([scale(rank)] * 2, [AXIS - (0.08 if labelled else 0.04), AXIS], color=INK, linewidth=1)
        if labelled:
            axes.text(scale(rank), AXIS - 0.12, str(rank), ha="center", va="bottom", fontsize=8)


def _reach(axes: Axes, result: Overall, scale: Scale) -> None:
    """The critical difference as a length, above the axis."""
    end = min(1 + result.critical_difference, float(scale.worst))
    axes.plot([scale(1), scale(end)], [0.36, 0.36], color=INK, linewidth=1)
    for x in (scale(1), scale(end)):
        axes.plot([x, x], [0.32, 0.40], color=INK, linewidth=1)
    text = f"mean rank over {len(result.tasks)} tasks; critical difference {result.critical_difference:.2f}"
    axes.text(0.08, 0.24, text, ha="left", va="bottom", fontsize=8)


def _bars(axes: Axes, result: Overall, scale: Scale) -> None:
    ranks = {s.entry: s.mean_rank for s in result.standings}
    for i, group in enumerate(result.groups):
        ends = [scale(ranks[group[0]]) - 0.03, scale(ranks[group[-1]]) + 0.03]
        y = AXIS + BAR * (i + 1)
        axes.plot(ends, [y, y], color=INK, linewidth=2.6, solid_capstyle="round", zorder=3)


def _name(axes: Axes, standing: Standing, style: Style, scale: Scale, y: float, *, at_left: bool) -> None:
    """A line from the rank down and out to the name, in the entry's colour and with its marker."""
    colour, marker, _ = style
    x, edge = scale(standing.mean_rank), MARGIN - 0.1 if at_left else WIDTH - MARGIN + 0.1
    axes.plot([x, x, edge], [AXIS, y, y], color=colour, linewidth=1, zorder=2)
    axes.plot([edge], [y], color=colour, marker=marker, markersize=4.8, zorder=4)
    text = f"{label(shortened(standing.entry, 16))}  {standing.mean_rank:.2f}"
    gap, side = (-0.08, "right") if at_left else (0.08, "left")
    axes.text(edge + gap, y, text, ha=side, va="center", fontsize=8)
