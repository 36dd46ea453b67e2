"""The intake of an archive: it is parted by task, examined, and laid onto the board."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import SparsebenchError, printable
from ...files import write_atomic
from ...reports.formatting import slug
from ..exchange.archive import BLOCK, Archive, read_archive
from ..exchange.compatibility import Source
from ..exchange.manifest import SUITE
from ..exchange.pack import ENDING, IncompatibleResults, pack_source, part_of
from ..exchange.reader import read_source
from ..verification.verify import Place
from .examine import examine
from .layout import RESULTS, SUBMISSION, TASKS, Board, Submission, SubmissionFile, read_submission


def add_archive(
    board: Board, archive: Path, by: str, place: Place | None = None, now: datetime | None = None
) -> list[Submission]:
    """Adds the results of an archive to a board: a submission for each of its tasks, all or none.

    Args:
        board: The board.
        archive: The archive, as `sparsebench pack` makes it.
        by: Who submits it.
        place: Where the data are, and the device of the verification.
        now: The time that the submissions have; None for that of the clock.

    Returns:
        The submissions, which the board holds now.

    Raises:
        SparsebenchError: There is no such archive, or the board cannot be written.
        IncompatibleResults: The board refuses the results; `reasons` has one line for each reason.

    Example:
        >>> from sparsebench.bench.board.start import start_board
        >>> add_archive(start_board(Path("board")), Path("lost.zip"), "Ada")
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'lost.zip' is no archive: make one with `sparsebench pack`
    """
    if not archive.is_file():
        raise SparsebenchError(f"{str(archive)!r} is no archive: make one with `sparsebench pack`")
    source, reasons = read_source(archive)
    if reasons:
        raise IncompatibleResults(f"the board does not take {archive.name}", reasons)
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    with TemporaryDirectory(prefix="sparsebench-") as temporary:
        blank = SubmissionFile(task="-", by=printable(by, 200), added=moment, sha256="0" * 64)
        made = [
            _made(Path(temporary), archive, source, blank.model_copy(update={"task": task}))
            for task in dict.fromkeys(record.task for record in source.records)
        ]
        held = {one.told.sha256 for one in board.submissions()}
        if again := [one.folder.name for one in made if one.told.sha256 in held]:
            raise SparsebenchError(f"the board has {', '.join(again)} already")
        found = examine(board, made, place)
        if not found.ok:
            raise IncompatibleResults(f"the board does not take {archive.name}", found.problems)
        return [
            _laid(board, one, one.told.model_copy(update={"states": found.states[one.folder]}))
            for one in made
        ]


def _made(folder: Path, archive: Path, source: Source, told: SubmissionFile) -> Submission:
    """Lays an archive, or the part of it that a task has, into a folder that is named after it."""
    path = folder / "part.zip"
    if {record.task for record in source.records} == {told.task}:
        shutil.copyfile(archive, path)
    else:
        whole = read_archive(archive)
        contents = {identity: partial(_parts, whole, identity) for identity in whole.manifest.models}
        suite, tested = whole.files.get(SUITE), whole.manifest.test_sets
        pack_source(part_of(source, [told.task]), path, suite, contents, tested)
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    stem = slug(archive.name.removesuffix(ENDING).removesuffix(".zip"))[:60]
    own = folder / TASKS / slug(told.task) / f"{stem}-{digest[:8]}"
    own.mkdir(parents=True)
    path.rename(own / RESULTS)
    return Submission(own, told.model_copy(update={"sha256": digest}))


def _parts(archive: Archive, identity: str) -> Iterator[bytes]:
    with archive.model(identity) as stream:
        while part := stream.read(BLOCK):
            yield part


def _laid(board: Board, one: Submission, told: SubmissionFile) -> Submission:
    place = board.root / TASKS / one.folder.parent.name / one.folder.name
    try:
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(one.archive, place / RESULTS)
    except OSError as error:
        raise SparsebenchError(f"cannot write to {str(place)!r}: {error.strerror or error}") from error
    write_atomic(place / SUBMISSION, told.model_dump_json(indent=1) + "\n")
    return read_submission(place)
