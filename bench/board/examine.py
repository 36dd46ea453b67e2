"""The examination of submissions: what makes a board refuse them, and what is known of each entry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import SparsebenchError, printable
from ...records.record import Record
from ...reports.verified import State
from ..exchange.compatibility import Source, compatibility_errors
from ..exchange.reader import read_source
from ..output_folder.shown_trainings import shown_trainings
from ..verification.verify import Place, verify
from .layout import Board, Submission


@dataclass(frozen=True)
class Examination:
    """What came of examining submissions.

    Attributes:
        problems: What makes the board refuse them, one line each.
        states: What was found of each entry, by the submission's folder.

    Example:
        >>> Examination(["mine: it holds no records"], {}).ok
        False
    """

    problems: list[str]
    states: dict[Path, dict[str, State]]

    @property
    def ok(self) -> bool:
        """Whether the board takes them."""
        return not self.problems


def examine(board: Board, new: Sequence[Submission], place: Place | None = None) -> Examination:
    """Verifies submissions, and compares them with the board's suites and with what is on the board.

    Args:
        board: The board.
        new: The submissions to examine, in the board or elsewhere.
        place: Where the data are, and the device.

    Returns:
        What came of it.

    Raises:
        SparsebenchError: The board is damaged.

    Example:
        >>> from sparsebench.bench.board.start import start_board
        >>> examine(start_board(Path("board"), "mine"), []).ok
        True
    """
    folders = {one.folder for one in new}
    before = [one for one in board.submissions() if one.folder not in folders]
    problems, states, sources = list[str](), dict[Path, dict[str, State]](), dict[Path, Source]()
    for one in new:
        try:
            found = verify(one.archive, place)
        except SparsebenchError as error:  # a dataset that is not here, or that nobody knows
            problems.append(f"{one.archive}: it cannot be verified here: {error}")
            continue
        problems += found.problems
        if found.ok:
            states[one.folder] = found.states.get(one.told.task, {})
            sources[one.folder] = found.source
            problems += [f"{one.archive}: {reason}" for reason in _own_problems(board, one, found.source)]
    if not problems:
        for task in dict.fromkeys(one.told.task for one in new):
            problems += _between(board, task, before, [one for one in new if one.told.task == task], sources)
    return Examination(problems, states)


def _own_problems(board: Board, one: Submission, source: Source) -> Iterator[str]:
    """Yields what is wrong with a submission, whatever else is on the board."""
    task, suite = one.told.task, board.suite_of(one.told.task)
    if others := {record.task for record in source.records} - {task}:
        yield f"it has records of the task {printable(min(others), 100)}, which is not the one that it is for"
    if board.frozen and suite is None:
        yield f"the task {printable(task, 100)} is in none of the board's suites, {', '.join(board.frozen)}"
    elif suite is not None and source.suite is None:
        yield "it has no suite.json, which says the budget: pack the whole output folder"
    least = suite.budget.seeds if suite else board.told.seeds
    confirmed = {record.entry for record in source.records if record.phase == "confirm"}
    for entry in sorted({record.entry for record in source.records} - confirmed):
        yield f"entry {entry!a} has no training that was confirmed with fresh seeds"
    for entry, seeds in _seeds(source.records):
        if seeds < least:
            yield f"a training of entry {entry!a} was confirmed with {seeds} seeds, the least is {least}"


def _seeds(records: Sequence[Record]) -> Iterator[tuple[str, int]]:
    """Yields the entry of each training that a board shows, and how many of its seeds finished."""
    for training in shown_trainings(record for record in records if record.compressions):
        yield training.runs[0].entry, sum(run.ok for run in training.runs)


def _between(
    board: Board,
    task: str,
    before: Sequence[Submission],
    new: Sequence[Submission],
    sources: dict[Path, Source],
) -> list[str]:
    """Returns the contradictions between the board's suite, what is on the board, and new submissions."""
    old = [one for one in before if one.told.task == task]
    known = [read_source(one.archive) for one in old]
    if damaged := [reason for _, reasons in known for reason in reasons]:
        return damaged
    suite = board.suite_of(task)
    frozen = [Source(f"the board's suite {suite.name}", [], suite=suite)] if suite else []
    ordered = sorted(new, key=lambda one: one.order)
    wrong = [
        f"{one.folder}: it was added at {one.told.added:%Y-%m-%d %H:%M}, before {last.folder.name}, which is "
        "on the board: add it again"
        for last in old[-1:]
        for one in ordered
        if one.order < last.order
    ]
    every = [*frozen, *(source for source, _ in known), *(sources[one.folder] for one in ordered)]
    return wrong + list(compatibility_errors(every))
