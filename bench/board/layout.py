"""The files of a board: board.json, the frozen suites, and a folder of each submission by task."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ...errors import SparsebenchError, printable
from ...parsing import parse_json
from ...reports.formatting import slug
from ...reports.verified import State
from ...validation import odd_name, validation_message
from ..config.suite import Suite, with_compressions

BOARD, SUITES, TASKS = "board.json", "suites", "tasks"
RESULTS, SUBMISSION = "results.sparsebench.zip", "submission.json"
MOST_JSON = 1 << 20  # bytes

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
M = TypeVar("M", bound=BaseModel)
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class BoardFile(BaseModel):
    """The content of a board's board.json.

    Attributes:
        format: Marker of the file type; no other value is accepted.
        version: Version of the layout.
        name: The board's name, the title of its pages.
        suites: Digest of each frozen suite, by its name; without one the first submission to a task decides
            what later ones have to agree with.
        seeds: The least number of seeds of a training where no frozen suite says it.

    Example:
        >>> BoardFile(name="Sparse nets").seeds
        3
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal["sparsebench-board"] = "sparsebench-board"
    version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=200)]
    suites: dict[Name, Digest] = {}
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3


class SubmissionFile(BaseModel):
    """The content of a submission.json.

    Attributes:
        format: Marker of the file type; no other value is accepted.
        version: Version of the layout.
        task: The task that the archive has results of.
        by: Who submits them: a name, as git knows it.
        added: When; of two searches of an entry the one that was added first counts.
        sha256: Hash of the archive.
        states: What was found of each entry when the submission was made; the check finds it again.

    Example:
        >>> from datetime import UTC
        >>> now = datetime(2030, 1, 1, tzinfo=UTC)
        >>> SubmissionFile(task="digits-lenet5", by="Ada", added=now, sha256="0" * 64).states
        {}
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal["sparsebench-submission"] = "sparsebench-submission"
    version: Literal[1] = 1
    task: Annotated[str, Field(min_length=1, max_length=400)]
    by: Annotated[str, Field(min_length=1, max_length=200)]
    added: AwareDatetime
    sha256: Digest
    states: dict[str, State] = {}


@dataclass(frozen=True)
class Submission:
    """A submission: its folder, and what its submission.json says.

    Attributes:
        folder: The folder, which holds the archive and the submission.json.
        told: What that says.

    Example:
        >>> told = SubmissionFile(task="t", by="Ada", added="2030-01-01T00:00:00Z", sha256="0" * 64)
        >>> Submission(Path("tasks/t/mine-00000000"), told).archive.as_posix()
        'tasks/t/mine-00000000/results.sparsebench.zip'
    """

    folder: Path
    told: SubmissionFile

    @property
    def archive(self) -> Path:
        """The archive of its results."""
        return self.folder / RESULTS

    @property
    def order(self) -> tuple[datetime, str]:
        """Its place among the submissions of a task: the earliest comes first."""
        return self.told.added, self.folder.name


@dataclass(frozen=True)
class Board:
    """A board: a folder with a board.json, under version control or not.

    Attributes:
        root: The folder.
        told: What its board.json says.

    Example:
        >>> _ = Path(BOARD).write_text(BoardFile(name="mine").model_dump_json())
        >>> board = read_board(Path())
        >>> board.told.name, board.frozen, list(board.submissions())
        ('mine', {}, [])
    """

    root: Path
    told: BoardFile

    @cached_property
    def frozen(self) -> dict[str, Suite]:
        """The frozen suites by name; raises `SparsebenchError` where one is not what was frozen."""
        return {name: self._suite(name, digest) for name, digest in self.told.suites.items()}

    def suite_of(self, task: str) -> Suite | None:
        """Returns the frozen suite that has a task; None where none does."""
        found = (suite for suite in self.frozen.values() if any(t.name == task for t in suite.tasks))
        return next(found, None)

    def submissions(self) -> Iterator[Submission]:
        """Yields all submissions, by task and in the order in which they count; raises `SparsebenchError`
        where a file is damaged or has no place there."""
        tasks = self.root / TASKS
        for task in sorted(tasks.iterdir()) if tasks.is_dir() else ():
            yield from sorted((read_submission(f) for f in sorted(_inside(task))), key=lambda one: one.order)

    def _suite(self, name: str, digest: str) -> Suite:
        path = self.root / SUITES / f"{name}.json"
        content = _bounded(path)
        if sha256(content).hexdigest() != digest:
            raise SparsebenchError(
                f"{str(path)!r} is not the suite that was frozen: its digest is another one"
            )
        return suite_from(content, str(path))


def suite_from(content: bytes, where: str) -> Suite:
    """Returns the suite in a file of JSON.

    Args:
        content: The text of the file.
        where: Its name, for the message.

    Returns:
        The validated suite.

    Raises:
        SparsebenchError: It is damaged.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> text = suite_text(load_suite("quickstart"))
        >>> suite_from(text, "quickstart.json").name
        'quickstart'
    """
    try:
        return Suite.model_validate(with_compressions(parse_json(content, where)))
    except ValidationError as error:
        raise SparsebenchError(f"{where} is damaged: {validation_message(error)}") from error


def suite_text(suite: Suite) -> bytes:
    """Returns a suite as a board freezes it.

    Args:
        suite: The suite.

    Returns:
        JSON, whose digest stands in the board.json.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> suite_text(load_suite("quickstart"))[:20]
        b'{\\n "name": "quicksta'
    """
    return (json.dumps(suite.model_dump(mode="json", exclude={"summary"}), indent=1) + "\n").encode()


def read_board(root: Path) -> Board:
    """Returns the board of a folder.

    Args:
        root: The folder.

    Returns:
        The board, of which the board.json has been checked.

    Raises:
        SparsebenchError: The folder is no board, or its board.json is damaged.

    Example:
        >>> read_board(Path("lost"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'lost' is no board: it has no board.json; make one with ...
    """
    path = root / BOARD
    if not path.is_file():
        raise SparsebenchError(
            f"{str(root)!r} is no board: it has no {BOARD}; make one with `sparsebench board init`"
        )
    return Board(root, _parsed(path, BoardFile))


def read_submission(folder: Path) -> Submission:
    """Returns a submission.

    Args:
        folder: Its folder, `tasks/<task>/<name>`.

    Returns:
        The submission, whose archive is the one that its submission.json names.

    Raises:
        SparsebenchError: A file is missing, damaged or too many, or the folder is not that of its task.

    Example:
        >>> read_submission(Path("tasks/digits/lost"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'tasks/digits/lost' is no submission: ...
    """
    wanted = {RESULTS, SUBMISSION}
    there = {path.name for path in _inside(folder)} if folder.is_dir() else set()
    if there != wanted or any((folder / n).is_symlink() or not (folder / n).is_file() for n in wanted):
        raise SparsebenchError(
            f"{str(folder)!r} is no submission: it has to hold {RESULTS} and {SUBMISSION}, and nothing else"
        )
    told = _parsed(folder / SUBMISSION, SubmissionFile)
    if odd := odd_name([told.by, told.task, *told.states]):
        raise SparsebenchError(f"{str(folder / SUBMISSION)!r} is damaged: {odd}")
    if slug(told.task) != folder.parent.name:
        raise SparsebenchError(
            f"{str(folder)!r} is a submission to {printable(told.task)!r}: it lies elsewhere"
        )
    with (folder / RESULTS).open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != told.sha256:
            raise SparsebenchError(f"{str(folder / RESULTS)!r} is not the archive that was submitted")
    return Submission(folder, told)


def _inside(folder: Path) -> Iterator[Path]:
    if folder.is_symlink() or not folder.is_dir():
        raise SparsebenchError(f"{str(folder)!r} has no place on a board")
    yield from folder.iterdir()


def _parsed(path: Path, kind: type[M]) -> M:
    try:
        return kind.model_validate_json(_bounded(path))
    except ValidationError as error:
        raise SparsebenchError(f"{str(path)!r} is damaged: {validation_message(error)}") from error


def _bounded(path: Path) -> bytes:
    try:
        if path.is_symlink() or path.stat().st_size > MOST_JSON:
            raise SparsebenchError(f"{str(path)!r} is a link, or larger than {MOST_JSON >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise SparsebenchError(f"{str(path)!r} cannot be read: {error.strerror}") from error
