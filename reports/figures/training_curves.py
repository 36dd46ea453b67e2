"""The phases of training: accuracy first, then alignment of the factors, then compression."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from ...records.record import Record
from ..analysis.boards import TaskLeaderboard
from ..formatting import format_percent, format_ratio, label, unique_labels
from ..style import Style
from .canvas import WIDTH, compression_axis, legend_below, new_figure

CHOSEN = "one run of each entry, the one that ends nearest to compression 30"
COUNTED = "zero below: float32 eps (line), 0.001 (dots), validated threshold (mark)"
TYPICAL = math.log10(30)  # the compression at which an entry's training is shown
FLOOR = 1e-9
SMALL = "compression_at_1e-3"
PANELS = ("val_accuracy", "compression", "misalignment")
LONG, DOT = (3.0, 0.0), (1.0, 1.65)  # on and off in line widths: of a whole line, and of matplotlib's dots
Runs = Sequence[tuple[str, Record]]
Dash = tuple[float, tuple[float, ...]]


def representative(board: TaskLeaderboard, entry: str) -> Record | None:
    """The run that stands for an entry: logs misalignment, lives, ends nearest to compression 30."""
    runs = [
        (abs(o.x - TYPICAL), o.seed, o.record.id, o.record)
        for point in board.points[entry]
        for o in point.outcomes
        if not o.diverged and any("misalignment" in row for row in o.record.curve)
    ]
    alive = [run for run in runs if not run[3].collapsed_layers] or runs
    return min(alive, key=lambda run: run[:3])[3] if alive else None


def draw_phases(board: TaskLeaderboard, style: Mapping[str, Style]) -> Figure | None:
    """Three charts over the same steps; None when no entry logs its misalignment."""
    chosen = [(row.entry, representative(board, row.entry)) for row in board.rows]
    runs = [(entry, record) for entry, record in chosen if record is not None]
    if not runs:
        return None
    figure = new_figure(WIDTH, 5.6 + 0.17 * len(runs))
    grid = figure.subplots(3, 1, sharex=True)
    places = coincident(runs)
    for entry, record in runs:
        _run(grid, record, style[entry], places[entry])
    _finish(figure, grid, board, runs, style)
    return figure


def coincident(runs: Runs) -> dict[str, tuple[int, int]]:
    """Of each entry its number among those with the very same curves, and how many these are."""
    curves = {entry: [series(r.curve, key) for key in (*PANELS, SMALL)] for entry, r in runs}
    same = {entry: [e for e, its in curves.items() if its == own] for entry, own in curves.items()}
    return {entry: (group.index(entry), len(group)) for entry, group in same.items()}


def _run(grid: Sequence[Axes], record: Record, style: Style, place: tuple[int, int]) -> None:
    """A run's curves, and its end: the compression at the validated threshold, which no curve shows."""
    colour, marker, dash = style
    whole = interleaved(LONG, place) if place[1] > 1 else dash
    for axes, key in zip(grid, PANELS, strict=True):
        steps, values = series(record.curve, key)
        axes.plot(steps, values, color=colour, linestyle=whole, linewidth=1.4)
    # Numerically exact zeros come late, or in a short run never: small weights show the phase before.
    steps, values = series(record.curve, SMALL)
    grid[1].plot(steps, values, color=colour, linestyle=interleaved(DOT, place), linewidth=1.4)
    if record.compression is not None:
        last = max((row["step"] for row in record.curve if "step" in row), default=record.steps)
        grid[1].plot(
            [last], [record.compression], color=colour, marker=marker, markersize=6 + 3 * place[0],
            fillstyle="none", markeredgewidth=1.2, linestyle="none", clip_on=False, zorder=4,
        )  # fmt: skip


def interleaved(pattern: tuple[float, float], place: tuple[int, int]) -> Dash:
    """Dashes of the first, second, … of several lines on one place, so that each is seen between the others.

    `pattern`: on and off of one line alone; `place`: its number from 0, and how many there are.
    """
    (on, off), (number, count) = pattern, place
    step = on + off
    return step * ((count - number) % count), (on, off + step * (count - 1))


def series(curve: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    """Steps and values of the rows that have the key; accuracy in percent, misalignment above zero."""
    rows = sorted((row["step"], row[key]) for row in curve if key in row and "step" in row)
    scale, least = (100.0 if key == "val_accuracy" else 1.0), (FLOOR if key == "misalignment" else 0.0)
    return [step for step, _ in rows], [max(scale * value, least) for _, value in rows]


def _finish(
    figure: Figure,
    grid: Sequence[Axes],
    board: TaskLeaderboard,
    runs: Runs,
    style: Mapping[str, Style],
) -> None:
    top, middle, bottom = grid
    top.set_title(f"{label(board.task)}: phases of training", loc="left", y=1.0)
    top.set_ylabel("validation\naccuracy (%)")
    highest = max(
        (v for _, r in runs for key in ("compression", SMALL) for v in series(r.curve, key)[1]), default=1.0
    )
    highest = max(highest, *(r.compression or 1.0 for _, r in runs))
    compression_axis(middle, 0.9, max(12.0, 1.3 * highest), vertical=True)
    middle.set_ylabel("compression")
    middle.set_title(COUNTED, loc="left", y=1.0, fontsize=7, color="#404040")
    bottom.set_yscale("log")
    _plain_decades(bottom)
    bottom.set_ylabel("misalignment")
    bottom.set_xlabel("optimizer step")
    handles = [_handle(style[entry]) for entry, _ in runs]
    short = unique_labels(entry for entry, _ in runs)
    legend_below(figure, handles, [_caption(short[entry], record) for entry, record in runs], CHOSEN)
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


def _handle(style: Style) -> Line2D:
    colour, marker, dash = style
    return Line2D(
        [], [], color=colour, marker=marker, linestyle=dash, linewidth=1.4, markersize=6, fillstyle="none",
        markeredgewidth=1.2,
    )  # fmt: skip


def _caption(name: str, record: Record) -> str:
    """`dwf-3: test 94.2 % at compression 23.3 (|w| < 0.012), seed 3`."""
    test = record.test_accuracy
    accuracy = (
        f"test {format_percent(test)}"
        if test is not None
        else f"validation {format_percent(record.val_accuracy)}"
    )
    below = f" (|w| < {record.threshold:.2g})" if record.threshold else ""
    at = f"{format_ratio(record.compression)}{below}, seed {record.seed}"
    return f"{label(name)}: {accuracy} % at compression {at}"
