"""The packing of results: one archive of a folder's records with their provenance, for `merge` elsewhere."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import SparsebenchError, UnknownName
from ...method_docs import methods_json
from ...records.measured.latency import latencies_json
from ...records.record import Record
from ...records.store import FILE
from ..system.environment import versions
from .archive import BLOCK
from .archive_writer import Content, write_archive
from .compatibility import Source, compatibility_errors
from .manifest import LATENCY, METHODS, SUITE, model_member
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
        models: Number of models in it.

    Example:
        >>> done = PackResult(Path("mine.sparsebench.zip"), records=12, unsealed=0)
        >>> f"{done.path}: {done.records} records"
        'mine.sparsebench.zip: 12 records'
    """

    path: Path
    records: int
    unsealed: int
    models: int = 0


@dataclass(frozen=True)
class PackedModels:
    """The models that go into an archive, and what their accuracies were measured on.

    Attributes:
        files: The safetensors file of each, by the id of its trial; of records that are not packed they are
            left out.
        test_sets: Digest of the test set, by task.

    Example:
        >>> PackedModels().files
        {}
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    test_sets: Mapping[str, str] = field(default_factory=dict)


def pack(
    folder: Path,
    out: Path | None = None,
    tasks: Sequence[str] = (),
    entries: Sequence[str] = (),
    models: PackedModels | None = None,
) -> PackResult:
    """Packs a folder's records, suite and method descriptions into one archive with hashes and provenance.

    Args:
        folder: Output folder of a campaign, or of `merge`.
        out: The archive to write; by default `<folder>.sparsebench.zip` beside the folder.
        tasks: Names of the tasks to pack, for a folder that is too large for one archive; by default all.
        entries: Labels of the entries to pack, as of an author who submits one; by default all.
        models: The models to pack with the records; by default none.

    Returns:
        The archive's path and the numbers of its records.

    Raises:
        SparsebenchError: `folder` is no folder, or the archive cannot be written.
        UnknownName: The folder has no records of such a task or entry.
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
    source = part_of(source, tasks, entries)
    suite = (folder / SUITE).read_bytes() if (folder / SUITE).is_file() else None
    target = Path(out) if out else folder.resolve().with_name(folder.resolve().name + ENDING)
    found = models or PackedModels()
    contents = {identity: _file_content(path) for identity, path in found.files.items()}
    return pack_source(source, target, suite, contents, found.test_sets)


def pack_source(
    source: Source,
    target: Path,
    suite: bytes | None,
    models: Mapping[str, Content],
    test_sets: Mapping[str, str],
) -> PackResult:
    """Packs the records of a source, or of a part of one, into an archive.

    Args:
        source: What was read of a folder or an archive.
        target: The archive to write.
        suite: The content of its `suite.json`; None where it has none.
        models: The contents of models by the ids of their trials; those of other records are left out.
        test_sets: Digests of test sets by task; those of other tasks are left out.

    Returns:
        The archive's path and the numbers of its records and models.

    Raises:
        SparsebenchError: The archive cannot be written.

    Example:
        >>> from sparsebench.bench.training.trial import failed
        >>> _ = Path(FILE).write_text(failed(trial, "out of memory", device="cpu").to_json())
        >>> pack_source(read_folder(Path())[0], Path("mine.sparsebench.zip"), None, {}, {}).records
        1
    """
    copied, wanted = source.lines, {record.id for record in source.records}
    assert copied is not None, "a source that was read has the lines of its records"
    files: dict[str, Content] = {FILE: lambda: (line for _, line in copied.copied(wanted))}
    if suite is not None:
        files[SUITE] = suite
    if source.method_docs:
        files[METHODS] = methods_json(dict(source.method_docs)).encode()
    if source.latencies:
        files[LATENCY] = latencies_json(source.latencies).encode()
    packed = {identity: content for identity, content in models.items() if identity in wanted}
    files |= {model_member(identity): packed[identity] for identity in sorted(packed)}
    tasks = {record.task for record in source.records}
    tested = {task: found for task, found in sorted(test_sets.items()) if packed and task in tasks}
    told = {"packed_with": versions(), **provenance(source.records)}
    path = write_archive(target, files, told, tested)
    return PackResult(path, len(source.records), len(source.unsealed), len(packed))


def part_of(source: Source, tasks: Sequence[str], entries: Sequence[str] = ()) -> Source:
    """Returns the part of a source that some tasks and entries have.

    Args:
        source: What was read of a folder or an archive.
        tasks: Names of the tasks; none for all.
        entries: Labels of the entries; none for all.

    Returns:
        A source of their records alone.

    Raises:
        UnknownName: The source has no records of such a task or entry.

    Example:
        >>> source = Source("mine", records)
        >>> len(source.records), len(part_of(source, [], ["dense"]).records)
        (48, 16)
    """
    for what, names in (("task", tasks), ("entry", entries)):
        known = {getattr(record, what) for record in source.records}
        for name in names:
            if name not in known:
                raise UnknownName(what, name, known)
    if not tasks and not entries:
        return source
    kept = [
        record
        for record in source.records
        if (not tasks or record.task in tasks) and (not entries or record.entry in entries)
    ]
    if not kept:
        raise SparsebenchError(f"{source.name} has no records of these entries on these tasks")
    used = {record.method for record in kept}
    described = {name: text for name, text in source.method_docs.items() if name in used}
    unsealed = source.unsealed & {record.id for record in kept}
    own = {(record.id, record.entry) for record in kept}
    timed = [one for one in source.latencies if (one.trial, one.entry) in own]
    return replace(source, records=kept, unsealed=unsealed, method_docs=described, latencies=timed)


def _file_content(path: Path) -> Callable[[], Iterator[bytes]]:
    """Returns what yields a file in parts, each time that it is called."""

    def parts() -> Iterator[bytes]:
        with path.open("rb") as file:
            while part := file.read(BLOCK):
                yield part

    return parts


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
