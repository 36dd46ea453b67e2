"""What is read of each record: the whole, or only the fields that are asked for. No torch.

A line whose seal is intact is as `Record.to_json` wrote it, so the fields that nobody asks for are skipped
unparsed there. Every other line is validated as a whole, whatever is asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET
from pydantic.fields import FieldInfo

from ..errors import SparsebenchError
from ..gc_pause import paused_gc
from .fields import CompressionPoint
from .hashing import IDENTITY, LENGTH, intact
from .lines import Line, edited_lines, read_lines
from .record import Record

T = TypeVar("T")

# What grows with the net and with training.
BULK: dict[str, Any] = {
    "curve": [], "layers": [], "diagnostics": {}, "warnings": [], "collapsed_layers": [], "empty_layers": None
}  # fmt: skip
# Equal in many records, which have one object of each.
SHARED = (
    "suite", "entry", "dataset", "dataset_args", "data_digest", "model", "model_args", "keep_dense", "method",
    "phase", "status", "budget", "device", "versions",
)  # fmt: skip
ALL = set(Record.model_fields)
# Ids name files: their form is checked on lines that are not validated as a whole, too.
_ID = Annotated[str, msgspec.Meta(pattern=IDENTITY, max_length=LENGTH)]
FORMS: Mapping[str, Any] = {"id": _ID, "confirms": _ID | None}
# Points of many records are structs, read faster than a dataclass and not traversed by the garbage collector.
_POINT = msgspec.defstruct(
    "Point",
    [
        (one.name, one.type) if one.default is MISSING else (one.name, one.type, one.default)
        for one in fields(CompressionPoint)
    ],
    frozen=True,
    gc=False,
)
LEAN: Mapping[str, Any] = {"at_compressions": list[_POINT]}  # type: ignore[valid-type]


@dataclass(frozen=True)
class Selection(Generic[T]):
    """What is read of each record.

    Attributes:
        of_line: Returns it from a line whose seal is intact; raises `msgspec.DecodeError` where the line is
            not what `Record.to_json` writes.
        of_record: Returns the same from a validated record.

    Example:
        >>> both = columns("entry", "seed")
        >>> both.of_line(record.to_json().encode()), both.of_record(record)
        (('dwf-3', 1000), ('dwf-3', 1000))
    """

    of_line: Callable[[bytes], T]
    of_record: Callable[[Record], T]


class Selected(NamedTuple, Generic[T]):
    """What was read of a line.

    Attributes:
        line: The line.
        value: What the selection returned.
        intact: Whether its seal is intact; None where it has none.

    Example:
        >>> path = folder / "records.jsonl"
        >>> _ = path.write_text(record.to_json())
        >>> [(one.line.number, one.value, one.intact) for one in select(path, columns("entry", "seed"))]
        [(1, ('dwf-3', 1000), True)]
    """

    line: Line
    value: T
    intact: bool | None

    @property
    def edited(self) -> bool:
        """Whether the line was changed after it was written."""
        return self.line.edited(self.intact)


def select(path: Path, selection: Selection[T]) -> Iterator[Selected[T]]:
    """Yields what is asked for of each record, in the order written; a torn last line is left out.

    Args:
        path: The records file.
        selection: What to read: `columns`, or `light_records()` for records without their bulk.

    Yields:
        The values with their lines.

    Raises:
        SparsebenchError: A complete line is no valid record; the message has its number.

    Example:
        >>> path = folder / "records.jsonl"
        >>> _ = path.write_text(record.to_json() + '\\n{"id": "to')
        >>> [one.value for one in select(path, columns("entry", "compression"))]
        [('dwf-3', 1.620...)]
    """
    for line in read_lines(path):
        whole = intact(line.content)
        try:
            yield Selected(line, _value(line, whole, selection, path), whole)
        except SparsebenchError:
            if line.whole:
                raise


def read_all(path: Path, selection: Selection[T], keep: Callable[[Selected[T]], None]) -> str | None:
    """Reads a records file to its end, for what holds much of it in memory.

    Args:
        path: The records file.
        selection: What to read of each record.
        keep: Called with what was read of each record, in the order written.

    Returns:
        The sentence on lines that were edited after they were written; None where there are none.

    Raises:
        SparsebenchError: A complete line is no valid record; the message has its number.

    Example:
        >>> path, found = folder / "records.jsonl", []
        >>> _ = path.write_text(record.to_json().replace("made_up", "mnist"))
        >>> read_all(path, columns("dataset", "seed"), lambda one: found.append(one.value))
        'records.jsonl was edited after it was written, or written anew by another tool: line 1'
        >>> found
        [('mnist', 1000)]
    """
    edited = list[int]()
    with paused_gc():  # the collector would traverse what is kept again and again, and free nothing
        for one in select(path, selection):
            keep(one)
            if one.edited:
                edited.append(one.line.number)
    return edited_lines(edited)


def _value(line: Line, whole: bool | None, selection: Selection[T], path: Path) -> T:
    if whole:
        try:
            return selection.of_line(line.content)
        except (msgspec.DecodeError, ValueError):
            pass  # sealed by hand: the validation of the whole record says what is wrong
    return selection.of_record(line.parse(path))


def line_decoder(types: Mapping[str, Any]) -> msgspec.json.Decoder[Any]:
    """Returns a decoder of record lines to structs, which parses the fields that are given types.

    Args:
        types: The types by attribute of `Record`; other fields are skipped, and are `msgspec.Raw`.

    Returns:
        The decoder; it refuses lines with a field that records have not. A field that a line lacks is
        `msgspec.UNSET`, or the default of the record where that is a text, a number, None or an empty list.

    Example:
        >>> found = line_decoder({"entry": str}).decode(record.to_json())
        >>> found.entry, bytes(found.knobs), found.trial
        ('dwf-3', b'{}', ...)
    """
    known = Record.model_fields.items()
    types = {**types, **{name: form for name, form in FORMS.items() if name in types}}
    fields = [(name, types.get(name, msgspec.Raw), *_default(field)) for name, field in known]
    names = {name: field.alias for name, field in known if field.alias}
    return msgspec.json.Decoder(
        msgspec.defstruct("Line", fields, rename=names, forbid_unknown_fields=True, kw_only=True)
    )


def _default(field: FieldInfo) -> tuple[Any, ...]:
    """Returns the default of a field, or nothing where a line must have it."""
    if field.is_required():
        return ()
    simple = isinstance(field.default, int | float | str | None) or field.default == []
    return (field.default if simple else UNSET,)


@cache
def columns(*names: str) -> Selection[tuple[Any, ...]]:
    """Returns the selection of some fields of each record, as tuples.

    Args:
        *names: Attributes of `Record`, two or more, each a text, a number, None or a list. Points at
            compressions have the attributes of `CompressionPoint`.

    Returns:
        The selection.

    Example:
        >>> columns("entry", "status", "trial").of_line(record.to_json().encode())
        ('dwf-3', 'ok', None)
    """
    types = {name: Record.model_fields[name].annotation for name in names}
    decode = line_decoder(types | {name: form for name, form in LEAN.items() if name in types}).decode
    values = attrgetter(*names)
    return Selection(lambda line: values(decode(line)), values)


def light_records() -> Selection[Record]:
    """Returns the selection of records without their bulk, for as many of them as are held in memory.

    Empty are `curve`, `layers`, `diagnostics`, `warnings` and the lists of empty layers, in whose place
    `collapsed` is set. What is equal in many records, such as `versions`, is one object in all records that
    this selection reads.

    Returns:
        A new selection.

    Example:
        >>> light = light_records().of_record(record)
        >>> len(record.layers), light.layers, light.compression == record.compression
        (3, [], True)
    """
    skipped = {*BULK, *SHARED} - {"collapsed_layers"}  # which `has_collapsed` asks for
    decode = line_decoder({name: Any for name in Record.model_fields if name not in skipped}).decode
    known: dict[tuple[str, Any], Any] = {}

    def of_line(line: bytes) -> Record:
        read = msgspec.structs.asdict(decode(line))
        fields = {name: value for name, value in read.items() if value is not UNSET and name not in skipped}
        texts = {name: bytes(read[name]) for name in SHARED if read[name] is not UNSET}
        for name, text in texts.items():
            value = known.get((name, text), UNSET)
            fields[name] = msgspec.json.decode(text) if value is UNSET else value
        return _light(Record.model_validate(fields, by_alias=False, by_name=True), texts, known)

    def of_record(record: Record) -> Record:
        values = {name: getattr(record, name) for name in SHARED}
        texts = {name: v if isinstance(v, str | int | None) else repr(v) for name, v in values.items()}
        return _light(record.model_copy(), texts, known)

    return Selection(of_line, of_record)


def _light(record: Record, texts: Mapping[str, Any], known: dict[tuple[str, Any], Any]) -> Record:
    """Returns the same record, whose bulk is empty, and which has the first of equal values for its own.

    Its set of the fields that were given, larger than the rest of it, becomes the set of all fields.
    """
    values = vars(record)
    values.update(BULK, collapsed=record.has_collapsed)
    for name, text in texts.items():
        values[name] = known.setdefault((name, text), values[name])
    object.__setattr__(record, "__pydantic_fields_set__", ALL)
    return record
