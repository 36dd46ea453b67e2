"""All figures of a report, draw_report and written, by as many processes as pay."""

import pickle
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from ...gc_pause import collect_new, paused_gc
from ...records.pareto import X_MAX
from ...records.record import Record
from ..analysis.across_tasks import TasksComparison, compare_over_tasks
from ..analysis.boards import TaskLeaderboard, boards
from ..style import style_for
from . import layer_density as density
from . import training_curves as curves
from .canvas import paper_style, save, save_as
from .critical_difference import draw_critical
from .front import Styles, draw_fronts
from .knob_importance import Importance, draw_importance
from .small_multiples import draw_multiples


def draw_all(
    board: TaskLeaderboard, folder: Path, style: Styles, importance: Importance | None = None
) -> list[Path]:
    """Every figure that a task's records have the data for. `importance`: of this task's knobs, by entry."""
    with paper_style():
        drawn = [
            (draw_fronts(board, style), "fronts"),
            (curves.draw_phases(board, style), "phases"),
            (density.draw_density(board), "density"),
            (draw_importance(board, importance or {}), "knobs"),
        ]
        return [path for figure, name in drawn if figure for path in save(figure, folder / name, board.task)]


def draw_together(
    found: Sequence[TaskLeaderboard], folder: Path, style: Styles, result: TasksComparison | None = None
) -> list[Path]:
    """The figures of all tasks: small multiples of the fronts from two tasks on, ranks where compared."""
    with paper_style():
        drawn = [
            (draw_multiples(found, style) if len(found) > 1 else None, "tasks-fronts"),
            (draw_critical(result, style) if result else None, "tasks-ranks"),
        ]
        return [path for figure, name in drawn if figure for path in save_as(figure, folder / name)]


def fronts(records: Iterable[Record], stem: Path, x_max: float | Mapping[str, float] = X_MAX) -> list[Path]:
    """One figure a task, accuracy against compression: writes `<stem>-<task>.png` and `.svg`."""
    found = boards(records, x_max)
    style = style_for(found)
    with paper_style():
        return [p for board in found for p in _saved(draw_fronts(board, style), stem, board.task)]


def phases(records: Iterable[Record], stem: Path) -> list[Path]:
    """Accuracy, compression and misalignment over the steps of training, for entries that log the last."""
    found = boards(records)
    style = style_for(found)
    with paper_style():
        return [p for board in found for p in _saved(curves.draw_phases(board, style), stem, board.task)]


def layers(records: Iterable[Record], stem: Path) -> list[Path]:
    """Density of each layer at compression near 10 and near 30, a heat map an entry a row."""
    with paper_style():
        return [p for board in boards(records) for p in _saved(density.draw_density(board), stem, board.task)]


def _saved(figure: Figure | None, stem: Path, task: str) -> list[Path]:
    return save(figure, Path(stem), task) if figure else []


__all__ = ["draw_all", "draw_fronts", "draw_together", "fronts", "layers", "phases", "style_for"]


if TYPE_CHECKING:
    from .knob_importance import Importance

Pictures = dict[str, list[Path]]

LEAST = 3  # a process more pays from so many tasks on: it imports as long as two of them take


def draw_report(
    folder: Path, found: Sequence[TaskLeaderboard], importance: Mapping[str, "Importance"], processes: int = 1
) -> Pictures:
    """The files of all figures by task; those of all tasks together under the empty name.

    Drawing is most of a large report, and one process draws on one core: `processes` is how many may.
    """
    style = style_for(found)
    count = max(1, min(processes, len(found) // LEAST))
    own, *others = ([*found[i::count]] for i in range(count))
    with ThreadPoolExecutor(count) as threads:
        waiting = [threads.submit(_elsewhere, folder, part, importance, style) for part in others]
        made = _here(folder, own, importance, style)
        together = draw_together(found, folder, style, compare_over_tasks(found))
        for other, part in zip(waiting, others, strict=True):
            made |= other.result() or _here(folder, part, importance, style)
    return {board.task: made[board.task] for board in found} | {"": together}


def _here(
    folder: Path, found: Sequence[TaskLeaderboard], importance: Mapping[str, "Importance"], style: Styles
) -> Pictures:
    made = {}
    for board in found:
        made[board.task] = draw_all(board, folder, style, importance.get(board.task))
        collect_new()
    return made


def _elsewhere(
    folder: Path, found: Sequence[TaskLeaderboard], importance: Mapping[str, "Importance"], style: Styles
) -> Pictures | None:
    """In a process of its own, started by command as the workers are, so that no script needs a guard.

    None where that process fails, for want of memory perhaps: the figures are then drawn here after all.
    """
    command = [sys.executable, "-P", "-c", f"from {__name__} import _answer; _answer()"]
    asked = pickle.dumps((folder, found, importance, style))
    done = subprocess.run(command, input=asked, capture_output=True, check=False)
    made: Pictures | None = None if done.returncode else pickle.loads(done.stdout)
    return made


def _answer() -> None:
    """The other process: what to draw comes in, the files' names go out."""
    asked = pickle.load(sys.stdin.buffer)
    with paused_gc():
        made = _here(*asked)
    sys.stdout.buffer.write(pickle.dumps(made))
