"""The records of a folder: in memory without their bulk, and whole from the disk one at a time. No torch.

Those of a campaign may have gigabytes of curves and layers. What ranks, counts or searches needs none of
them; a figure needs those of the few runs that it shows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from copy import copy
from dataclasses import dataclass
from operator import eq
from pathlib import Path
from typing import overload

from ..errors import SparsebenchError
from .lines import records_file
from .record import Record, parse
from .selection import Selected, light_records, read_all


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
        file, by_id, starts = records_file(path), dict[str, Record](), dict[str, int]()

        def keep(read: Selected[Record]) -> None:
            by_id[read.value.id], starts[read.value.id] = read.value, read.line.start

        self.edited = read_all(file, light_records(), keep)
        self.light = list(by_id.values())
        self.whole = WholeRecords(file, starts)

    @classmethod
    def of(cls, path: Path, light: list[Record], starts: Mapping[str, int]) -> "StoredRecords":
        """Returns the records of a file whose content is known: without their bulk, in the file's order."""
        found = cls.__new__(cls)
        found.light, found.whole, found.edited = light, WholeRecords(path, starts), None
        return found

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


def without(records: Iterable[Record], identities: Set[str]) -> Sequence[Record]:
    """Returns the latest records but those of some identities.

    Args:
        records: Records in the order written, or `StoredRecords`, whose bulk stays on the disk.
        identities: The identities to leave out.

    Returns:
        The other records, in their order.

    Example:
        >>> len(records), len(without(records, {records[0].id})), len(without(StoredRecords(folder), set()))
        (48, 47, 48)
    """
    now = latest(records)
    if isinstance(now, StoredRecords):
        fewer = copy(now)
        fewer.light = [record for record in now.light if record.id not in identities]
        return fewer
    return [record for record in now if record.id not in identities]


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
