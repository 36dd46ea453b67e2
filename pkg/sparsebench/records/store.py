"""The file of records: append-only, one JSON line a trial, the latest line of an identity wins."""

import gc
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import SparsebenchError
from .hashing import intact
from .record import Record, parse

FILE = "records.jsonl"
EDITED = "was edited after it was written, or written anew by another tool"
SHOWN = 10  # numbers of edited lines


def _lines(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Number, text and completeness of each line; a line without its newline was torn by a crash."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line, line.endswith("\n")


def load_records(path: str | Path) -> list[Record]:
    """All records of an output folder (or of a records file), in the order written.

    A last line torn by a crash is left out; any other invalid line is an error naming its number.
    """
    file = Path(path)
    file = file / FILE if file.is_dir() else file
    if not file.is_file():
        raise SparsebenchError(f"no records in {str(path)!r}: {FILE} is not there")
    running = gc.isenabled()
    gc.disable()  # it would walk all records again with every few thousand, and find nothing
    try:
        return list(read_records(file))
    finally:
        if running:
            gc.enable()


def read_records(file: Path) -> Iterator[Record]:
    """The records of a file one after the other, as `load_records` reads them."""
    for number, line, complete in _lines(file):
        try:
            record = parse(line, f"{file}, line {number}")
        except SparsebenchError:
            if complete:
                raise
        else:
            yield record


def edits(folder: Path) -> str | None:
    """Which lines of the records were changed after they were written, as their seals say, in a sentence;
    None where none was."""
    file = folder / FILE
    lines = _lines(file) if file.is_file() else ()
    changed = [n for n, line, whole in lines if intact(line) is False and (whole or line.endswith("}"))]
    if not changed:
        return None
    where = ", ".join(map(str, changed[:SHOWN])) + (", …" if len(changed) > SHOWN else "")
    return f"{FILE} {EDITED}: line {where}"


def without_bulk(record: Record) -> Record:
    """The record without its bulk: what a search asks about is left."""
    bulk: dict[str, Any] = {
        "curve": [],
        "layers": [],
        "collapsed_layers": [],
        "diagnostics": {},
        "versions": {},
        "warnings": [],
    }
    return record.model_copy(update=bulk)


class Store:
    """The records of one output folder: append-only, one writer, latest record of an identity wins.

    In memory it keeps them without curves, layers and diagnostics, which the file has: a driver's memory
    must not grow with every trial of a campaign of weeks.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._by_id: dict[str, Record] = {}
        if self.path.exists():
            self._mend()
            for record in read_records(self.path):
                self._by_id[record.id] = without_bulk(record)

    def _mend(self) -> None:
        """Cut off a torn last line, so that the next record starts on a line of its own."""
        content = self.path.read_bytes()
        end = content.rfind(b"\n") + 1
        if end == len(content):
            return
        torn = content[end:].decode("utf-8", errors="replace")
        try:
            parse(torn, str(self.path))
        except SparsebenchError:
            with self.path.open("r+b") as file:
                file.truncate(end)
        else:
            with self.path.open("ab") as file:
                file.write(b"\n")

    def append(self, record: Record) -> Record:
        """Write one line through to the disk before anybody is told of it.

        Returns the record as it is kept in memory. Errors: the disk takes no more; then half a line is
        taken back.
        """
        line = memoryview(record.to_json().encode() + b"\n")
        try:
            with self.path.open("ab", buffering=0) as file:
                end = file.tell()
                try:
                    while line:
                        line = line[file.write(line) :]
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)
                    raise
        except OSError as error:
            raise SparsebenchError(
                f"cannot write to {str(self.path)!r}: {error.strerror}; once that is mended, the same "
                "command continues"
            ) from error
        self._by_id[record.id] = kept = without_bulk(record)
        return kept

    def finished(self, identity: str) -> Record | None:
        """The record of a finished identity; a failed one is not finished and is run again."""
        record = self._by_id.get(identity)
        return record if record is not None and record.ok else None

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)


def latest(records: Iterable[Record]) -> list[Record]:
    """One record per identity, the last written: a retried failure is superseded by its success."""
    return list({record.id: record for record in records}.values())
