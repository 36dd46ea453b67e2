"""The phases of training: accuracy rises first, then the factors align, then compression rises."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from ...records.fields import CompressionPoint
from ...records.record import Record
from ..analysis.leaderboard import TaskLeaderboard
from ..formatting import format_percent, format_ratio, label, unique_labels
from ..style import Style, left_out, pictured
from .canvas import WIDTH, compression_axis, legend_below, new_figure

CHOSEN = "one run of each entry, the one that ends nearest to compression 30"
CHOSEN_AT = "one run of each entry, of the training that the board shows at compression {at:g}"
CUT = "the finished model, cut by magnitude where the mark is hollow"
COUNTED = "zero below: float32 eps (line), 0.001 (dots), validated threshold (mark)"
TYPICAL = math.log10(30)  # log10 of the compression at which an entry's training is shown
FLOOR = 1e-9  # least misalignment drawn: the axis is logarithmic
SMALL = "compression_at_1e-3"
PANELS = ("val_accuracy", "compression", "misalignment")
LONG, DOT = (3.0, 0.0), (1.0, 1.65)  # on and off, in line widths: a solid line, and matplotlib's dotted one
Runs = Sequence[tuple[str, Record]]
Dash = tuple[float, tuple[float, ...]]


def representative(board: TaskLeaderboard, entry: str) -> Record | None:
    """Returns the run that is shown for an entry: one that logs misalignment, at or near compression 30.

    It is of the training that the board shows at the common compression nearest to 30; of earlier versions
    the run that ends nearest to it.

    Args:
        board: The task's leaderboard.
        entry: A name in it.

    Returns:
        The record of a run that did not diverge, not collapsed where there is one; None where no
        run logs misalignment.

    Example:
        >>> run = representative(board, "dwf-3")
        >>> f"compression {run.compression:.1f}, seed {run.seed}"
        'compression 13.4, seed 1002'
        >>> representative(board, "magnitude") is None  # has no factors to align
        True
    """
    runs = [o for point in board.points[entry] for o in point.outcomes if not o.diverged]
    collapsed = not board.compressions  # a model that was cut may collapse without harm to what is shown
    runs.sort(key=lambda o: (collapsed and o.record.has_collapsed, abs(o.x - TYPICAL), o.seed, o.record.id))
    whole = (board.whole(o.record) for o in runs)  # read one at a time, until one has it
    return next((run for run in whole if any("misalignment" in row for row in run.curve)), None)


def draw_phases(board: TaskLeaderboard, style: Mapping[str, Style]) -> Figure | None:
    """Draws accuracy, compression and misalignment over the steps of training, for one run of each entry.

    Where the records have common compressions, a fourth chart has the finished model's accuracy at each.
    Compression counts zeros in three ways: below float32 eps (line), below 0.001 (dots), and at the end below
    the validated threshold (mark).

    Args:
        board: The task's leaderboard; of each entry `representative` chooses the run.
        style: Colour, marker and dash of each entry.

    Returns:
        The figure, three or four charts below each other; None where no entry logs its misalignment.

    Example:
        >>> figure = draw_phases(board, {"dwf-3": ("#0072B2", "o", (0, ()))})
        >>> [axes.get_ylabel() for axes in figure.axes[1:]]  # below the accuracy
        ['compression', 'misalignment']
        >>> print(figure.legends[0].get_texts()[0].get_text())
        dwf-3: test 97.8 % at compression 13.4 (|w| < 0.001), seed 1002
    """
    chosen = [(entry, representative(board, entry)) for entry in pictured([board])]
    runs = [(entry, record) for entry, record in chosen if record is not None]
    if not runs:
        return None
    measured = len(board.compressions) > 0
    figure = new_figure(WIDTH, 5.6 + 1.9 * measured + 0.17 * len(runs))
    spec = figure.add_gridspec(len(PANELS) + measured, 1)
    top = figure.add_subplot(spec[0])
    grid = [top, *(figure.add_subplot(spec[i], sharex=top) for i in range(1, len(PANELS)))]
    places = _coincident(runs)
    for entry, record in runs:
        _run(grid, record, style[entry], places[entry])
    if measured:
        _draw_at_compressions(figure.add_subplot(spec[-1]), board, runs, style)
    _finish(figure, grid, board, runs, style)
    return figure


def _draw_at_compressions(axes: Axes, board: TaskLeaderboard, runs: Runs, style: Mapping[str, Style]) -> None:
    """Draws the accuracy of each finished model at the common compressions, hollow where it was cut."""
    tests = all(p.test_accuracy is not None for _, record in runs for p in record.at_compressions)
    for entry, record in runs:
        colour, marker, dash = style[entry]
        shown = [(p.at, 100 * _accuracy_of(p, tests), p.cut) for p in record.at_compressions]
        axes.plot(
            [x for x, *_ in shown], [y for _, y, _ in shown], color=colour, linestyle=dash, linewidth=1.4
        )
        for cut, fill in ((False, colour), (True, "white")):
            some = [(x, y) for x, y, was in shown if was == cut]
            axes.plot(
                [x for x, _ in some], [y for _, y in some], linestyle="none", marker=marker, markersize=4.8,
                markerfacecolor=fill, markeredgecolor=colour, clip_on=False,
            )  # fmt: skip
    ticks = (1.0, *board.compressions)
    compression_axis(axes, 0.93, 1.3 * max(ticks), at=ticks)
    axes.set_xlabel("compression")
    axes.set_ylabel(f"{'test' if tests else 'validation'}\naccuracy (%)")
    axes.set_title(CUT, loc="left", y=1.0, fontsize=7, color="#404040")
    despine(ax=axes)


def _accuracy_of(point: CompressionPoint, tests: bool) -> float:
    return point.test_accuracy if tests and point.test_accuracy is not None else point.val_accuracy


def _coincident(runs: Runs) -> dict[str, tuple[int, int]]:
    """Returns of each entry its number, from 0, among those with equal curves, and how many these are."""
    curves = {entry: [series(r.curve, key) for key in (*PANELS, SMALL)] for entry, r in runs}
    same = {entry: [e for e, its in curves.items() if its == own] for entry, own in curves.items()}
    return {entry: (group.index(entry), len(group)) for entry, group in same.items()}


def _run(grid: Sequence[Axes], record: Record, style: Style, place: tuple[int, int]) -> None:
    """Draws a run's curves, and a mark for its compression at the validated threshold, which no curve has."""
    colour, marker, dash = style
    whole = interleaved(LONG, place) if place[1] > 1 else dash
    for axes, key in zip(grid, PANELS, strict=True):
        steps, values = series(record.curve, key)
        axes.plot(steps, values, color=colour, linestyle=whole, linewidth=1.4)
    # Weights reach float32 eps late, or in a short run never: the dotted curve shows them fall below 0.001.
    steps, values = series(record.curve, SMALL)
    grid[1].plot(steps, values, color=colour, linestyle=interleaved(DOT, place), linewidth=1.4)
    if record.compression is not None:
        last = max((row["step"] for row in record.curve if "step" in row), default=record.steps)
        grid[1].plot(
            [last], [record.compression], color=colour, marker=marker, markersize=6 + 3 * place[0],
            fillstyle="none", markeredgewidth=1.2, linestyle="none", clip_on=False, zorder=4,
        )  # fmt: skip


def interleaved(pattern: tuple[float, float], place: tuple[int, int]) -> Dash:
    """Returns the dashes of one of several coincident lines, so that each is visible between the others.

    Args:
        pattern: On and off of such a line where it is alone, in line widths.
        place: The line's number from 0, and how many lines coincide.

    Returns:
        matplotlib's dash pattern: the offset, then on and off; the offs leave room for the other lines.

    Example:
        >>> interleaved((3.0, 0.0), (0, 2)), interleaved((3.0, 0.0), (1, 2))
        ((0.0, (3.0, 3.0)), (3.0, (3.0, 3.0)))
    """
    (on, off), (number, count) = pattern, place
    step = on + off
    return step * ((count - number) % count), (on, off + step * (count - 1))


def series(curve: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    """Returns the steps and the values of one quantity of a training curve, by rising step.

    Args:
        curve: Rows of a record's `curve`: logged quantities by name, and `step`, the optimizer step.
        key: The quantity, such as `val_accuracy`; rows without it, or without a step, are left out.

    Returns:
        The steps, and the values: accuracy in percent, misalignment at least `FLOOR`, all others from 0.

    Example:
        >>> series([{"step": 10, "val_accuracy": 0.5}, {"step": 20, "train_loss": 1.2}], "val_accuracy")
        ([10], [50.0])
    """
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
    # Axes: accuracy, compression up to the largest value shown, misalignment.
    top, middle, bottom = grid
    top.set_title(f"{label(board.task)}: phases of training{left_out([board])}", loc="left", y=1.0)
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
    # Legend: of each entry what its run came to.
    handles = [_handle(style[entry]) for entry, _ in runs]
    short = unique_labels(entry for entry, _ in runs)
    captions = [_caption(short[entry], record) for entry, record in runs]
    near = min(board.compressions, key=lambda c: abs(math.log10(c) - TYPICAL), default=None)
    legend_below(figure, handles, captions, CHOSEN if near is None else CHOSEN_AT.format(at=near))
    for axes in grid:
        despine(ax=axes)
        axes.tick_params(labelbottom=axes is bottom)
    figure.align_ylabels()


def _plain_decades(axes: Axes) -> None:
    """Sets ticks at powers of ten and, over less than two decades, at 3 between them, as plain numbers."""
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
    """Returns a run's caption: `dwf-3: test 94.2 % at compression 23.3 (|w| < 0.012), seed 3`."""
    test = record.test_accuracy
    accuracy = (
        f"test {format_percent(test)}"
        if test is not None
        else f"validation {format_percent(record.val_accuracy)}"
    )
    below = f" (|w| < {record.threshold:.2g})" if record.threshold else ""
    at = f"{format_ratio(record.compression)}{below}, seed {record.seed}"
    return f"{label(name)}: {accuracy} % at compression {at}"
