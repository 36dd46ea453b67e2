"""Which knobs a search depends on: the importance of each for accuracy and for compression."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from seaborn import heatmap  # type: ignore[import-untyped, unused-ignore]

from .canvas import WIDTH, new_figure
from .rows import Board
from .text import label, shortened

# Objective to entry to knob to its share of the importance; the shares of an entry sum to 1.
Importance = Mapping[str, Mapping[str, Mapping[str, float]]]
COMMON = ("lr", "weight_decay")


def draw_importance(board: Board, importance: Importance) -> Figure | None:
    """A heat map an objective, an entry a row, a knob a column; None where nothing was searched."""
    panels = {o: {e: s for e, s in shares.items() if s} for o, shares in importance.items()}
    panels = {objective: shares for objective, shares in panels.items() if shares}
    if not panels:
        return None
    entries = [row.entry for row in board.rows if any(row.entry in shares for shares in panels.values())]
    knobs = _ordered(panels)
    figure = new_figure(WIDTH, 1.3 + len(panels) * (0.35 + 0.21 * len(entries)))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (objective, shares) in zip(grid, panels.items(), strict=True):
        _panel(axes, objective, shares, entries, knobs)
    grid[-1].set_xticks(
        np.arange(len(knobs)) + 0.5, [label(shortened(k, 24)) for k in knobs], rotation=45, ha="right"
    )
    title = f"{label(board.task)}: importance of each knob in the search (%)"
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure


def _ordered(panels: Importance) -> list[str]:
    """The knobs that every method has first, then the others by how many entries have them."""
    counts: dict[str, int] = {}
    for shares in panels.values():
        for knobs in shares.values():
            for knob in knobs:
                counts[knob] = counts.get(knob, 0) + 1
    return sorted(counts, key=lambda k: (k not in COMMON, -counts[k], k))


def _panel(
    axes: Axes,
    objective: str,
    shares: Mapping[str, Mapping[str, float]],
    entries: Sequence[str],
    knobs: Sequence[str],
) -> None:
    table = np.array([[100 * shares.get(e, {}).get(k, np.nan) for k in knobs] for e in entries])
    heatmap(
        table, ax=axes, vmin=-12, vmax=100, cmap="Blues", cbar=False, annot=True, fmt=".0f",
        annot_kws={"fontsize": 7}, linewidths=0.5, linecolor="white",
    )  # fmt: skip
    axes.set_yticks(np.arange(len(entries)) + 0.5, [label(shortened(e)) for e in entries], rotation=0)
    axes.set_title(f"for {objective}", loc="left", fontsize=8)
    axes.tick_params(labelsize=7, length=0)
