"""The record of a trial: its schema, its validation and its JSON line. No torch."""

import math
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from ..errors import SparsebenchError
from ..validation import validation_message
from .fields import Finite, Identity, Measurements, Status, TrainingResult, TrialFields
from .hashing import SEAL, sealed

SCHEMA: Literal[2] = 2
MOST_THREADS = 65_536
ADDED_IN_SCHEMA_2 = {"dataset_args", "keep_dense", "threads"}
# What the first records of schema 2 lack: a line has these fields where they were measured.
ADDED_LATER = {
    "start_digest", "val_chance", "test_chance", "val_balanced_accuracy", "test_balanced_accuracy",
    "prunable_share", "collapsed", "empty_layers",
}  # fmt: skip
# What only records with common compressions have.
AT_COMPRESSIONS = {"compressions", "aim", "replicate", "at_compressions"}
# The order of a line's fields: identity, what was asked for, the outcome, the cost, the circumstances.
ORDER = (
    "schema", "id", "config", "confirms", "suite", "entry", "dataset", "dataset_args", "model",
    "model_args", "keep_dense", "recipe", "method", "method_version", "knobs", "params", "trial", "seed",
    "phase", "granularity", "compressions", "aim", "replicate", "threads", "status", "reason", "warnings",
    "classes", "val_accuracy", "test_accuracy", "val_chance", "test_chance", "val_balanced_accuracy",
    "test_balanced_accuracy", "compression", "compression_exact", "val_accuracy_exact",
    "test_accuracy_exact", "threshold", "target", "missed_by", "total_compression", "effective_compression",
    "prunable_share", "speedup", "collapsed", "empty_layers", "collapsed_layers", "layers",
    "at_compressions", "steps", "budget", "training_flops_ratio", "training_memory_ratio", "seconds",
    "peak_memory_bytes", "diagnostics", "curve", "command", "versions", "data_digest", "start_digest",
    "device",
)  # fmt: skip

_UNSEALED = TypeAdapter(dict[str, Any])


def _finite(value: Any) -> bool:
    """Whether every float in nested dicts, lists and tuples is finite."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list | tuple) else True


def _forgotten(seal: str | None) -> None:
    """Drops the seal, which belongs to the line (see `hashing.intact`): equal records compare equal."""


class Record(Measurements, TrainingResult, TrialFields):
    """The outcome of one trial: the request, how training went, what was measured, where and when.

    Attributes:
        schema_: Version of the layout, "schema" in JSON; 2 in new records. Schema 1 had no `dataset_args`,
            `keep_dense` and `threads`; `schema_1.recorded_arguments` returns them for both.
        id: Hash of everything that decides the outcome, the seed included; library versions are not.
        config: The same hash without the seed: the seeds of one point share it.
        recipe: The settings of training, all of them decided.
        trial: The trial's number in its search; None outside searches.
        threads: The CPU threads that the trial ran on.
        seconds: Wall time, including that before a pause.
        peak_memory_bytes: Peak of the GPU allocator, or of the resident process on a CPU.
        command: The shell command that repeats the trial.
        versions: Versions of sparsebench, its git commit, Python and the libraries.
        device: The GPU's name, or the CPU with its threads.
        seal: Always None: it is dropped when a line is read, and computed when one is written.

    Example:
        >>> Record.model_validate_json(record.to_json()) == record
        True
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    schema_: Literal[1, 2] = Field(SCHEMA, alias="schema")
    id: Identity
    config: str
    recipe: dict[str, Any] = Field(default={})
    trial: int | None = None
    status: Status
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS)] = 1
    seconds: Annotated[Finite, Field(ge=0)] = 0.0
    peak_memory_bytes: int | None = None
    command: str
    versions: dict[str, str] = Field(default={})
    device: str
    seal: Annotated[str | None, AfterValidator(_forgotten)] = None

    @field_validator("dataset_args", "model_args", "recipe", "knobs", "params")
    @classmethod
    def _finite_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Rejects NaN and infinity, which JSON does not have and `Any` lets through."""
        if not all(map(_finite, settings.values())):
            raise ValueError("a number in it is not finite")
        return settings

    @classmethod
    def assemble(
        cls, trial: TrialFields, result: TrainingResult, measurements: Measurements, /, **more: Any
    ) -> "Record":
        """Returns a trial's record from its three parts; `more` are further fields, and override those."""
        parts = ((TrialFields, trial), (TrainingResult, result), (Measurements, measurements))
        fields = {name: getattr(part, name) for kind, part in parts for name in kind.model_fields}
        return cls(**{**fields, **more})

    @property
    def ok(self) -> bool:
        """Whether the trial finished: a diverged run is an outcome, a failed one is not."""
        return self.status != "failed"

    @property
    def log_compression(self) -> float:
        """log10 of the compression; 0 where there is none."""
        return math.log10(self.compression or 1.0)

    def to_json(self, *, seal: bool = True) -> str:
        """Returns the record's line of a records file.

        `seal=False` is for a record read without a seal: sealing it now would certify what was not checked.
        """
        left_out = {SEAL, *(ADDED_IN_SCHEMA_2 if self.schema_ == 1 else ())}
        content = self.model_dump(mode="json", by_alias=True, exclude=left_out)
        unknown = {name for name in ADDED_LATER if content[name] is None}
        unknown |= AT_COMPRESSIONS if not self.compressions else set()
        unknown |= {"granularity"} if self.granularity == "weights" else set()
        ordered = {name: content[name] for name in ORDER if name in content and name not in unknown}
        # Without a seal numbers are written as pydantic does, so that an old line stays the same.
        return sealed(ordered) if seal else _UNSEALED.dump_json(ordered).decode()


def parse(line: str, where: str) -> Record:
    """Returns the record in one line of a records file.

    Args:
        line: The line of JSON.
        where: The line's place, which begins an error message, such as "records.jsonl, line 3".

    Returns:
        The validated record.

    Raises:
        SparsebenchError: The line is no valid record; the message has the place, the field and the problem.

    Example:
        >>> parse(record.to_json(), "records.jsonl, line 1").entry
        'dwf-3'
        >>> parse('{"schema": 2}', "records.jsonl, line 2")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: records.jsonl, line 2: suite: Field required
    """
    try:
        record = Record.model_validate_json(line)
    except ValidationError as error:
        if line.startswith("\ufeff"):
            raise SparsebenchError(f"{where}: it begins with a byte order mark: save it without") from error
        raise SparsebenchError(f"{where}: {validation_message(error, 'the line')}") from error
    given = record.model_fields_set
    if "schema_" not in given:
        record = record.model_copy(update={"schema_": 1})  # the first records did not tell
    if record.schema_ == 1 and (newer := sorted(given & ADDED_IN_SCHEMA_2)):
        raise SparsebenchError(f"{where}: {newer[0]}: schema 1 has no such field")
    return record
