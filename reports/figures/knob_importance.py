"""The importance of each knob in the search, for accuracy and for compression, as heat maps."""

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.leaderboard import TaskLeaderboard
from ..formatting import label, shortened, unique_labels
from ..style import left_out, shown
from .canvas import WIDTH, new_figure
from .heatmap import draw_heat, name_columns, name_rows
from .share import Importance

COMMON = ("lr", "weight_decay")


def draw_importance(board: TaskLeaderboard, importance: Importance) -> Figure | None:
    """Draws the importance of knobs: a heat map an objective, an entry a row, a knob a column.

    Args:
        board: The task's leaderboard, which gives the order of the rows; other entries are left out.
        importance: Shares of the importance by objective, entry and knob; those of an entry sum to 1. NaN
            leaves a cell empty.

    Returns:
        The figure, or None where no entry has a finite share.

    Example:
        >>> figure = draw_importance(board, {"accuracy": {"dwf-3": {"strength": 0.1, "lr": 0.9}}})
        >>> [text.get_text() for text in figure.axes[0].texts]  # cells in percent, rows, columns
        ['90', '10', 'dwf-3', 'lr', 'strength']
    """
    panels = {o: _known(board, shares) for o, shares in importance.items()}
    panels = {objective: shares for objective, shares in panels.items() if shares}
    if not panels:
        return None
    knobs = _ordered(panels)
    tall = [0.35 + 0.21 * len(shares) for shares in panels.values()]
    figure = new_figure(WIDTH, 1.3 + sum(tall))
    grid = figure.subplots(len(panels), 1, sharex=True, height_ratios=tall, squeeze=False)[:, 0]
    for axes, (objective, shares) in zip(grid, panels.items(), strict=True):
        _panel(axes, objective, shares, knobs)
    name_columns(grid[-1], [label(shortened(k, 24)) for k in knobs])
    bar = figure.colorbar(grid[0].collections[0], ax=list(grid), pad=0.01, shrink=0.5, fraction=0.05)
    bar.set_ticks([0, 50, 100])
    bar.ax.set_ylim(0, 100)
    bar.ax.tick_params(labelsize=7)
    title = f"{label(board.task)}: importance of each knob in the search (%){left_out([board])}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure


def _known(
    board: TaskLeaderboard, shares: Mapping[str, Mapping[str, float]]
) -> dict[str, Mapping[str, float]]:
    """Returns the shares of entries with a finite one, in the order of the table: no row is empty."""
    return {e: shares[e] for e in shown(board) if any(map(isfinite, shares.get(e, {}).values()))}


def _ordered(panels: Importance) -> list[str]:
    """Returns the knobs that every method has first, then the others by how many entries have them."""
    counts: dict[str, int] = {}
    for shares in panels.values():
        for knobs in shares.values():
            for knob in knobs:
                counts[knob] = counts.get(knob, 0) + 1
    return sorted(counts, key=lambda k: (k not in COMMON, -counts[k], k))


def _panel(
    axes: Axes, objective: str, shares: Mapping[str, Mapping[str, float]], knobs: Sequence[str]
) -> None:
    table = np.array([[100 * of.get(k, np.nan) for k in knobs] for of in shares.values()])
    draw_heat(
        axes, table, (-12.0, 100.0), "Blues",
        said=lambda row, column: f"{table[row, column]:.0f}",
        dark_from=lambda share: share > 60,
    )  # fmt: skip
    name_rows(axes, [*map(label, unique_labels(shares).values())])
    axes.set_title(f"for {objective}", loc="left", y=1.0, fontsize=8)
