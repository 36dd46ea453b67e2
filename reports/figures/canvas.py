"""What the figures share: a canvas without a display, fonts, axes of compression, and files that repeat."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import seaborn as sns  # type: ignore[import-untyped, unused-ignore]
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from PIL import Image

from ...files import write_atomic
from ..formatting import slug

DPI = 160
WIDTH = 5.2  # inches: a paper's column, and text that a phone can show without zooming
TICKS = tuple(m * 10**e for e in range(7) for m in (1, 2, 5))
SPARSE_TICKS = tuple(m * 10**e for e in range(7) for m in (1, 3))


@contextmanager
def paper_style() -> Iterator[None]:
    """Seaborn's paper look for what is drawn and saved inside; SVG text stays text and ids repeat."""
    fixed: dict[str, Any] = {
        "svg.hashsalt": "sparsebench",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "axes.formatter.useoffset": False,
        "text.usetex": False,
    }
    themes = sns.axes_style("ticks") | sns.plotting_context("paper", font_scale=1.0)
    with matplotlib.rc_context(themes | fixed), warnings.catch_warnings():
        # A name in a script the font lacks shows boxes in the PNG; the SVG's text is whole.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(width: float, height: float) -> Figure:
    """A figure that belongs to no window and no global list."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, stem: Path, task: str) -> list[Path]:
    """`<stem>-<task>.png` and `.svg`; the same figure gives the same bytes."""
    return save_as(figure, stem.with_name(f"{stem.name}-{slug(task)}"))


def save_as(figure: Figure, base: Path) -> list[Path]:
    """`<base>.png` and `<base>.svg`.

    Each canvas is asked for its own format: `Figure.savefig` would draw everything once more before each
    file, only to lay it out, which `_arrange` has done.
    """
    _arrange(figure)
    png, svg = io.BytesIO(), io.BytesIO()
    agg: Any = FigureCanvasAgg(figure)  # neither canvas has types for what it draws
    agg.draw()
    picture = Image.fromarray(np.asarray(agg.buffer_rgba())).convert("RGB")  # nothing shows through
    picture.save(png, "png", compress_level=1, dpi=(DPI, DPI))  # sooner, for a few per cent more bytes
    vector: Any = FigureCanvasSVG(figure)
    vector.print_svg(svg, metadata={"Date": None})
    return [
        write_atomic(base.with_name(base.name + end), buffer.getvalue())
        for end, buffer in ((".png", png), (".svg", svg))
    ]


def _arrange(figure: Figure) -> None:
    """Make room for labels and legends once; an engine left in place would do it again at each draw.

    For the same reason titles are given their `y`: else each draw looks for it above all ticks.
    """
    if all(axes.get_subplotspec() is None for axes in figure.axes):
        return  # drawn at places of its own
    figure.set_layout_engine("constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")


def legend_below(figure: Figure, handles: Sequence[Line2D], names: Sequence[str], title: str = "") -> None:
    """A legend under the axes, by columns, as many as the longest name leaves room for."""
    if not handles:
        return
    longest = max(len(line) for name in names for line in name.splitlines())
    columns = max(1, min(4, len(names), int(WIDTH * 13 / (longest + 7))))
    legend = figure.legend(
        handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=8,
        handlelength=2.6, labelspacing=0.35, columnspacing=1.4, title=title or None, title_fontsize=8,
    )  # fmt: skip
    legend.set_alignment("left")


def compression_axis(axes: Axes, low: float, high: float, vertical: bool = False) -> None:
    """A log axis of compression: ticks at 1, 2, 5, 10, … or, over more than three decades, at 1, 3, 10, …"""
    axis = axes.yaxis if vertical else axes.xaxis
    if vertical:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
    else:
        axes.set_xscale("log")
        axes.set_xlim(low, high)
    ticks = TICKS if high / low < 1500 and not vertical else SPARSE_TICKS
    if vertical and high / low > 300:
        ticks = tuple(t for t in SPARSE_TICKS if str(t).startswith("1"))
    axis.set_major_locator(FixedLocator([t for t in ticks if low <= t <= high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
