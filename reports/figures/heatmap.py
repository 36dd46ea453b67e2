"""A heat map with its numbers written in: what the figures of layers and of knobs share."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from numpy.typing import NDArray
from seaborn import color_palette, despine  # type: ignore[import-untyped, unused-ignore]

DARK, LIGHT = "#202020", "white"
MOST_COLUMNS = 12  # with more their names stand upright
GAP = 3.0  # points between the cells and their names
MOST_NUMBERED = 14  # columns: in narrower cells the numbers would run into each other
MOST_NUMBERS = 100  # more of them would take longer to draw than all else in the figure


def draw_heat(
    axes: Axes,
    shades: NDArray[np.float64],
    limits: tuple[float, float],
    palette: str,
    said: Callable[[int, int], str],
    dark_from: Callable[[float], bool],
) -> None:
    """Cells of `shades` (nan: none) coloured between `limits`, with `said(row, column)` where there is room.

    `dark_from` says of a shade whether its colour is dark, so that the text on it has to be light.
    """
    colours: Colormap = color_palette(palette, as_cmap=True)
    low, high = limits
    shown = np.ma.masked_invalid(shades)
    axes.pcolormesh(shown, vmin=low, vmax=high, cmap=colours, edgecolors="white", linewidth=0.5)
    axes.invert_yaxis()
    if shades.shape[1] <= MOST_NUMBERED and shown.count() <= MOST_NUMBERS:
        for (row, column), shade in np.ndenumerate(shades):
            if not np.isnan(shade):
                ink = LIGHT if dark_from(float(shade)) else DARK
                axes.text(
                    column + 0.5, row + 0.5, said(row, column), color=ink, fontsize=7, ha="center",
                    va="center", in_layout=False,
                )  # fmt: skip
    despine(ax=axes, left=True, bottom=True)
    axes.set_xticks([])
    axes.set_yticks([])


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names beside the rows, as text: ticks would take several times as long to make, measure and draw."""
    place, vertical, side = axes.get_yaxis_text1_transform(GAP)
    for row, name in enumerate(names):
        axes.text(0, row + 0.5, name, transform=place, va=vertical, ha=side, fontsize=7, clip_on=False)


def name_columns(axes: Axes, names: Sequence[str]) -> None:
    """Names under the columns, turned as far as their number asks for."""
    place, vertical, middle = axes.get_xaxis_text1_transform(GAP)
    long = max((len(name) for name in names), default=0) * len(names)
    turn = 0 if long <= 48 else 90 if len(names) > MOST_COLUMNS else 30
    for column, name in enumerate(names):
        axes.text(
            column + 0.5, 0, name, transform=place, va=vertical, ha="right" if turn == 30 else middle,
            rotation=turn, rotation_mode="anchor" if turn == 30 else "default", fontsize=7, clip_on=False,
        )  # fmt: skip
