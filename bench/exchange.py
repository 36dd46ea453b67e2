"""Results that travel: `pack` makes an archive of a folder, `merge` joins archives and folders."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import SparsebenchError
from .archive import METHODS, SUITE, write_archive
from .described import Methods, methods_json
from .fit import Source, misfits, repeats, uneven
from .records import FILE, Record
from .sources import from_folder, read
from .versions import versions

SOURCES = "sources.json"
ENDING = ".sparsebench.zip"


class Refused(SparsebenchError):
    """Something does not fit; `reasons` has a line for each thing."""

    def __init__(self, message: str, reasons: Sequence[str]) -> None:
        super().__init__(message)
        self.reasons = list(reasons)


@dataclass(frozen=True)
class Merged:
    """What `merge` made: the folder, its records, and a line on each source and each difference."""

    folder: Path
    records: list[Record]
    notes: list[str]


class Packed(NamedTuple):
    """What `pack` made: the archive, how many records it has, and how many of them have no seal."""

    path: Path
    records: int
    unsealed: int


def pack(folder: Path, out: Path | None = None) -> Packed:
    """One archive of a folder's records, suite and methods in words, with hashes and provenance.

    By default it lies beside the folder, `<folder>.sparsebench.zip`. Errors: no records; records that
    `merge` would refuse, in `Refused.reasons`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SparsebenchError(f"{str(folder)!r} is no output folder")
    source, reasons = from_folder(folder)
    reasons += misfits([source]) if not reasons else ()
    if reasons:
        raise Refused(f"nothing was packed: {_count(reasons)} in {str(folder)!r}", reasons)
    files = {FILE: _lines(source.records, source.unsealed)}
    if (folder / SUITE).is_file():
        files[SUITE] = (folder / SUITE).read_bytes()
    if source.described:
        files[METHODS] = methods_json(dict(source.described)).encode()
    target = Path(out) if out else folder.resolve().with_name(folder.resolve().name + ENDING)
    told = {"packed_with": versions(), **provenance(source.records)}
    return Packed(write_archive(target, files, told), len(source.records), len(source.unsealed))


def merge(sources: Sequence[Path], out: Path) -> Merged:
    """Join archives and folders into one folder of records, all of them or none.

    What is in several sources is taken from the first of them. Errors: what does not fit, in
    `Refused.reasons` line by line; an `out` that holds records already, or cannot be written.
    """
    out = Path(out)
    if not sources:
        raise SparsebenchError("merge needs at least one archive or folder")
    if any((out / name).exists() for name in (FILE, SUITE, METHODS)):
        raise SparsebenchError(f"{str(out)!r} holds results already; choose another --out")
    found, reasons = list[Source](), list[str]()
    for path in sources:
        source, complaints = read(Path(path))
        found.append(source)
        reasons += complaints
    if not reasons:
        reasons += misfits(found)
    if reasons:
        raise Refused(f"nothing was merged: {_count(reasons)}", reasons)
    records, unsealed, notes = _joined(found)
    methods, others = _told(found)
    try:
        _write(out, found, _lines(records, unsealed), methods)
    except OSError as error:
        raise SparsebenchError(f"cannot write to {str(out)!r}: {error.strerror}") from error
    return Merged(out, records, [*notes, *others])


def _lines(records: Iterable[Record], unsealed: Set[str]) -> bytes:
    """Their lines. What came without a seal goes on without one: nothing shows that it was not edited."""
    return "".join(record.to_json(seal=record.id not in unsealed) + "\n" for record in records).encode()


def _count(reasons: Sequence[str]) -> str:
    return "one thing does not fit" if len(reasons) == 1 else f"{len(reasons)} things do not fit"


def provenance(records: Sequence[Record]) -> dict[str, Any]:
    """Where results come from, for people: tasks with their data, entries, versions and devices."""
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


def _joined(sources: Sequence[Source]) -> tuple[list[Record], set[str], list[str]]:
    """Every identity once, from the first source that finished it; of a repeated search the first one.
    Beside the records, which of them came without a seal, and a line on each source."""
    kept: dict[str, Record] = {}
    unsealed = set[str]()
    notes = []
    left_out = repeats(sources)
    for number, source in enumerate(sources):
        fresh, again, gap = 0, 0, 0.0
        for record in source.records:
            if (number, record.task, record.entry) in left_out:
                continue
            before = kept.get(record.id)
            if before is None or (not before.ok and record.ok):
                kept[record.id] = record
                (unsealed.add if record.id in source.unsealed else unsealed.discard)(record.id)
                fresh += before is None
            elif record.ok:
                again += 1
                gap = max(gap, abs((record.val_accuracy or 0.0) - (before.val_accuracy or 0.0)))
        note = f"{source.name}: {fresh} records"
        if again:
            note += f"; {again} known already, validation accuracy at most {100 * gap:.2f} points apart"
        if source.unsealed:
            note += f"; {without_seal(len(source.unsealed))}"
        notes.append(note)
    for (number, task, entry), first in left_out.items():
        notes.append(
            f"{sources[number].name}: its search of {entry!a} on {task} is left out, that of "
            f"{sources[first].name} is kept: one search for each entry"
        )
    notes += uneven(sources)
    libraries = {json.dumps(r.versions, sort_keys=True) for r in kept.values()}
    if len(libraries) > 1:
        notes.append(f"they were made with {len(libraries)} different sets of library versions")
    return list(kept.values()), unsealed, notes


def without_seal(count: int) -> str:
    """That so many records could have been edited, in words."""
    return f"{count} without a seal, which would show whether they were edited"


def _told(sources: Sequence[Source]) -> tuple[Methods, list[str]]:
    """What is told of each method by the first source that does; a line where another tells it otherwise."""
    kept: Methods = {}
    owner: dict[str, str] = {}
    notes = []
    for source in sources:
        for name, text in source.described.items():
            if kept.setdefault(name, text) != text:
                notes.append(
                    f"{source.name}: it describes method {name} otherwise than {owner[name]}, whose is kept"
                )
            owner.setdefault(name, source.name)
    return kept, notes


def _write(out: Path, sources: Sequence[Source], content: bytes, methods: Methods) -> None:
    told = [{"name": Path(s.name).name, "sha256": s.sha256, **provenance(s.records)} for s in sources]
    out.mkdir(parents=True, exist_ok=True)
    _put(out / SOURCES, json.dumps({"sha256": sha256(content).hexdigest(), "sources": told}, indent=1) + "\n")
    identity = _identity(sources)
    if identity is not None:
        _put(out / SUITE, json.dumps(identity, indent=1) + "\n")
    if methods:
        _put(out / METHODS, methods_json(methods))
    _put(out / FILE, content.decode())


def _put(path: Path, text: str) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _identity(sources: Sequence[Source]) -> dict[str, Any] | None:
    """The suites as one: tasks and entries of all, which cover the records of sources without a suite too.
    None where no source has one. What several say, all say alike; the first stands."""
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
