"""The check of a board, or of what a commit adds to it: what continuous integration runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ...errors import SparsebenchError, printable
from ..verification.verify import Place
from .build import Report, leaderboards
from .changes import described_changes
from .examine import examine
from .git import changed_files
from .layout import BOARD, RESULTS, SUBMISSION, SUITES, TASKS, Submission, read_board


@dataclass(frozen=True)
class BoardCheck:
    """What came of a check.

    Attributes:
        problems: What the board refuses, one line each.
        report: What the submissions change, in Markdown, for a comment on a pull request.
        submissions: How many were examined.

    Example:
        >>> BoardCheck([], "Nothing was added.", 0).ok
        True
    """

    problems: list[str]
    report: str
    submissions: int

    @property
    def ok(self) -> bool:
        """Whether the board takes what was checked."""
        return not self.problems


def check_board(
    root: Path, ranked: Report, since: str | None = None, place: Place | None = None
) -> BoardCheck:
    """Checks all submissions of a board, or those that were added since a commit.

    Since a commit only submissions may be added: none may be changed or removed, nor anything of the board
    beside them.

    Args:
        root: The folder of the board.
        ranked: Returns the leaderboards of an output folder.
        since: The commit before what is to be checked; None to check all that is there.
        place: Where the data are, and the device of the verification.

    Returns:
        What came of it.

    Raises:
        SparsebenchError: The folder is no board, there is no such commit, or data are missing here.

    Example:
        >>> from sparsebench.bench.board.start import start_board
        >>> _ = start_board(Path("board"))
        >>> check_board(Path("board"), lambda folder: []).report
        'Nothing was added.\\n'
    """
    board = read_board(root)
    changed = None if since is None else changed_files(root, since)
    try:
        submissions = list(board.submissions())
        _ = board.frozen
    except SparsebenchError as error:
        return _refused([str(error)])
    new = [one for one in submissions if changed is None or _added(one, root, changed)]
    problems = [*_foreign(new, changed or {}, root), *_early(new)]
    if problems:
        return _refused(problems)
    found = examine(board, new, place)
    problems = [*found.problems, *_otherwise(new, found.states)] if found.ok else found.problems
    if problems:
        return _refused(problems)
    report = _report(submissions, new, ranked) if new else _without(changed or {})
    return BoardCheck([], report, len(new))


def _refused(problems: Sequence[str]) -> BoardCheck:
    lines = "\n".join(f"- {_quoted(problem)}" for problem in problems)
    return BoardCheck(list(problems), f"The board refuses this:\n\n{lines}\n", 0)


def _quoted(text: str) -> str:
    """Returns a text as code in Markdown: nothing in it is a link, a mention or markup."""
    return "`" + printable(text, 1000).replace("`", "'") + "`"


def _added(one: Submission, root: Path, changed: dict[str, str]) -> bool:
    folder = one.folder.relative_to(root).as_posix()
    return any(changed.get(f"{folder}/{name}") is not None for name in (RESULTS, SUBMISSION))


def _foreign(new: Sequence[Submission], changed: dict[str, str], root: Path) -> Iterator[str]:
    """Yields what a commit changes beside adding submissions."""
    own = {
        f"{one.folder.relative_to(root).as_posix()}/{name}" for one in new for name in (RESULTS, SUBMISSION)
    }
    said = {"M": "changes", "D": "removes", "T": "changes", "A": "adds"}
    for path, letter in sorted(changed.items()):
        what = f"it {said.get(letter, 'changes')} {printable(path, 200)}"
        if path.startswith(f"{TASKS}/"):
            if letter != "A" or path not in own:
                yield f"{what}: submissions are added, never changed or removed"
        elif new or path == BOARD or path.startswith(f"{SUITES}/"):
            yield f"{what}: a submission adds files under {TASKS}/ alone"


def _early(new: Sequence[Submission]) -> Iterator[str]:
    """Yields the submissions from the future, which would be first among later ones for ever after."""
    latest = datetime.now(UTC) + timedelta(days=1)
    for one in new:
        if one.told.added > latest:
            yield f"{one.folder}: it was added at {one.told.added:%Y-%m-%d}, which is not yet"


def _otherwise(new: Sequence[Submission], states: Mapping[Path, Mapping[str, str]]) -> Iterator[str]:
    """Yields the submissions whose submission.json says other states than were found."""
    for one in new:
        if one.told.states != states[one.folder]:
            yield f"{one.folder}: its {SUBMISSION} says other states than were found: add it again"


def _without(changed: Mapping[str, str]) -> str:
    """Returns what the report says where no submission was added."""
    others = "\n".join(f"- {_quoted(path)}" for path in sorted(changed)[:100])
    return (
        f"Nothing was added. For the maintainers to read:\n\n{others}\n" if others else "Nothing was added.\n"
    )


def _report(submissions: Sequence[Submission], new: Sequence[Submission], ranked: Report) -> str:
    """Returns in Markdown how the new submissions change the leaderboards."""
    parts = []
    for task in dict.fromkeys(one.told.task for one in new):
        every = [one for one in submissions if one.told.task == task]
        before = leaderboards(task, [one for one in every if one not in new], ranked)
        parts.append(described_changes(before, leaderboards(task, every, ranked)))
    return "\n".join(parts)
