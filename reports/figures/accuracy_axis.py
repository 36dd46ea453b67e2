"""The accuracy axis: most of its height for the range that matters, and the rest down to chance, compressed.

Nothing is clipped: the scale is continuous and piecewise linear with one bend, which the figure shows.
"""

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..accuracy_scale import Focus, _step


def accuracy_axis(axes: Axes, focus: Focus, size: float = 7) -> None:
    """Set the scale, shade the compressed part, name it (in `size`) and label the ticks in percent."""
    axes.set_yscale("function", functions=(focus.forward, focus.inverse))
    axes.set_ylim(focus.bottom, focus.top)
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
    axes.axhspan(focus.bottom, focus.bend, color="#f1f1f1", linewidth=0, zorder=0)
    axes.axhline(focus.bend, color="#bbbbbb", linewidth=0.8, linestyle=(0, (1, 2)), zorder=0.5)
    axes.text(
        0.008, focus.bend, "compressed scale", transform=axes.get_yaxis_transform(), ha="left", va="top",
        fontsize=size, color="#6a6a6a", zorder=8,
    )  # fmt: skip
