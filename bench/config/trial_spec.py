"""What decides a trial: the recipe, the configured method and the seed, frozen. No torch."""

import json
import shlex
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...records.hashing import digest
from ...records.record import Phase, Record, TrialFields
from ...records.schema_1 import recorded_arguments

# Part of every identity. It is not the schema of records: a new field there leaves identities as they are.
IDENTITY_SCHEMA = 1


class Recipe(BaseModel):
    """How a network is trained; the same for every method of a task.

    `lr` and `weight_decay` are None where the method's default holds (or a search chooses).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 30
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 128
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Annotated[float, Field(gt=0)] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    schedule: Literal["cosine", "linear", "step", "constant"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augment: Literal["none", "flip", "crop", "crop_flip"] = "none"
    precision: Literal["float32", "bfloat16"] = "float32"


class Trial(TrialFields):
    """One trial, ready to run anywhere: a pure function of this decides the record (times aside)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: Recipe
    knobs: dict[str, Any] = Field(default={})
    seed: int = 0
    phase: Phase = "single"
    number: int | None = None

    @property
    def content(self) -> dict[str, Any]:
        """What decides the outcome, the seed aside. Library versions are recorded, not part of it."""
        return {
            "schema": IDENTITY_SCHEMA,
            "data": self.data_digest,
            "dataset": [self.dataset, self.dataset_args],
            "model": [self.model, self.model_args, list(self.keep_dense)],
            "recipe": self.recipe.model_dump(),
            "method": [self.method, self.method_version, self.knobs],
            "phase": self.phase,
        }

    @property
    def config(self) -> str:
        """Hash of the content: the seeds of one point share it."""
        return digest(self.content)

    @property
    def id(self) -> str:
        """The trial's identity: its content and its seed."""
        return digest([self.content, self.seed])

    @property
    def command(self) -> str:
        """The shell command that repeats this trial as a single one."""
        words = ["--dataset", self.dataset, "--model", self.model, "--method", self.method]
        for flag, values in (
            ("--set", self.knobs),
            ("--set", self.recipe.model_dump(exclude_defaults=True)),
            ("--data-arg", self.dataset_args),
            ("--model-arg", self.model_args),
        ):
            for key, value in values.items():
                words += [flag, f"{key}={_word(value, as_json=flag != '--set')}"]
        words += [word for name in self.keep_dense for word in ("--keep-dense", name)]
        return shlex.join(["sparsebench", "train", *words, "--seed", str(self.seed)])

    def command_on(self, threads: int) -> str:
        """The same on so many CPU threads; one is the default and left out."""
        return self.command if threads == 1 else f"{self.command} --threads {threads}"


def _word(value: Any, *, as_json: bool) -> str:
    """A value as the command line reads it back: `--set` takes text, the other options JSON or text."""
    if not isinstance(value, str):
        return json.dumps(value) if as_json else str(value)
    try:
        json.loads(value)
    except ValueError:
        return value if value not in ("True", "False") else json.dumps(value)
    return json.dumps(value) if as_json else value


def trial_of(record: Record) -> Trial:
    """The trial that a record of either schema describes."""
    arguments = recorded_arguments(record)
    return Trial(
        suite=record.suite, entry=record.entry, dataset=record.dataset, data_digest=record.data_digest,
        dataset_args=arguments.dataset_args, model=record.model, model_args=record.model_args,
        keep_dense=arguments.keep_dense, recipe=Recipe(**record.recipe), method=record.method,
        method_version=record.method_version, knobs=record.knobs, seed=record.seed, phase=record.phase,
    )  # fmt: skip
