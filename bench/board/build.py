"""The pages of a board: the submissions of each task merged into a folder, reported by the caller."""

import shutil
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import SparsebenchError
from ...files import write_atomic
from ...reports.analysis.leaderboard import TaskLeaderboard
from ...reports.formatting import one_line, slug
from ...reports.verified import write_states
from ..exchange.merge import merge
from ..exchange.pack import IncompatibleResults
from ..exchange.reader import read_source
from .layout import Board, Submission
from .others import states_of

MARK = ".sparsebench-board"  # in a folder that this program filled, and may fill again
TEMPLATES = Path(__file__).parent / "templates"

Report = Callable[[Path], Sequence[TaskLeaderboard]]
"""Writes the report of an output folder, and returns its leaderboards."""


def merged_task(task: str, submissions: Sequence[Submission], out: Path) -> list[str]:
    """Merges the submissions of a task into an output folder, and writes what is known of each entry.

    Args:
        task: The task.
        submissions: Its submissions in their order.
        out: The output folder to write.

    Returns:
        The notes of the merge.

    Raises:
        IncompatibleResults: They contradict each other.

    Example:
        >>> merged_task("digits", [], Path("out"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: merge needs at least one archive or folder
    """
    result = merge([one.archive for one in submissions], out)
    held = [(one, read_source(one.archive)[0]) for one in submissions]
    write_states(out, {task: states_of(held)})
    return result.notes


def build_site(board: Board, out: Path, report: Report) -> list[Path]:
    """Writes the pages of a board: an index, and leaderboard, figures and site of each task.

    Args:
        board: The board.
        out: The folder to write, new, empty or one that a board was built into.
        report: Writes the report of an output folder.

    Returns:
        The index, then the folder of each task.

    Raises:
        SparsebenchError: The folder holds other files, or cannot be written.
        IncompatibleResults: Submissions contradict each other.

    Example:
        >>> from sparsebench.bench.board.start import start_board
        >>> [path.name for path in build_site(start_board(Path("board")), Path("public"), lambda folder: [])]
        ['index.html']
    """
    if out.exists() and not (out / MARK).is_file() and any(out.iterdir()):
        raise SparsebenchError(f"{str(out)!r} holds files that are no board's pages; choose another --out")
    tasks: dict[str, list[Submission]] = {}
    for one in board.submissions():
        tasks.setdefault(one.told.task, []).append(one)
    found: list[tuple[str, TaskLeaderboard, int]] = []
    write_atomic(out / MARK, "")
    for old in [path for path in out.iterdir() if path.is_dir()]:
        shutil.rmtree(old)
    for task, submissions in tasks.items():
        folder = out / slug(task)
        try:
            merged_task(task, submissions, folder)
        except IncompatibleResults as refused:
            raise IncompatibleResults(
                f"the submissions to {task} contradict each other", refused.reasons
            ) from None
        found += [(slug(task), shown, len(submissions)) for shown in report(folder)]
    index = write_atomic(out / "index.html", _index(board.told.name, found))
    return [index, *(out / slug(task) for task in tasks)]


def leaderboards(task: str, submissions: Sequence[Submission], ranked: Report) -> Sequence[TaskLeaderboard]:
    """Returns the leaderboards of some submissions to a task.

    Args:
        task: The task.
        submissions: The submissions in their order; without any there is no leaderboard.
        ranked: Returns the leaderboards of an output folder.

    Returns:
        The leaderboards.

    Raises:
        IncompatibleResults: They contradict each other.

    Example:
        >>> leaderboards("digits", [], lambda folder: [])
        []
    """
    if not submissions:
        return []
    with TemporaryDirectory(prefix="sparsebench-") as temporary:
        merged_task(task, submissions, Path(temporary) / "merged")
        return ranked(Path(temporary) / "merged")


def _index(name: str, found: Sequence[tuple[str, TaskLeaderboard, int]]) -> str:
    """Returns the page that lists the tasks."""
    lines = []
    for folder, board, submissions in found:
        best = next((row.entry for row in board.rows if row.rank == 1), "–")
        cells = [one_line(best), str(len(board.rows)), str(submissions), *_counts(board)]
        link = f'<a href="{escape(folder)}/site/index.html">{escape(one_line(board.task))}</a>'
        lines.append(f"<tr><td>{link}</td>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    page = (TEMPLATES / "index.html").read_text(encoding="utf-8")
    return page.replace("@NAME@", escape(name)).replace("@ROWS@", "\n".join(lines))


def _counts(board: TaskLeaderboard) -> list[str]:
    states = [row.verified for row in board.rows]
    return [str(states.count("weights verified")), str(states.count("retrained by others"))]
