"""What a trial leaves behind: one validated JSON line, and the append-only file that keeps it. No torch."""

import gc
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict, Field, ValidationError

from ..errors import SparsebenchError, problem
from .hashes import SEAL, intact, sealed

SCHEMA: Literal[1] = 1
FILE = "records.jsonl"
EDITED = "was edited after it was written, or written anew by another tool"
SHOWN = 10  # numbers of edited lines

Fraction = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=1)]
Finite = Annotated[float, AllowInfNan(False)]
Phase = Literal["search", "confirm", "single"]


def _without_odd_numbers(settings: dict[str, Any]) -> dict[str, Any]:
    """`Any` lets NaN and infinity through, which JSON does not have."""
    if not all(map(_finite, settings.values())):
        raise ValueError("a number in it is not finite")
    return settings


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list | tuple) else True


Settings = Annotated[dict[str, Any], AfterValidator(_without_odd_numbers)]


def _forgotten(seal: str | None) -> None:
    """A seal is the line's: see `hashes.intact`. Equal records are equal however they were written."""


MOST_DIMENSIONS = 16
LARGEST = 10**15  # no count, ratio or time of a trial comes near
Dimension = Annotated[int, Field(ge=1, le=LARGEST)]


class Layer(BaseModel):
    """One prunable tensor of the collapsed model."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    shape: Annotated[tuple[Dimension, ...], Field(max_length=MOST_DIMENSIONS)]
    nonzeros: Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """The outcome of one trial. Accuracies are fractions from 0 to 1; compression is |P|/nonzeros.

    `compression`, `val_accuracy` and `test_accuracy` hold at `threshold`: the validated one for methods
    that leave no exact zeros of themselves, 0 for the others. The `_exact` triple holds at float32 eps.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_: Literal[1] = Field(SCHEMA, alias="schema")
    id: str
    config: str
    confirms: str | None = None
    suite: str
    entry: str
    dataset: str
    model: str
    model_args: Settings = {}
    recipe: Settings = {}
    method: str
    method_version: int = 1
    knobs: Settings
    params: Settings = {}
    trial: int | None = None
    seed: int
    phase: Phase
    status: Literal["ok", "diverged", "failed"]
    reason: str | None = None
    warnings: list[str] = []

    classes: Annotated[int, Field(ge=1)] | None = None
    val_accuracy: Fraction | None = None
    test_accuracy: Fraction | None = None
    compression: Ratio | None = None
    compression_exact: Ratio | None = None
    val_accuracy_exact: Fraction | None = None
    test_accuracy_exact: Fraction | None = None
    threshold: Annotated[float, Field(ge=0)] | None = None
    target: Ratio | None = None
    missed_by: int | None = None
    total_compression: Ratio | None = None
    effective_compression: Ratio | None = None
    speedup: Ratio | None = None
    collapsed_layers: list[str] = []
    layers: list[Layer] = []

    steps: Annotated[int, Field(ge=0)] = 0
    budget: dict[str, int] = {}
    training_flops_ratio: Finite | None = None
    training_memory_ratio: Finite | None = None
    seconds: Annotated[Finite, Field(ge=0)] = 0.0
    peak_memory_bytes: int | None = None
    diagnostics: dict[str, Finite] = {}
    curve: list[dict[str, Finite]] = []
    command: str
    versions: dict[str, str] = {}
    data_digest: str
    device: str
    seal: Annotated[str | None, AfterValidator(_forgotten)] = None

    @property
    def ok(self) -> bool:
        """Finished, well or badly: a diverged run is an outcome, a failed one is not."""
        return self.status != "failed"

    @property
    def task(self) -> str:
        """The task's name on charts and in studies: dataset-model."""
        return f"{self.dataset}-{self.model}"

    @property
    def log_compression(self) -> float:
        """log10 of the compression; 0 where there is none."""
        return math.log10(self.compression or 1.0)

    def to_json(self, *, seal: bool = True) -> str:
        """Its line in a file; without a seal for one that came without, which nobody may certify after."""
        line = self.model_dump_json(by_alias=True, exclude={SEAL})
        return sealed(line) if seal else line


def parse(line: str, where: str) -> Record:
    """One line to a record. Errors: a `SparsebenchError` that says where, which field, and why."""
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        if line.startswith("\ufeff"):
            raise SparsebenchError(f"{where}: it begins with a byte order mark: save it without") from error
        raise SparsebenchError(f"{where}: {problem(error, 'the line')}") from error


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


def slim(record: Record) -> Record:
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
                self._by_id[record.id] = slim(record)

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
        self._by_id[record.id] = kept = slim(record)
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
