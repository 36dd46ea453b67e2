"""The figures of a run: accuracy against compression for each task, and what draws the others. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory
from seaborn import despine  # type: ignore[import-untyped, unused-ignore]

from ..bench.records import Record
from . import curves, density, notes
from .canvas import compression_axis, look, new_figure, save
from .focus import Focus, accuracy_axis, focus_on
from .pareto import X_MAX
from .points import Point
from .rows import Board, boards, on_front
from .style import Style, style_of
from .text import label, percent

Styles = Mapping[str, Style]


def style_for(found: Sequence[Board]) -> dict[str, Style]:
    """One style for each entry over all tasks, so that colours agree between figures."""
    rows = [row for board in found for row in board.rows]
    return style_of((row.entry for row in rows), {row.entry for row in rows if row.baseline})


def draw_all(board: Board, folder: Path, style: Styles) -> list[Path]:
    """Every figure that a task's records have the data for."""
    with look():
        drawn = [
            (draw_fronts(board, style), folder / "fronts"),
            (curves.draw_phases(board, style), folder / "phases"),
            (density.draw_density(board), folder / "density"),
        ]
        return [path for figure, stem in drawn if figure for path in save(figure, stem, board.task)]


def fronts(records: Iterable[Record], stem: Path, x_max: float | Mapping[str, float] = X_MAX) -> list[Path]:
    """One figure a task, accuracy against compression: writes `<stem>-<task>.png` and `.svg`."""
    found = boards(records, x_max)
    style = style_for(found)
    with look():
        return [p for board in found for p in _saved(draw_fronts(board, style), stem, board.task)]


def phases(records: Iterable[Record], stem: Path) -> list[Path]:
    """Accuracy, compression and misalignment over the steps of training, for entries that log the last."""
    found = boards(records)
    style = style_for(found)
    with look():
        return [p for board in found for p in _saved(curves.draw_phases(board, style), stem, board.task)]


def layers(records: Iterable[Record], stem: Path) -> list[Path]:
    """Density of each layer at compression near 10 and near 30, a heat map an entry a row."""
    with look():
        return [p for board in boards(records) for p in _saved(density.draw_density(board), stem, board.task)]


def _saved(figure: Figure | None, stem: Path, task: str) -> list[Path]:
    return save(figure, Path(stem), task) if figure else []


def draw_fronts(board: Board, style: Styles) -> Figure | None:
    """Each entry's front of means with the spread of its seeds; other points faint; None without points."""
    shown = [row.entry for row in board.rows if board.points[row.entry] and not row.baseline]
    everything = [p for group in board.points.values() for p in group]
    if not everything:
        return None
    figure = new_figure(7.2, max(4.3, 2.2 + 0.2 * len(shown)))
    axes = figure.add_subplot()
    means = [p.accuracy.mean for entry in shown for p in on_front(board.points[entry])]
    every = [p.accuracy.mean for p in everything]
    focus = focus_on(means or every, board.chance, board.dense, min(every))
    accuracy_axis(axes, focus)
    high = max([30.0, *(1.25 * p.compression for p in everything)])
    compression_axis(axes, 0.93, high)
    _references(axes, board, focus)
    for depth, entry in enumerate(reversed(shown)):
        _entry(axes, board.points[entry], style[entry], 3 + depth / 100)
    _legend(figure, axes, board, style, shown)
    kind = "test accuracy (%)" if board.source == "test" else "validation accuracy, not confirmed (%)"
    axes.set_xlabel("compression: prunable weights / nonzero weights")
    axes.set_ylabel(kind)
    axes.set_title(label(board.task), loc="left")
    despine(ax=axes)
    return figure


def _entry(axes: Axes, points: Sequence[Point], style: Style, level: float) -> None:
    """The front as a line with markers and error bars of one sample sd both ways; the rest faint."""
    colour, marker, dash = style
    line = on_front(points)
    x, y = [p.compression for p in line], [p.accuracy.mean for p in line]
    axes.plot(
        x, y, color=colour, marker=marker, linestyle=dash, linewidth=1.4, markersize=4.8,
        markeredgecolor="white", markeredgewidth=0.5, zorder=level, clip_on=False,
    )  # fmt: skip
    for point in line:
        _bars(axes, point, colour, level)
    rest = [p for p in points if p not in line]
    axes.scatter(
        [p.compression for p in rest], [p.accuracy.mean for p in rest], s=13, color=colour, marker=marker,
        alpha=0.28, linewidths=0, zorder=2,
    )  # fmt: skip


def _bars(axes: Axes, point: Point, colour: str, level: float) -> None:
    if point.accuracy.sd is None or point.x.sd is None:
        return
    mean, sd = point.accuracy.mean, point.accuracy.sd
    ends = [max(mean - sd, 0.0), min(mean + sd, 1.0)]
    sides = [10 ** max(point.x.mean - point.x.sd, 0.0), 10 ** (point.x.mean + point.x.sd)]
    for x, y in (([point.compression] * 2, ends), (sides, [mean] * 2)):
        axes.plot(x, y, color=colour, linewidth=0.9, alpha=0.55, zorder=level - 0.5, solid_capstyle="butt")


def _references(axes: Axes, board: Board, focus: Focus) -> None:
    """Dense accuracy and chance as lines with their names, where data are rare: top right, bottom left."""
    place = blended_transform_factory(axes.transAxes, axes.transData)

    def say(x: float, y: float, text: str, ha: str, va: str, small: bool = False) -> None:
        size, colour = (7, "#6a6a6a") if small else (8, "#404040")
        axes.text(x, y, text, transform=place, ha=ha, va=va, fontsize=size, color=colour, zorder=8)

    if board.dense is not None:
        axes.axhline(board.dense, color="#404040", linewidth=1.0, linestyle=(0, (6, 2)), zorder=1.5)
        say(0.995, board.dense, f"dense {percent(board.dense)} %", "right", "bottom")
    if board.chance > 0:
        axes.axhline(board.chance, color="#404040", linewidth=1.0, linestyle=(0, (1, 2)), zorder=1.5)
        say(0.008, board.chance, f"chance {percent(board.chance)} %", "left", "bottom")
    say(0.008, focus.bend, "compressed scale", "left", "top", small=True)


def _legend(figure: Figure, axes: Axes, board: Board, style: Styles, shown: Sequence[str]) -> None:
    """Beside the axes, in the order of the ranks."""
    handles, names = [], []
    for entry in shown:
        colour, marker, dash = style[entry]
        handles.append(
            Line2D([], [], color=colour, marker=marker, linestyle=dash, linewidth=1.4, markersize=4.8,
                   markeredgecolor="white", markeredgewidth=0.5)
        )  # fmt: skip
        name = label(entry)
        name = name if len(name) <= 26 else f"{name[:25]}…"
        names.append(f"{notes.rank(board.row(entry))}  {name}")
    if handles:
        legend = figure.legend(
            handles, names, loc="outside right upper", frameon=False, fontsize=8, handlelength=2.6,
            title="rank by hypervolume", title_fontsize=8, labelspacing=0.35,
        )  # fmt: skip
        legend.set_alignment("left")


__all__ = ["draw_all", "draw_fronts", "fronts", "layers", "phases", "style_for"]
