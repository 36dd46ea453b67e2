"""The figures of a run, by task and over all tasks, and the files that they become. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ..bench.records import Record
from . import curves, density
from .canvas import look, save, save_as
from .critical import draw_critical
from .fronts import Styles, draw_fronts
from .multiples import draw_multiples
from .overall import Overall
from .pareto import X_MAX
from .rows import Board, boards
from .shares import Importance, draw_importance
from .style import Style, style_of


def style_for(found: Sequence[Board]) -> dict[str, Style]:
    """One style for each entry over all tasks, so that colours agree between figures."""
    rows = [row for board in found for row in board.rows]
    return style_of((row.entry for row in rows), {row.entry for row in rows if row.baseline})


def draw_all(board: Board, folder: Path, style: Styles, importance: Importance | None = None) -> list[Path]:
    """Every figure that a task's records have the data for. `importance`: of this task's knobs, by entry."""
    with look():
        drawn = [
            (draw_fronts(board, style), "fronts"),
            (curves.draw_phases(board, style), "phases"),
            (density.draw_density(board), "density"),
            (draw_importance(board, importance or {}), "knobs"),
        ]
        return [path for figure, name in drawn if figure for path in save(figure, folder / name, board.task)]


def draw_together(
    found: Sequence[Board], folder: Path, style: Styles, result: Overall | None = None
) -> list[Path]:
    """The figures of all tasks: small multiples of the fronts from two tasks on, ranks where compared."""
    with look():
        drawn = [
            (draw_multiples(found, style) if len(found) > 1 else None, "tasks-fronts"),
            (draw_critical(result, style) if result else None, "tasks-ranks"),
        ]
        return [path for figure, name in drawn if figure for path in save_as(figure, folder / name)]


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


__all__ = ["draw_all", "draw_fronts", "draw_together", "fronts", "layers", "phases", "style_for"]
