"""The records file: append-only, one JSON line per trial, of which the latest of an identity counts."""

from collections.abc import Iterator
from pathlib import Path

from ..errors import SparsebenchError
from ..gc_pause import paused_gc
from .lines import EDITED, FILE, edits, last_line, read_lines, records_file
from .log import CONTINUE, Notify, RecordLog
from .record import Record, parse
from .selection import Selected, light_records, read_all
from .stored import StoredRecords, latest

__all__ = ["EDITED", "FILE", "Store", "edits", "latest", "load_records"]


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
    file, found = records_file(path), list[Record]()
    with paused_gc():  # the collector would traverse the growing list again and again, and free nothing
        for line in read_lines(file):
            try:
                found.append(line.parse(file))
            except SparsebenchError:
                if line.whole:
                    raise
    return found


class Store:
    """The records of one output folder, for the one process that appends to them.

    The latest record of an identity supersedes earlier ones. In memory they are without curves, layers and
    diagnostics, which the file has: a driver's memory must not grow with every trial of a campaign of weeks.

    Args:
        folder: The output folder. A last line torn by a crash is cut off there.
        notify: Called with a sentence where the file was taken away and had to be written again.

    Attributes:
        path: The records file, which the first `append` creates.
        edited: A sentence on the lines that were changed after they were written; None where there are none.
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
        self._light = light_records()
        self.edited: str | None = None
        if self.path.exists():
            self.edited = read_all(self.path, self._light, self._keep)
            self._mend()  # after reading: a file that is no file of records stays as it is

    def _keep(self, read: Selected[Record]) -> None:
        self._by_id[read.value.id] = read.value

    def _mend(self) -> None:
        """Cuts off a torn last line, so that the next record starts on a line of its own.

        A last line that lacks its newline alone is a whole record, and gets one.
        """
        start, torn = last_line(self.path)
        if not torn:
            return
        try:
            parse(torn.decode("utf-8", errors="replace"), str(self.path))
        except SparsebenchError:
            with self.path.open("r+b") as file:
                file.truncate(start)
        else:
            with self.path.open("ab") as file:
                file.write(b"\n")

    def append(self, record: Record) -> Record:
        """Writes one line through to the disk, so that no record is used which a crash could still lose.

        Returns the record as memory has it. Raises `SparsebenchError` where the disk takes no more, or the
        file cannot be brought back (see `RecordLog`).
        """
        self.log.append(record.to_json().encode() + b"\n")
        self._by_id[record.id] = kept = self._light.of_record(record)
        return kept

    def check(self) -> None:
        """Writes the file again where it was taken away; raises `SparsebenchError` where that cannot be."""
        self.log.check()

    def reload(self) -> StoredRecords:
        """Returns the latest record of each trial as the file has it, whole when they are asked for.

        Raises `SparsebenchError` where a record that was written is missing there.
        """
        self.log.open()  # a campaign that was stopped before its first record has none
        self.check()
        found = StoredRecords(self.path)
        if missing := len(self._by_id.keys() - {record.id for record in found.light}):
            raise SparsebenchError(
                f"{str(self.path)!r} lacks {missing} of the {len(self)} records that were written; {CONTINUE}"
            )
        self._by_id = {record.id: record for record in found.light}
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
