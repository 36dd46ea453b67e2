"""The records file: append-only, one JSON line per trial, of which the latest of an identity counts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import eq
from pathlib import Path
from typing import overload

from ..errors import SparsebenchError
from ..gc_pause import paused_gc
from .lines import EDITED, FILE, edited_lines, edits, last_line, read_lines, records_file
from .log import CONTINUE, Notify, RecordLog
from .record import Record, parse
from .selection import light_records, select

__all__ = [
    "EDITED",
    "FILE",
    "Store",
    "StoredRecords",
    "WholeRecords",
    "edits",
    "in_memory",
    "latest",
    "load_records",
    "reader_of",
    "unchanged",
]


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
            edited = list[int]()
            with paused_gc():
                for one in select(self.path, self._light):
                    self._by_id[one.value.id] = one.value
                    if one.edited:
                        edited.append(one.line.number)
            self.edited = edited_lines(edited)
            self._mend()  # after reading: a file that is no file of records stays as it is

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

    def reload(self) -> "StoredRecords":
        """Returns the latest record of each trial as the file has it, whole when they are asked for.

        Raises `SparsebenchError` where a record that was written is missing there.
        """
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


@dataclass(frozen=True)
class WholeRecords:
    """Reader of single records of a file, with curve, layers and all else.

    Attributes:
        path: The records file.
        starts: The place of each record's line in it, by the record's id.

    Example:
        >>> found = StoredRecords(folder)
        >>> found.whole(found.light[-1]) == records[-1]
        True
    """

    path: Path
    starts: Mapping[str, int]

    def __call__(self, record: Record) -> Record:
        """Returns the record of this one's id; raises `SparsebenchError` where the file has changed."""
        return next(self.each([record]))

    def each(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yields the same of several records, one at a time."""
        changed = f"{str(self.path)!r} was replaced while it was read; run the command again"
        with self.path.open("rb") as file:
            for record in records:
                file.seek(self.starts[record.id])
                try:
                    found = parse(file.readline().decode("utf-8", errors="replace"), str(self.path))
                except SparsebenchError:
                    raise SparsebenchError(changed) from None
                if found.id != record.id:
                    raise SparsebenchError(changed)
                yield found


class StoredRecords(Sequence[Record]):
    """The latest record of each trial of a folder, each read anew from the disk when it is asked for.

    Memory holds them without their bulk, as `light`; iterating takes one whole record at a time.

    Args:
        path: An output folder, or a records file.

    Attributes:
        light: The records without their bulk (see `light_records`), in the order in which their identities
            first appeared.
        whole: Returns a record with its bulk, for one of `light`.
        edited: A sentence on the lines that were changed after they were written; None where there are none.

    Raises:
        SparsebenchError: There is no records file, or a complete line in it is invalid.

    Example:
        >>> found = StoredRecords(folder)
        >>> len(found), len(found.light[-1].layers), len(found[-1].layers)
        (48, 0, 3)
        >>> found == records
        True
    """

    def __init__(self, path: str | Path) -> None:
        file, edited = records_file(path), list[int]()
        by_id, starts = dict[str, Record](), dict[str, int]()
        with paused_gc():
            for one in select(file, light_records()):
                by_id[one.value.id], starts[one.value.id] = one.value, one.line.start
                if one.edited:
                    edited.append(one.line.number)
        self.light = list(by_id.values())
        self.whole = WholeRecords(file, starts)
        self.edited = edited_lines(edited)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        chosen = self.light[index]
        return self.whole(chosen) if isinstance(chosen, Record) else list(self.whole.each(chosen))

    def __iter__(self) -> Iterator[Record]:
        return self.whole.each(self.light)

    def __len__(self) -> int:
        return len(self.light)

    def __eq__(self, other: object) -> bool:
        """Whether the other is a sequence of equal records."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]


def latest(records: Iterable[Record]) -> Sequence[Record]:
    """Returns one record for each identity, the last written: a retried failure is superseded by its success.

    Args:
        records: Records in the order written, or `StoredRecords`, which are the latest already.

    Returns:
        The records, in the order in which their identities first appeared.

    Example:
        >>> failed = record.model_copy(update={"status": "failed"})
        >>> [one.status for one in latest([failed, record])]
        ['ok']
    """
    if isinstance(records, StoredRecords):
        return records
    return list({record.id: record for record in records}.values())


def in_memory(records: Iterable[Record]) -> Sequence[Record]:
    """Returns the latest records for what needs no curves and no layers: those that memory has.

    Args:
        records: Records in the order written, or `StoredRecords`, of which memory has the light ones.

    Returns:
        One record for each identity.

    Example:
        >>> [len(one.layers) for one in (*in_memory([record]), in_memory(StoredRecords(folder))[-1])]
        [3, 0]
    """
    return records.light if isinstance(records, StoredRecords) else latest(records)


def reader_of(records: Iterable[Record]) -> Callable[[Record], Record]:
    """Returns what turns a record of `in_memory` into the whole record.

    Args:
        records: Records, or `StoredRecords`.

    Returns:
        A function, which can be pickled; of records that memory has it returns them as they are.

    Example:
        >>> found = StoredRecords(folder)
        >>> len(reader_of(found)(found.light[-1]).layers), reader_of([record])(record) is record
        (3, True)
    """
    return records.whole if isinstance(records, StoredRecords) else unchanged


def unchanged(record: Record) -> Record:
    """Returns the record itself, which has all that it holds in memory.

    Args:
        record: A record.

    Returns:
        The same.

    Example:
        >>> unchanged(record) is record
        True
    """
    return record
