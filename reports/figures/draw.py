"""All figures of a report, drawn and written."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ...gc_pause import collect_new, paused_gc
from ...records.pareto import X_MAX
from ...records.record import Record
from ..analysis.across_tasks import TasksComparison, compare_over_tasks
from ..analysis.boards import boards
from ..analysis.leaderboard import TaskLeaderboard
from ..style import style_for
from . import layer_density as density
from . import training_curves as curves
from .canvas import paper_style, save, save_as
from .critical_difference import draw_critical
from .front import Styles, draw_fronts
from .knob_importance import draw_importance
from .share import Importance, Pictures, Share
from .small_multiples import draw_multiples


def draw_all(
    board: TaskLeaderboard, folder: Path, style: Styles, importance: Importance | None = None
) -> list[Path]:
    """Draws and writes every figure of a task for which its records have the data.

    They are `fronts-…`, `phases-…`, `density-…` and `knobs-…`, each with the task's name.

    Args:
        board: The task's leaderboard.
        folder: The folder of the files, made where it is missing.
        style: Colour, marker and dash of each entry, those of all figures of the report.
        importance: Importance of this task's knobs, by objective and entry; without it, no figure of knobs.

    Returns:
        The paths of the files, a PNG and an SVG a figure; figures without data are left out.

    Raises:
        SparsebenchError: If the folder cannot be written.

    Example:
        >>> [one] = boards(r for r in records if r.entry == "magnitude")  # logs no curves: no phases
        >>> [path.name for path in draw_all(one, Path("."), style_for([one])) if path.suffix == ".svg"]
        ['fronts-made_up-net.svg', 'density-made_up-net.svg']
    """
    with paper_style():
        drawn = [
            (draw_fronts(board, style), "fronts"),
            (curves.draw_phases(board, style), "phases"),
            (density.draw_density(board), "density"),
            (draw_importance(board, importance or {}), "knobs"),
        ]
        return [path for figure, name in drawn if figure for path in save(figure, folder / name, board.task)]


def _draw_together(
    found: Sequence[TaskLeaderboard], folder: Path, style: Styles, result: TasksComparison | None = None
) -> list[Path]:
    """Writes the figures of all tasks: small multiples from two tasks on, mean ranks where compared."""
    with paper_style():
        drawn = [
            (draw_multiples(found, style) if len(found) > 1 else None, "tasks-fronts"),
            (draw_critical(result, style) if result else None, "tasks-ranks"),
        ]
        return [path for figure, name in drawn if figure for path in save_as(figure, folder / name)]


def fronts(records: Iterable[Record], stem: Path, x_max: float | Mapping[str, float] = X_MAX) -> list[Path]:
    """Draws accuracy against compression, one figure a task, and writes `<stem>-<task>.png` and `.svg`.

    Args:
        records: Records of one or more tasks, of one campaign or several.
        stem: The folder and the beginning of the file names.
        x_max: log10 of the compression up to which the hypervolume counts, for all tasks or by task; it
            decides the ranks in the legend.

    Returns:
        The paths of the files; none for a task whose runs all failed.

    Raises:
        SparsebenchError: If there are no records, or the folder cannot be written.

    Example:
        >>> [path.name for path in fronts(records, Path("fronts"))]
        ['fronts-made_up-net.png', 'fronts-made_up-net.svg']
    """
    found = boards(records, x_max)
    style = style_for(found)
    with paper_style():
        return [p for board in found for p in _saved(draw_fronts(board, style), stem, board.task)]


def phases(records: Iterable[Record], stem: Path) -> list[Path]:
    """Draws accuracy, compression and misalignment over training, one figure a task, and writes it.

    Args:
        records: Records of one or more tasks; entries whose curves have no misalignment are not shown.
        stem: The folder and the beginning of the file names.

    Returns:
        The paths of the files, a PNG and an SVG a task; none for a task where no entry logs misalignment.

    Raises:
        SparsebenchError: If there are no records, or the folder cannot be written.

    Example:
        >>> [path.name for path in phases(records, Path("phases"))]
        ['phases-made_up-net.png', 'phases-made_up-net.svg']
        >>> phases((r for r in records if r.entry == "magnitude"), Path("phases"))
        []
    """
    found = boards(records)
    style = style_for(found)
    with paper_style():
        return [p for board in found for p in _saved(curves.draw_phases(board, style), stem, board.task)]


def layers(records: Iterable[Record], stem: Path) -> list[Path]:
    """Draws the density of each layer at compression near 10 and near 30, one figure a task, and writes it.

    Args:
        records: Records of one or more tasks.
        stem: The folder and the beginning of the file names.

    Returns:
        The paths of the files, a PNG and an SVG a task; none for a task without layers at such compressions.

    Raises:
        SparsebenchError: If there are no records, or the folder cannot be written.

    Example:
        >>> [path.name for path in layers(records, Path("density"))]
        ['density-made_up-net.png', 'density-made_up-net.svg']
    """
    with paper_style():
        return [p for board in boards(records) for p in _saved(density.draw_density(board), stem, board.task)]


def _saved(figure: Figure | None, stem: Path, task: str) -> list[Path]:
    return save(figure, Path(stem), task) if figure else []


def draw_share(share: Share) -> Pictures:
    """Draws and writes the figures of a share of a report.

    Args:
        share: What to draw.

    Returns:
        The paths by task; those of all tasks together under the empty name, where the share has them.

    Raises:
        SparsebenchError: If the folder cannot be written.

    Example:
        >>> [one] = boards(r for r in records if r.entry == "magnitude")
        >>> pictures = draw_share(Share(Path("."), [one], style_for([one]), {}, [one]))
        >>> {task: len(paths) for task, paths in pictures.items()}
        {'made_up-net': 4, '': 0}
    """
    made = Pictures()
    with paused_gc():  # records and points need no look at them after each figure
        for board in share.boards:
            importance = share.importance[board.task]() if board.task in share.importance else None
            made[board.task] = draw_all(board, share.folder, share.style, importance)
            collect_new()
        if share.together or not share.boards:
            compared = compare_over_tasks(share.together)
            made[""] = _draw_together(share.together, share.folder, share.style, compared)
    return made
