"""The merge of results: archives and folders of several machines become one folder of records."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...errors import SparsebenchError
from ...files import replacing, write_atomic
from ...method_docs import Methods, methods_json
from ...records.measured.latency import Latency, write_latencies
from ...records.record import Record
from ...records.store import FILE
from ...records.stored import StoredRecords
from .compatibility import Source, compatibility_errors, duplicate_searches, unequal_budgets
from .manifest import METHODS, SUITE
from .pack import IncompatibleResults, _count, provenance, without_seal
from .reader import read_source

SOURCES = "sources.json"

Kept = dict[str, tuple[int, Record]]  # by identity


@dataclass(frozen=True)
class MergeResult:
    """Outcome of `merge`.

    Attributes:
        folder: The output folder that was written.
        records: The joined records, each identity once.
        notes: One line for each source, and one for each difference that does not prevent merging.

    Example:
        >>> result = MergeResult(Path("joined"), [record], ["a.sparsebench.zip: 1 records"])
        >>> print(len(result.records), "in", result.folder, result.notes)
        1 in joined ['a.sparsebench.zip: 1 records']
    """

    folder: Path
    records: Sequence[Record]
    notes: list[str]


def merge(sources: Sequence[Path], out: Path) -> MergeResult:
    """Joins archives and folders into one folder of records, all of them or none.

    A trial that several sources hold is taken from the first that finished it, a search that several sources
    ran with different trials from the first.

    Args:
        sources: Archives made by `pack`, and output folders, in order of precedence.
        out: Folder to write; it must not hold results yet.

    Returns:
        The folder, the joined records and notes on the sources.

    Raises:
        SparsebenchError: No source is given, or `out` holds results already or cannot be written.
        IncompatibleResults: A source is damaged or contradicts another; `reasons` has one line for each.

    Example:
        >>> from sparsebench.bench.training.trial import failed
        >>> from sparsebench.records.store import Store
        >>> _ = Store(Path()).append(failed(trial, "out of memory", device="cpu"))
        >>> merge([Path()], Path("joined")).notes
        ['.: 1 records']
    """
    # Arguments.
    out = Path(out)
    if not sources:
        raise SparsebenchError("merge needs at least one archive or folder")
    if any((out / name).exists() for name in (FILE, SUITE, METHODS, SOURCES)):
        raise SparsebenchError(f"{str(out)!r} holds results already; choose another --out")
    # Reading and checking: each source alone, and if all are sound, against each other.
    found, reasons = list[Source](), list[str]()
    for path in sources:
        source, complaints = read_source(Path(path))
        found.append(source)
        reasons += complaints
    if not reasons:
        reasons += compatibility_errors(found)
    if reasons:
        raise IncompatibleResults(f"nothing was merged: {_count(reasons)}", reasons)
    # Joining and writing.
    kept, notes = _joined(found)
    methods, others = _told(found)
    return MergeResult(out, _write(out, found, kept, methods), [*notes, *others])


def _joined(sources: Sequence[Source]) -> tuple[Kept, list[str]]:
    """Returns every identity once with the number of the first source that finished it, of a repeated search
    that of the first one, and its record there; and the notes."""
    kept: Kept = {}
    notes = []
    left_out = duplicate_searches(sources)
    # Records and one note for each source: how many are new, and how far repeated ones differ.
    for number, source in enumerate(sources):
        fresh, again, gap = 0, 0, 0.0
        for record in source.records:
            if (number, record.task, record.entry) in left_out:
                continue
            _, before = kept.get(record.id, (number, None))
            if before is None or (not before.ok and record.ok):
                kept[record.id] = number, record
                fresh += before is None
            elif record.ok:
                again += 1
                gap = max(gap, abs((record.val_accuracy or 0.0) - (before.val_accuracy or 0.0)))
        note = f"{source.name}: {fresh} records"
        if again:
            note += f"; {again} repeated, validation accuracy at most {100 * gap:.2f} points apart"
        if source.unsealed:
            note += f"; {without_seal(len(source.unsealed))}"
        notes.append(note)
    # Notes on the whole: omitted searches, unequal budgets, differing libraries.
    for (number, task, entry), first in left_out.items():
        notes.append(
            f"{sources[number].name}: its search of {entry!a} on {task} is left out, that of "
            f"{sources[first].name} is kept: one search for each entry"
        )
    notes += unequal_budgets(sources)
    libraries = {tuple(sorted(r.versions.items())) for _, r in kept.values()}
    if len(libraries) > 1:
        notes.append(f"the records were made with {len(libraries)} different sets of library versions")
    return kept, notes


def _told(sources: Sequence[Source]) -> tuple[Methods, list[str]]:
    """Returns the first description of each method, and a note for each source that differs from it."""
    kept: Methods = {}
    owner: dict[str, str] = {}
    notes = []
    for source in sources:
        for name, text in source.method_docs.items():
            if kept.setdefault(name, text) != text:
                notes.append(
                    f"{source.name}: its description of method {name} differs from that of {owner[name]}, "
                    "which is kept"
                )
            owner.setdefault(name, source.name)
    return kept, notes


def _write(out: Path, sources: Sequence[Source], kept: Kept, methods: Methods) -> StoredRecords:
    """Writes the files of the folder, the records last: without them it holds no results. Returns them."""
    told = [{"name": Path(s.name).name, "sha256": s.sha256, **provenance(s.records)} for s in sources]
    hashed, start = sha256(), 0
    written, starts = list[Record](), dict[str, int]()
    try:
        with replacing(out / FILE) as temporary:
            with temporary.open("wb") as file:
                for record, line in _copied(sources, kept):
                    hashed.update(line)
                    file.write(line)
                    written.append(record)
                    starts[record.id] = start
                    start += len(line)
            if timed := _timed(sources, kept):
                write_latencies(out, timed)
            _write_beside(out, sources, methods, {"sha256": hashed.hexdigest(), "sources": told})
    except OSError as error:
        raise SparsebenchError(f"cannot write to {str(out)!r}: {error.strerror or error}") from error
    return StoredRecords.of(out / FILE, written, starts)


def _timed(sources: Sequence[Source], kept: Kept) -> list[Latency]:
    """Returns the measured times of models whose records are kept; those of every machine stay apart."""
    own = {(identity, record.entry) for identity, (_, record) in kept.items()}
    return [one for source in reversed(sources) for one in source.latencies if (one.trial, one.entry) in own]


def _copied(sources: Sequence[Source], kept: Kept) -> Iterator[tuple[Record, bytes]]:
    """Yields the records that are kept with their lines, byte by byte as each source has them."""
    for number, source in enumerate(sources):
        if source.lines is not None:
            own = {identity: record for identity, (of, record) in kept.items() if of == number}
            yield from ((own[identity], line) for identity, line in source.lines.copied(own.keys()))


def _write_beside(out: Path, sources: Sequence[Source], methods: Methods, origin: Mapping[str, Any]) -> None:
    write_atomic(out / SOURCES, json.dumps(origin, indent=1) + "\n")
    identity = _identity(sources)
    if identity is not None:
        write_atomic(out / SUITE, json.dumps(identity, indent=1) + "\n")
    if methods:
        write_atomic(out / METHODS, methods_json(methods))


def _identity(sources: Sequence[Source]) -> dict[str, Any] | None:
    """Returns the content of the joint `suite.json`: tasks and entries of all suites, which cover the records
    of sources without a suite too; None where no source has one. Sources agree on what several of them state
    (`compatibility_errors`), so the first is taken."""
    suites = [source.suite for source in sources if source.suite is not None]
    if not suites:
        return None
    whole = suites[0].model_dump(mode="json", exclude={"summary"})
    dumped = [suite.model_dump(mode="json") for suite in suites]
    tasks = {(t["dataset"], t["model"]): t for suite in reversed(dumped) for t in suite["tasks"]}
    entries = {e["label"]: e for suite in reversed(dumped) for e in suite["entries"]}
    order_t = dict.fromkeys((t["dataset"], t["model"]) for suite in dumped for t in suite["tasks"])
    order_e = dict.fromkeys(e["label"] for suite in dumped for e in suite["entries"])
    return {
        "suite": {**whole, "tasks": [tasks[k] for k in order_t], "entries": [entries[k] for k in order_e]},
        "data": _union(source.data for source in sources),
        "methods": _union(source.methods for source in sources),
    }


def _union(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            found.setdefault(name, value)
    return found
