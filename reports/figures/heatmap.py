"""A heat map with a number in each cell, for the figures of layers and of knobs."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from numpy.typing import NDArray
from seaborn import color_palette, despine  # type: ignore[import-untyped, unused-ignore]

DARK, LIGHT = "#202020", "white"
MOST_COLUMNS = 12  # with more columns, long names are vertical
GAP = 3.0  # points between the cells and their names
MOST_NUMBERED = 14  # columns: in narrower cells the numbers would overlap
MOST_NUMBERS = 100  # cells: more numbers would take longer to draw than all else in the figure


def draw_heat(
    axes: Axes,
    shades: NDArray[np.float64],
    limits: tuple[float, float],
    palette: str,
    said: Callable[[int, int], str],
    dark_from: Callable[[float], bool],
) -> None:
    """Draws a heat map, the first row at the top, with a text in each cell where there is room.

    Args:
        axes: The axes to fill; column i covers x from i to i + 1, and rows cover y likewise.
        shades: The values that the colours show, one a cell; NaN leaves a cell empty.
        limits: The values of the palette's first and last colour.
        palette: A palette's name, as seaborn has it.
        said: Returns the text of a cell, given its row and column; called where `shades` is not NaN. More
            than `MOST_NUMBERED` columns or `MOST_NUMBERS` cells get no texts.
        dark_from: Tells of a value whether its colour is dark, so that the text on it is white.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes, cells = Figure().subplots(), np.array([[10.0, 90.0]])
        >>> draw_heat(axes, cells, (0, 100), "Blues", lambda i, j: f"{cells[i, j]:g} %", lambda x: x > 60)
        >>> [(text.get_text(), text.get_color()) for text in axes.texts]
        [('10 %', '#202020'), ('90 %', 'white')]
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
    """Writes the names of a heat map's rows at its left.

    They are texts: ticks would take several times as long to make, measure and draw.

    Args:
        axes: The axes of the heat map.
        names: The names from the top row on.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().subplots()
        >>> name_rows(axes, ["dwf-3", "l1"])
        >>> [(text.get_text(), text.get_position()) for text in axes.texts]
        [('dwf-3', (0, 0.5)), ('l1', (0, 1.5))]
    """
    place, vertical, side = axes.get_yaxis_text1_transform(GAP)
    for row, name in enumerate(names):
        axes.text(0, row + 0.5, name, transform=place, va=vertical, ha=side, fontsize=7, clip_on=False)


def name_columns(axes: Axes, names: Sequence[str]) -> None:
    """Writes the names of a heat map's columns under it, rotated where they would overlap.

    Short names stay horizontal; long ones are rotated by 30°, or by 90° above `MOST_COLUMNS` columns.

    Args:
        axes: The axes of the heat map, of which this is the lowest where several share their columns.
        names: The names from the left column on.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().subplots()
        >>> name_columns(axes, ["layer1.conv1.weight", "layer1.conv2.weight", "fc.weight"])
        >>> [text.get_rotation() for text in axes.texts]
        [30.0, 30.0, 30.0]
    """
    place, vertical, middle = axes.get_xaxis_text1_transform(GAP)
    long = max((len(name) for name in names), default=0) * len(names)
    turn = 0 if long <= 48 else 90 if len(names) > MOST_COLUMNS else 30
    for column, name in enumerate(names):
        axes.text(
            column + 0.5, 0, name, transform=place, va=vertical, ha="right" if turn == 30 else middle,
            rotation=turn, rotation_mode="anchor" if turn == 30 else "default", fontsize=7, clip_on=False,
        )  # fmt: skip
