"""The packing of results: one archive of a folder's records with their provenance, for `merge` elsewhere."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import SparsebenchError, UnknownName
from ...method_docs import methods_json
from ...records.record import Record
from ...records.store import FILE
from ..system.environment import versions
from .archive import METHODS, SUITE
from .archive_writer import Content, write_archive
from .compatibility import Source, compatibility_errors
from .reader import read_folder

ENDING = ".sparsebench.zip"


class IncompatibleResults(SparsebenchError):
    """Results that cannot be packed or merged because they are damaged or contradict each other.

    Args:
        message: Summary for the user, such as the number of problems.
        reasons: One line for each problem; the attribute of this name has them as a list.

    Example:
        >>> _ = (folder / FILE).write_text("")
        >>> try:
        ...     pack(folder)
        ... except IncompatibleResults as error:
        ...     print(error.reasons)
        ['...run: it holds no records']
    """

    def __init__(self, message: str, reasons: Sequence[str]) -> None:
        super().__init__(message)
        self.reasons = list(reasons)


class PackResult(NamedTuple):
    """Outcome of `pack`.

    Attributes:
        path: The archive that was written.
        records: Number of records in it.
        unsealed: Number of those whose line has no seal, so that an edit would not show.

    Example:
        >>> path, count, unsealed = PackResult(Path("mine.sparsebench.zip"), records=12, unsealed=0)
        >>> f"{path}: {count} records"
        'mine.sparsebench.zip: 12 records'
    """

    path: Path
    records: int
    unsealed: int


def pack(folder: Path, out: Path | None = None, tasks: Sequence[str] = ()) -> PackResult:
    """Packs a folder's records, suite and method descriptions into one archive with hashes and provenance.

    Args:
        folder: Output folder of a campaign, or of `merge`.
        out: The archive to write; by default `<folder>.sparsebench.zip` beside the folder.
        tasks: Names of the tasks to pack, for a folder that is too large for one archive; by default all.

    Returns:
        The archive's path and the numbers of its records.

    Raises:
        SparsebenchError: `folder` is no folder, or the archive cannot be written.
        UnknownName: The folder has no records of such a task.
        IncompatibleResults: The folder has no records, or records that `merge` would refuse.

    Example:
        >>> from sparsebench.bench.training.trial import failed
        >>> from sparsebench.records.store import Store
        >>> _ = Store(Path()).append(failed(trial, "out of memory", device="cpu"))
        >>> pack(Path(), Path("mine.sparsebench.zip")).records
        1
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SparsebenchError(f"{str(folder)!r} is not a folder")
    source, reasons = read_folder(folder)
    reasons += compatibility_errors([source]) if not reasons else ()
    if reasons:
        raise IncompatibleResults(f"nothing was packed: {_count(reasons)} in {str(folder)!r}", reasons)
    if tasks:
        source = _of_tasks(source, tasks)
    copied, wanted = source.lines, {record.id for record in source.records}
    assert copied is not None, "a source that was read has the lines of its records"
    files: dict[str, Content] = {FILE: lambda: (line for _, line in copied.copied(wanted))}
    if (folder / SUITE).is_file():
        files[SUITE] = (folder / SUITE).read_bytes()
    if source.method_docs:
        files[METHODS] = methods_json(dict(source.method_docs)).encode()
    target = Path(out) if out else folder.resolve().with_name(folder.resolve().name + ENDING)
    told = {"packed_with": versions(), **provenance(source.records)}
    return PackResult(write_archive(target, files, told), len(source.records), len(source.unsealed))


def _of_tasks(source: Source, tasks: Sequence[str]) -> Source:
    """Returns the part of a source that some tasks have."""
    known = {record.task for record in source.records}
    for task in tasks:
        if task not in known:
            raise UnknownName("task", task, known)
    kept = [record for record in source.records if record.task in tasks]
    return replace(source, records=kept, unsealed=source.unsealed & {record.id for record in kept})


def _count(reasons: Sequence[str]) -> str:
    return "one problem" if len(reasons) == 1 else f"{len(reasons)} problems"


def provenance(records: Sequence[Record]) -> dict[str, Any]:
    """Returns the origin of results for human readers: suites, tasks, entries, versions and devices.

    Args:
        records: The records of one source.

    Returns:
        A JSON-like mapping: `tasks` has the data digest by task, `versions` and `devices` the number of
        records for each set of library versions and each device, `seconds` the total time of the trials.

    Example:
        >>> origin = provenance(records)
        >>> origin["tasks"], origin["entries"], origin["devices"]["none"] == origin["records"]
        ({'made_up-net': 'synthetic'}, ['dense', 'dwf-3', 'magnitude'], True)
    """
    return {
        "records": len(records),
        "suites": sorted({r.suite for r in records}),
        "tasks": {r.task: r.data_digest for r in records},
        "entries": sorted({r.entry for r in records}),
        "seconds": round(sum(r.seconds for r in records), 1),
        "versions": [
            {**json.loads(text), "records": count}
            for text, count in Counter(json.dumps(r.versions, sort_keys=True) for r in records).most_common()
        ],
        "devices": dict(Counter(r.device for r in records).most_common()),
    }


def without_seal(count: int) -> str:
    """Returns the warning that a number of records lacks a seal.

    Args:
        count: Number of records without a seal.

    Returns:
        The part of a sentence that `pack` and `merge` print.

    Example:
        >>> without_seal(2)
        '2 without a seal, which would show whether they were edited'
    """
    return f"{count} without a seal, which would show whether they were edited"
