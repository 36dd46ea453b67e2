"""The parts that all figures share: style, canvas without a display, axes of compression, saved files."""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import seaborn as sns  # type: ignore[import-untyped, unused-ignore]
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from PIL import Image

from ...files import write_atomic
from ...records.fields import Granularity
from ..formatting import slug

DPI = 160
WIDTH = 5.2  # inches: a paper's column, and text that a phone can show without zooming
TICKS = tuple(m * 10**e for e in range(7) for m in (1, 2, 5))
SPARSE_TICKS = tuple(m * 10**e for e in range(7) for m in (1, 3))


@contextmanager
def paper_style() -> Iterator[None]:
    """Applies seaborn's "paper" style to figures that are drawn and saved inside the block.

    SVG text stays text, and the ids in an SVG are the same in each run, so that files can be compared.

    Yields:
        None; matplotlib's parameters are restored at the end of the block.

    Example:
        >>> import matplotlib
        >>> with paper_style():
        ...     matplotlib.rcParams["svg.fonttype"], matplotlib.rcParams["svg.hashsalt"]
        ('none', 'sparsebench')
    """
    fixed: dict[str, Any] = {
        "svg.hashsalt": "sparsebench",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "axes.formatter.useoffset": False,
        "text.usetex": False,
    }
    themes = sns.axes_style("ticks") | sns.plotting_context("paper", font_scale=1.0)
    # Matplotlib reads a matplotlibrc of the working folder; its own defaults first, that one changes nothing.
    with style.context(["default", themes | fixed]), warnings.catch_warnings():
        # A character that the font lacks is a box in the PNG; the SVG holds it as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(width: float, height: float) -> Figure:
    """Returns an empty figure that has an Agg canvas, no window and no place in pyplot's list of figures.

    Args:
        width: Width in inches; `WIDTH` is that of a column of a paper.
        height: Height in inches.

    Returns:
        The figure, at `DPI` pixels an inch.

    Example:
        >>> new_figure(5.2, 4.0).bbox.size.tolist()
        [832.0, 640.0]
    """
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, stem: Path, task: str) -> list[Path]:
    """Writes a task's figure as `<stem>-<task>.png` and `.svg`; see `save_as`.

    Args:
        figure: The finished drawing.
        stem: The folder and the beginning of the file names.
        task: The task's name; characters that a file name cannot have are replaced by `slug`.

    Returns:
        The paths of the PNG and of the SVG.

    Raises:
        SparsebenchError: If the folder cannot be written.

    Example:
        >>> [path.name for path in save(new_figure(1, 1), Path("fronts"), "mnist-lenet5")]
        ['fronts-mnist-lenet5.png', 'fronts-mnist-lenet5.svg']
    """
    return save_as(figure, stem.with_name(f"{stem.name}-{slug(task)}"))


def save_as(figure: Figure, base: Path) -> list[Path]:
    """Writes a figure as `<base>.png` and `<base>.svg`; the same figure gives the same bytes.

    Each canvas writes its own format: `Figure.savefig` would draw everything once more before each file,
    for its layout alone, which `_arrange` has already computed.

    Args:
        figure: The finished drawing; its layout is computed here, once.
        base: The path of the files without their suffix, which is appended even where the name has a dot.

    Returns:
        The paths of the PNG (RGB, without transparency) and of the SVG (without a date).

    Raises:
        SparsebenchError: If the folder cannot be written.

    Example:
        >>> png, svg = save_as(new_figure(2, 1), Path("made", "width-0.5"))
        >>> with Image.open(png) as picture:
        ...     png.name, svg.name, picture.size
        ('width-0.5.png', 'width-0.5.svg', (320, 160))
    """
    _arrange(figure)
    png, svg = io.BytesIO(), io.BytesIO()
    agg: Any = FigureCanvasAgg(figure)  # neither canvas has types for what it draws
    agg.draw()
    picture = Image.fromarray(np.asarray(agg.buffer_rgba())).convert("RGB")  # without transparency
    picture.save(png, "png", compress_level=1, dpi=(DPI, DPI))  # faster, for a few per cent more bytes
    vector: Any = FigureCanvasSVG(figure)
    vector.print_svg(svg, metadata={"Date": None})
    return [
        write_atomic(base.with_name(base.name + end), buffer.getvalue())
        for end, buffer in ((".png", png), (".svg", svg))
    ]


def _arrange(figure: Figure) -> None:
    """Computes the constrained layout once; an engine left in place would repeat it at each draw.

    For the same reason each figure sets the `y` of its titles: otherwise each draw searches for it above all
    ticks.
    """
    if all(axes.get_subplotspec() is None for axes in figure.axes):
        return  # axes at fixed positions, as in the critical-difference diagram
    figure.set_layout_engine("constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")


def legend_below(
    figure: Figure,
    handles: Sequence[Line2D],
    names: Sequence[str],
    title: str = "",
    marks: Mapping[str, Line2D] | None = None,
) -> None:
    """Adds a legend under the axes, in as many columns (1 to 4) as the longest name leaves room for.

    Args:
        figure: A figure of width `WIDTH`.
        handles: The symbols, one an entry; without any no legend is drawn.
        names: The texts beside them, in the same order; a text may have several lines.
        title: A line above the legend; empty for none.
        marks: Symbols that are no entry's, by their words; they have the last column for themselves.

    Example:
        >>> figure = new_figure(WIDTH, 2.0)
        >>> legend_below(figure, [Line2D([], []), Line2D([], [])], ["1  dwf-3", "2  l1"], "rank")
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['1  dwf-3', '2  l1']
    """
    marks = marks or {}
    if not handles and not marks:
        return
    columns, rows = legend_grid(names, marks)
    if marks and columns > 1:
        gap = [""] * (rows * (columns - 1) - len(names))
        names = [*names, *gap, *marks, *[""] * (rows - len(marks))]
        nothing = [Line2D([], [], linestyle="none") for _ in names]
        handles = [*handles, *nothing[: len(gap)], *marks.values(), *nothing[: rows - len(marks)]]
    else:
        handles, names = [*handles, *marks.values()], [*names, *marks]
    legend = figure.legend(
        handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=8,
        handlelength=2.6, labelspacing=0.35, columnspacing=1.4, title=title or None, title_fontsize=8,
    )  # fmt: skip
    legend.set_alignment("left")


def legend_grid(names: Sequence[str], marks: Sequence[str] | Mapping[str, Line2D] = ()) -> tuple[int, int]:
    """Returns how many columns and rows a legend under the axes has.

    Args:
        names: The texts of the entries; a text may have several lines.
        marks: The texts of the marks, which have the last column for themselves.

    Returns:
        1 to 4 columns, as many as the longest texts leave room for, and the rows of the longest column.

    Example:
        >>> legend_grid(["1  dwf-3", "2  l1"], ["by itself", "cut to it", "learned nothing"])
        (2, 3)
    """
    longest, last = (
        max([len(line) for t in texts for line in t.splitlines()], default=0) for texts in (names, marks)
    )
    room = WIDTH * 13 - (last + 6 if marks else 0)
    columns = max(1, min(4 - bool(marks), len(names), int(room / (longest + 6 + (not marks)))))
    rows = max(1, len(marks), -(-len(names) // columns))
    return -(-len(names) // rows) + bool(marks), rows


COUNTED: dict[Granularity, str] = {
    "weights": "compression: prunable weights / nonzero weights",
    "channels": "compression: multiply-accumulates, dense / left",
}
"""The label of an axis of compression, by what is removed on the task."""


def compression_axis(
    axes: Axes, low: float, high: float, vertical: bool = False, at: Sequence[float] = ()
) -> None:
    """Makes an axis a logarithmic one of compression, with ticks at round numbers or at given ones.

    Round ticks lie at 1, 2, 5, 10, … or, on an axis that is vertical or spans a factor of 1500 or more, at
    1, 3, 10, …; on a vertical one that spans more than a factor of 300 at powers of ten alone.

    Args:
        axes: The axes whose x axis (or y axis) shows compressions as ratios.
        low: The compression at its beginning, above 0; slightly below 1 shows the markers at 1 whole.
        high: The compression at its end.
        vertical: Whether the y axis is meant, which has room for fewer labels.
        at: The compressions of the ticks; without any they are round numbers.

    Example:
        >>> axes = new_figure(4, 2).subplots()
        >>> compression_axis(axes, 0.93, 100)
        >>> axes.get_xticks().tolist()
        [1, 2, 5, 10, 20, 50, 100]
        >>> compression_axis(axes, 0.93, 100, at=[4, 16, 64])
        >>> axes.get_xticks().tolist()
        [4, 16, 64]
    """
    axis = axes.yaxis if vertical else axes.xaxis
    if vertical:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
    else:
        axes.set_xscale("log")
        axes.set_xlim(low, high)
    ticks: Sequence[float] = TICKS if high / low < 1500 and not vertical else SPARSE_TICKS
    ticks = at or ticks
    if not at and vertical and high / low > 300:
        ticks = tuple(t for t in SPARSE_TICKS if str(t).startswith("1"))
    axis.set_major_locator(FixedLocator([t for t in ticks if low <= t <= high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
