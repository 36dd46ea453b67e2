"""The accuracy axis: a piecewise linear scale that compresses the accuracies below the range that matters.

Nothing is clipped: the scale is continuous, goes down to chance, and has one bend, which the figure shows.
"""

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..accuracy_scale import Focus, _step


def accuracy_axis(axes: Axes, focus: Focus, size: float = 7) -> None:
    """Sets the piecewise linear accuracy scale on the y axis, shades its compressed part and labels ticks.

    Args:
        axes: The axes whose y axis shows accuracies as fractions of 1; its tick labels are in percent.
        focus: The limits of the scale and its bend, below which accuracies are compressed.
        size: Font size, in points, of the words "compressed scale" under the bend.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().subplots()
        >>> accuracy_axis(axes, Focus(bottom=0.0, bend=0.9, top=1.0))
        >>> [axes.yaxis.get_major_formatter()(tick, None) for tick in axes.get_yticks()]
        ['0', '50', '90', '92', '94', '96', '98', '100']
    """
    # Limits: `focus` gives both the scale and the two ends of the axis.
    axes.set_yscale("function", functions=(focus.forward, focus.inverse))
    axes.set_ylim(focus.bottom, focus.top)
    # Ticks: fine ones above the bend, coarse ones below it, none so near the bend that labels would overlap.
    step = _step(focus.top - focus.bend)
    first = math.ceil(focus.bend / step - 1e-9)
    upper = [i * step for i in range(first, math.floor(focus.top / step + 1e-9) + 1)]
    below = focus.bend - focus.bottom
    coarse = 0.2 if below <= 0.65 else 0.5
    lower = [i * coarse for i in range(6) if focus.bottom <= i * coarse <= focus.bend - 0.25 * below]
    axes.yaxis.set_major_locator(FixedLocator(lower + upper))
    axes.yaxis.set_minor_locator(NullLocator())
    digits = 1 if step < 0.01 else 0

    def shown(y: float, _: object) -> str:
        return f"{100 * y:.{digits}f}" if y >= focus.bend - 1e-9 else f"{100 * y:.0f}"

    axes.yaxis.set_major_formatter(FuncFormatter(shown))
    # The compressed part: shaded up to the bend, and named.
    axes.axhspan(focus.bottom, focus.bend, color="#f1f1f1", linewidth=0, zorder=0)
    axes.axhline(focus.bend, color="#bbbbbb", linewidth=0.8, linestyle=(0, (1, 2)), zorder=0.5)
    axes.text(
        0.008, focus.bend, "compressed scale", transform=axes.get_yaxis_transform(), ha="left", va="top",
        fontsize=size, color="#6a6a6a", zorder=8,
    )  # fmt: skip
