"""`sparsebench board` and `sparsebench submit`: print what came of it, or every reason against it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...commands import path_word
from ...errors import printable
from ...files import write_atomic
from ...records.stored import StoredRecords
from .console import print_reasons, reasons_of_refusal

if TYPE_CHECKING:
    from ...reports.analysis.leaderboard import TaskLeaderboard
    from ..verification.verify import Place


def print_init(folder: Path, name: str | None, suites: Sequence[str], requirement: str | None) -> None:
    """Makes a board, and prints what to do with it.

    Args:
        folder: The new folder.
        name: The board's name; None for that of the folder.
        suites: The suites to freeze.
        requirement: What pip installs to check submissions; None for this version.

    Raises:
        SparsebenchError: The folder is not empty, or there is no such suite.

    Example:
        >>> print_init(Path("begun"), None, ["quickstart"], None)
        begun: a board with the suite quickstart
        next: git -C begun init -b main && git -C begun add . && git -C begun commit -m "Begin the board"
    """
    from ..board.start import start_board

    board = start_board(folder, name, suites, requirement)
    frozen = f"the suite{'s' if len(board.frozen) > 1 else ''} {', '.join(board.frozen)}"
    print(f"{folder}: a board with {frozen if board.frozen else 'no frozen suite'}")
    here = f"git -C {path_word(folder)}"
    print(f'next: {here} init -b main && {here} add . && {here} commit -m "Begin the board"')


def print_add(archive: Path, folder: Path, by: str | None, place: "Place") -> None:
    """Adds an archive to a board, and prints its submissions.

    Args:
        archive: The archive.
        folder: The folder of the board.
        by: Who submits; None for the name that git commits with.
        place: Where the data are, and the device.

    Raises:
        SparsebenchError: The board refuses it; each reason is a line on stderr.

    Example:
        >>> print_init(Path("board"), "mine", [], None)
        board: ...
        >>> from sparsebench.bench.verification.verify import Place
        >>> print_add(Path("lost.zip"), Path("board"), "Ada", Place())
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'lost.zip' is no archive: make one with `sparsebench pack`
    """
    from ..board.git import submitter
    from ..board.intake import add_archive
    from ..board.layout import read_board

    board = read_board(folder)
    with reasons_of_refusal():
        made = add_archive(board, archive, by or submitter(folder), place)
    for one in made:
        states = ", ".join(f"{entry}: {state}" for entry, state in one.told.states.items())
        print(printable(f"{one.folder}: {states}"))


def print_check(folder: Path, since: str | None, report: Path | None, place: "Place") -> bool:
    """Checks a board, and prints the rows that change.

    Args:
        folder: The folder of the board.
        since: The commit before what is checked; None for all.
        report: A Markdown file to write as well; None for none.
        place: Where the data are, and the device.

    Returns:
        Whether the board takes it; else each reason is a line on stderr.

    Raises:
        SparsebenchError: The folder is no board, there is no such commit, or data are missing here.

    Example:
        >>> print_init(Path("checked"), "mine", [], None)
        checked: ...
        >>> from sparsebench.bench.verification.verify import Place
        >>> print_check(Path("checked"), None, None, Place())
        Nothing was added.
        True
    """
    from ..board.check import check_board

    found = check_board(folder, _ranked, since, place)
    if report is not None:
        write_atomic(report, found.report)
    print_reasons(found.problems)
    if found.ok:
        print(found.report, end="")
    return found.ok


def print_build(folder: Path, out: Path) -> None:
    """Builds the pages of a board, and prints where they begin.

    Args:
        folder: The folder of the board.
        out: The folder of the pages.

    Raises:
        SparsebenchError: Submissions contradict each other, or `out` holds other files.

    Example:
        >>> print_init(Path("built"), "mine", [], None)
        built: ...
        >>> print_build(Path("built"), Path("public"))
        public/index.html: 0 tasks
    """
    from ..board.build import build_site
    from ..board.layout import read_board

    with reasons_of_refusal():
        index, *tasks = build_site(read_board(folder), out, _reported)
    print(f"{index}: {len(tasks)} task{'' if len(tasks) == 1 else 's'}")


def print_submit(archive: Path, to: str, clone: Path | None, by: str | None, place: "Place") -> None:
    """Prepares a branch that submits an archive, and prints the lines that open the pull request.

    Args:
        archive: The archive.
        to: The repository of the board.
        clone: The new folder of the clone; None for one that is named after the archive.
        by: Who submits; None for the name that git commits with.
        place: Where the data are, and the device.

    Raises:
        SparsebenchError: The board refuses it, each reason is a line on stderr; or git fails.

    Example:
        >>> from sparsebench.bench.verification.verify import Place
        >>> print_submit(Path("lost.zip"), "board", None, None, Place())
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'lost.zip' is no archive: make one with `sparsebench pack`
    """
    from ..board.submit import submit

    with reasons_of_refusal():
        done = submit(archive, to, clone, by, place)
    print(f"{done.clone}: branch {done.branch} adds {done.files} submission{'s' if done.files > 1 else ''}")
    print("\n".join(done.lines))


def _ranked(folder: Path) -> "Sequence[TaskLeaderboard]":
    from ..campaign.publish import ranked

    return ranked(folder, StoredRecords(folder))


def _reported(folder: Path) -> "Sequence[TaskLeaderboard]":
    from ..campaign.publish import report_folder

    found = _ranked(folder)
    report_folder(folder, found)
    return found
