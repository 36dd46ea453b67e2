"""The phases of training: accuracy first, then alignment of the factors, then compression."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from ..bench.records import Record
from .canvas import WIDTH, compression_axis, legend_below, new_figure
from .rows import Board
from .style import Style
from .text import label, percent, ratio, shortened

TYPICAL = math.log10(30)  # the compression at which an entry's training is shown
FLOOR = 1e-9
SMALL = "compression_at_1e-3"


def representative(board: Board, entry: str) -> Record | None:
    """The run that stands for an entry: logs misalignment, lives, ends nearest to compression 30."""
    runs = [
        (abs(o.x - TYPICAL), o.seed, o.record.id, o.record)
        for point in board.points[entry]
        for o in point.outcomes
        if not o.diverged and any("misalignment" in row for row in o.record.curve)
    ]
    alive = [run for run in runs if not run[3].collapsed_layers] or runs
    return min(alive, key=lambda run: run[:3])[3] if alive else None


def draw_phases(board: Board, style: Mapping[str, Style]) -> Figure | None:
    """Three charts over the same steps; None when no entry logs its misalignment."""
    chosen = [(row.entry, representative(board, row.entry)) for row in board.rows]
    runs = [(entry, record) for entry, record in chosen if record is not None]
    if not runs:
        return None
    figure = new_figure(WIDTH, 5.4 + 0.12 * len(runs))
    grid = figure.subplots(3, 1, sharex=True)
    for entry, record in runs:
        colour, _, dash = style[entry]
        for axes, key in zip(grid, ("val_accuracy", "compression", "misalignment"), strict=True):
            steps, values = series(record.curve, key)
            axes.plot(steps, values, color=colour, linestyle=dash, linewidth=1.4)
        # Numerically exact zeros come late, or in a short run never: small weights show the phase before.
        steps, values = series(record.curve, SMALL)
        grid[1].plot(steps, values, color=colour, linestyle=":", linewidth=1.4)
    _finish(figure, grid, board, runs, style)
    return figure


def series(curve: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    """Steps and values of the rows that have the key; accuracy in percent, misalignment above zero."""
    rows = sorted((row["step"], row[key]) for row in curve if key in row and "step" in row)
    scale, least = (100.0 if key == "val_accuracy" else 1.0), (FLOOR if key == "misalignment" else 0.0)
    return [step for step, _ in rows], [max(scale * value, least) for _, value in rows]


def _finish(
    figure: Figure,
    grid: Sequence[Axes],
    board: Board,
    runs: Sequence[tuple[str, Record]],
    style: Mapping[str, Style],
) -> None:
    top, middle, bottom = grid
    top.set_title(f"{label(board.task)}: phases of training", loc="left", y=1.0)
    top.set_ylabel("validation\naccuracy (%)")
    highest = max(
        (v for _, r in runs for key in ("compression", SMALL) for v in series(r.curve, key)[1]), default=1.0
    )
    compression_axis(middle, 0.9, max(12.0, 1.3 * highest), vertical=True)
    middle.set_ylabel("compression")
    middle.text(
        0.01, 0.97, "dotted: |w| < 0.001 counted as zero\nsolid: |w| < float32 eps",
        transform=middle.transAxes, fontsize=7, va="top", color="#404040",
    )  # fmt: skip
    bottom.set_yscale("log")
    _plain_decades(bottom)
    bottom.set_ylabel("misalignment")
    bottom.set_xlabel("optimizer step")
    handles = [Line2D([], [], color=style[e][0], linestyle=style[e][2], linewidth=1.4) for e, _ in runs]
    legend_below(figure, handles, [_caption(entry, record) for entry, record in runs])
    for axes in grid:
        despine(ax=axes)
    figure.align_ylabels(list(grid))


def _plain_decades(axes: Axes) -> None:
    """Ticks at powers of ten and, over less than two decades, at 3 between them; as plain numbers."""
    low, high = axes.get_ylim()
    between = (1, 3) if high / low < 100 else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=between, numticks=8))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _caption(entry: str, record: Record) -> str:
    accuracy = record.test_accuracy if record.test_accuracy is not None else record.val_accuracy
    return f"{label(shortened(entry))}: {percent(accuracy)} % at {ratio(record.compression)}"
