"""What a trial leaves behind: one validated JSON line, and the append-only file that keeps it. No torch."""

import math
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from ..errors import SparsebenchError
from ..validation import validation_message
from .hashing import SEAL, written

SCHEMA: Literal[2] = 2
ADDED_IN_SCHEMA_2 = {"dataset_args", "keep_dense", "threads"}
LEADING = ("schema", "id", "config")  # what a reader of a line sees first

Fraction = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=1)]
Finite = Annotated[float, AllowInfNan(False)]
Phase = Literal["search", "confirm", "single"]
Status = Literal["ok", "diverged", "failed"]


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list | tuple) else True


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

    @property
    def size(self) -> int:
        """The number of weights, zeros included."""
        return math.prod(self.shape)


class TrialFields(BaseModel):
    """The fields that a trial, its record and its model's card share: what was asked for.

    The recipe is not among them: a trial's is validated, a record's is kept as it was written.
    """

    model_config = ConfigDict(frozen=True)

    suite: str
    entry: str
    dataset: str
    dataset_args: dict[str, Any] = {}
    data_digest: str
    model: str
    model_args: dict[str, Any] = {}
    keep_dense: tuple[str, ...] = ()
    method: str
    method_version: int = 1
    knobs: dict[str, Any]
    params: dict[str, Any] = {}
    seed: int
    phase: Phase
    confirms: str | None = None

    @property
    def task(self) -> str:
        """The task's name on charts and in studies: dataset-model."""
        return f"{self.dataset}-{self.model}"


class TrainingResult(BaseModel):
    """What training leaves beside the model. A training fills it in while it runs."""

    status: Status = "ok"
    reason: str | None = None
    warnings: list[str] = []
    steps: Annotated[int, Field(ge=0)] = 0
    budget: dict[str, int] = {}
    training_flops_ratio: Finite | None = None
    training_memory_ratio: Finite | None = None
    diagnostics: dict[str, Finite] = {}
    curve: list[dict[str, Finite]] = []


class Measurements(BaseModel):
    """What was measured on the finished plain model. Accuracies are fractions, compressions ratios.

    `compression`, `val_accuracy` and `test_accuracy` hold at `threshold`: the validated one for methods
    that leave no exact zeros of themselves, 0 for the others. The `_exact` triple holds at float32 eps.
    """

    model_config = ConfigDict(frozen=True)

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


class Record(Measurements, TrainingResult, TrialFields):
    """The outcome of one trial: what was asked for, how training went, what was measured, where and when.

    `trial` is the trial's number in its search. `threads` are the CPU threads that it ran on. Schema 1 had no
    `dataset_args`, `keep_dense` and `threads`; `schema_1.recorded_arguments` gives them for both schemas.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_: Literal[1, 2] = Field(SCHEMA, alias="schema")
    id: str
    config: str
    recipe: dict[str, Any] = {}
    trial: int | None = None
    status: Status
    threads: Annotated[int, Field(ge=1)] = 1
    seconds: Annotated[Finite, Field(ge=0)] = 0.0
    peak_memory_bytes: int | None = None
    command: str
    versions: dict[str, str] = {}
    device: str
    seal: Annotated[str | None, AfterValidator(_forgotten)] = None

    @field_validator("dataset_args", "model_args", "recipe", "knobs", "params")
    @classmethod
    def _finite_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """`Any` lets NaN and infinity through, which JSON does not have."""
        if not all(map(_finite, settings.values())):
            raise ValueError("a number in it is not finite")
        return settings

    @classmethod
    def assemble(
        cls, trial: TrialFields, result: TrainingResult, measurements: Measurements, /, **more: Any
    ) -> "Record":
        """The record of a trial from its three parts; `more` are the other fields, and what they override."""
        parts = ((TrialFields, trial), (TrainingResult, result), (Measurements, measurements))
        fields = {name: getattr(part, name) for kind, part in parts for name in kind.model_fields}
        return cls(**{**fields, **more})

    @property
    def ok(self) -> bool:
        """Finished, well or badly: a diverged run is an outcome, a failed one is not."""
        return self.status != "failed"

    @property
    def log_compression(self) -> float:
        """log10 of the compression; 0 where there is none."""
        return math.log10(self.compression or 1.0)

    def to_json(self, *, seal: bool = True) -> str:
        """Its line in a file; without a seal for one that came without, which nobody may certify after."""
        left_out = {SEAL, *(ADDED_IN_SCHEMA_2 if self.schema_ == 1 else ())}
        content = self.model_dump(mode="json", by_alias=True, exclude=left_out)
        return written({name: content[name] for name in (*LEADING, *content)}, seal=seal)


def parse(line: str, where: str) -> Record:
    """One line to a record. Errors: a `SparsebenchError` that says where, which field, and why."""
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        if line.startswith("\ufeff"):
            raise SparsebenchError(f"{where}: it begins with a byte order mark: save it without") from error
        raise SparsebenchError(f"{where}: {validation_message(error, 'the line')}") from error
