"""`pack`: one archive of a folder's records with their provenance, for `merge` on another machine."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import SparsebenchError
from ...records.method_docs import methods_json
from ...records.record import Record
from ...records.store import FILE
from ..system.environment import versions
from .archive import METHODS, SUITE, write_archive
from .compatibility import compatibility_errors
from .reader import read_folder

ENDING = ".sparsebench.zip"


class IncompatibleResults(SparsebenchError):
    """Something does not fit; `reasons` has a line for each thing."""

    def __init__(self, message: str, reasons: Sequence[str]) -> None:
        super().__init__(message)
        self.reasons = list(reasons)


class PackResult(NamedTuple):
    """What `pack` made: the archive, how many records it has, and how many of them have no seal."""

    path: Path
    records: int
    unsealed: int


def pack(folder: Path, out: Path | None = None) -> PackResult:
    """One archive of a folder's records, suite and methods in words, with hashes and provenance.

    By default it lies beside the folder, `<folder>.sparsebench.zip`. Errors: no records; records that
    `merge` would refuse, in `Refused.reasons`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SparsebenchError(f"{str(folder)!r} is no output folder")
    source, reasons = read_folder(folder)
    reasons += compatibility_errors([source]) if not reasons else ()
    if reasons:
        raise IncompatibleResults(f"nothing was packed: {_count(reasons)} in {str(folder)!r}", reasons)
    files = {FILE: _lines(source.records, source.unsealed)}
    if (folder / SUITE).is_file():
        files[SUITE] = (folder / SUITE).read_bytes()
    if source.described:
        files[METHODS] = methods_json(dict(source.described)).encode()
    target = Path(out) if out else folder.resolve().with_name(folder.resolve().name + ENDING)
    told = {"packed_with": versions(), **provenance(source.records)}
    return PackResult(write_archive(target, files, told), len(source.records), len(source.unsealed))


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


def without_seal(count: int) -> str:
    """That so many records could have been edited, in words."""
    return f"{count} without a seal, which would show whether they were edited"
