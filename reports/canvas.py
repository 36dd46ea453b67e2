"""What the figures share: a canvas without a display, fonts, axes of compression, and files that repeat."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import seaborn as sns  # type: ignore[import-untyped, unused-ignore]
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from .files import write_atomic
from .text import slug

DPI = 160
TICKS = tuple(m * 10**e for e in range(7) for m in (1, 2, 5))
SPARSE_TICKS = tuple(m * 10**e for e in range(7) for m in (1, 3))


@contextmanager
def look() -> Iterator[None]:
    """Seaborn's paper look for what is drawn and saved inside; SVG text stays text and ids repeat."""
    fixed: dict[str, Any] = {
        "svg.hashsalt": "sparsebench",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "axes.formatter.useoffset": False,
        "text.usetex": False,
    }
    themes = sns.axes_style("ticks") | sns.plotting_context("paper", font_scale=1.15)
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
    _arrange(figure)
    paths = []
    for kind in ("png", "svg"):
        buffer = io.BytesIO()
        metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None}
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
        paths.append(write_atomic(stem.with_name(f"{stem.name}-{slug(task)}.{kind}"), buffer.getvalue()))
    return paths


def _arrange(figure: Figure) -> None:
    """Make room for labels and legends once; an engine left in place would do it again at each draw."""
    figure.set_layout_engine("constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")


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
