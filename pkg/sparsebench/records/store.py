"""The records file: append-only, one JSON line per trial, of which the latest of an identity counts."""

import gc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import SparsebenchError
from .hashing import intact
from .log import CONTINUE, Notify, RecordLog
from .record import Record, parse

FILE = "records.jsonl"
EDITED = "was edited after it was written, or written anew by another tool"
SHOWN = 10  # the most line numbers in the sentence on edited lines


def _lines(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Yields number, text and completeness of each line; a line without a newline was torn by a crash."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line, line.endswith("\n")


def load_records(path: str | Path) -> list[Record]:
    """Returns all records of an output folder, in the order written.

    A last line torn by a crash is left out.

    Args:
        path: An output folder, or a records file.

    Returns:
        The records, superseded ones included: see `latest`.

    Raises:
        SparsebenchError: There is no such file, or a complete line is invalid; then its number is given.

    Example:
        >>> found = load_records(folder)
        >>> len(found), sorted({record.entry for record in found})
        (48, ['dense', 'dwf-3', 'magnitude'])
    """
    file = Path(path)
    file = file / FILE if file.is_dir() else file
    if not file.is_file():
        raise SparsebenchError(f"no records in {str(path)!r}: {FILE} is not there")
    running = gc.isenabled()
    gc.disable()  # the collector would traverse the growing list again and again, and free nothing
    try:
        return list(_read_records(file))
    finally:
        if running:
            gc.enable()


def _read_records(file: Path) -> Iterator[Record]:
    """Yields the records of a file in the order written; a last line torn by a crash is left out."""
    for number, line, complete in _lines(file):
        try:
            record = parse(line, f"{file}, line {number}")
        except SparsebenchError:
            if complete:
                raise
        else:
            yield record


def edits(folder: Path) -> str | None:
    """Returns a sentence on the lines that were changed after they were written, as their seals show.

    Args:
        folder: An output folder, with or without records.

    Returns:
        The sentence, with the numbers of the first ten such lines; None where every sealed line is intact.

    Example:
        >>> _ = Path(FILE).write_text(record.to_json().replace("made_up", "mnist"))
        >>> edits(Path())
        'records.jsonl was edited after it was written, or written anew by another tool: line 1'
    """
    file = folder / FILE
    lines = _lines(file) if file.is_file() else ()
    changed = [n for n, line, whole in lines if intact(line) is False and (whole or line.endswith("}"))]
    if not changed:
        return None
    where = ", ".join(map(str, changed[:SHOWN])) + (", …" if len(changed) > SHOWN else "")
    return f"{FILE} {EDITED}: line {where}"


def _without_bulk(record: Record) -> Record:
    """Returns the record without its curve, layers and other bulk, which no search needs."""
    bulk: dict[str, Any] = {
        "curve": [],
        "layers": [],
        "empty_layers": None,
        "diagnostics": {},
        "versions": {},
        "warnings": [],
    }
    return record.model_copy(update={**bulk, "collapsed": record.has_collapsed, "collapsed_layers": []})


class Store:
    """The records of one output folder, for the one process that appends to them.

    The latest record of an identity supersedes earlier ones. In memory they are without curves, layers and
    diagnostics, which the file has: a driver's memory must not grow with every trial of a campaign of weeks.

    Args:
        folder: The output folder. A last line torn by a crash is cut off there.
        notify: Called with a sentence where the file was taken away and had to be written again.

    Attributes:
        path: The records file, which the first `append` creates.
        log: The open file.

    Example:
        >>> store = Store(folder)
        >>> appended = store.append(record.model_copy(update={"id": "5e" * 8, "seed": 7}))
        >>> store.finished("5e" * 8).seed, len(Store(folder)) - len(records)
        (7, 1)
    """

    def __init__(self, folder: Path, notify: Notify = lambda _: None) -> None:
        self.path = folder / FILE
        self.log = RecordLog(self.path, notify)
        self._by_id: dict[str, Record] = {}
        if self.path.exists():
            for record in _read_records(self.path):
                self._by_id[record.id] = _without_bulk(record)
            self._mend()  # after reading: a file that is no file of records stays as it is

    def _mend(self) -> None:
        """Cuts off a torn last line, so that the next record starts on a line of its own.

        A last line that lacks its newline alone is a whole record, and gets one.
        """
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
        """Writes one line through to the disk, so that no record is used which a crash could still lose.

        Returns the record as memory has it. Raises `SparsebenchError` where the disk takes no more, or the
        file cannot be brought back (see `RecordLog`).
        """
        self.log.append(record.to_json().encode() + b"\n")
        self._by_id[record.id] = kept = _without_bulk(record)
        return kept

    def check(self) -> None:
        """Writes the file again where it was taken away; raises `SparsebenchError` where that cannot be."""
        self.log.check()

    def reload(self) -> list[Record]:
        """Returns the latest record of each trial as the file has it, with curve and layers.

        Raises `SparsebenchError` where a record that was written is missing there.
        """
        self.check()
        found = latest(load_records(self.path)) if len(self) else []
        if missing := len(self._by_id.keys() - {record.id for record in found}):
            raise SparsebenchError(
                f"{str(self.path)!r} lacks {missing} of the {len(self)} records that were written; {CONTINUE}"
            )
        return found

    def close(self) -> None:
        """Closes the file, so that another process may append to it."""
        self.log.close()

    def finished(self, identity: str) -> Record | None:
        """Returns the record of an identity that need not run; None where it has failed, or not run yet."""
        record = self._by_id.get(identity)
        return record if record is not None and record.ok else None

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)


def latest(records: Iterable[Record]) -> list[Record]:
    """Returns one record for each identity, the last written: a retried failure is superseded by its success.

    Args:
        records: Records in the order written.

    Returns:
        The records, in the order in which their identities first appeared.

    Example:
        >>> failed = record.model_copy(update={"status": "failed"})
        >>> [one.status for one in latest([failed, record])]
        ['ok']
    """
    return list({record.id: record for record in records}.values())
