"""The specification of a trial: the recipe, the configured method and the seed, frozen. No torch."""

import json
import shlex
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from ...commands import plugin_words
from ...records.fields import Metric, Phase, TrialFields
from ...records.hashing import canonical, text_digest
from ...records.record import Record
from ...records.schema_1 import recorded_arguments
from ...start_file import with_start_paths

COMPRESSIONS = tuple(float(2**n) for n in range(1, 10))  # 2 to 512, where nobody names others
# Part of every identity. It is not the schema of records: a new field there leaves identities as they are.
IDENTITY_SCHEMA = 1


class Recipe(BaseModel):
    """How a network is trained; the same for every method of a task.

    Attributes:
        epochs: Passes over the training set; a method's rounds share them.
        batch_size: Images in a step.
        optimizer: A method that cannot work with this one runs with the first of its own.
        lr: Peak learning rate; None where a search chooses it, or the default holds.
        weight_decay: Ordinary decay of the prunable weights; None as for `lr`.
        momentum: Momentum of SGD; the other optimizers ignore it.
        nesterov: Nesterov's form of the momentum.
        schedule: How the learning rate falls after the warm-up; "step" divides it by 10 at 1/2 and at 3/4.
        warmup: Fraction of the schedule in which the rate rises linearly.
        augment: Random crops of the padded image, horizontal flips, or both.
        precision: "bfloat16" trains in mixed precision.
        metric: The accuracy by which trials are searched for, compared and ranked; "balanced_accuracy" is the
            mean over the classes of the accuracy on each, for classes of unequal size.

    Example:
        >>> Recipe(epochs=60, augment="crop_flip").model_dump(exclude_defaults=True)
        {'epochs': 60, 'augment': 'crop_flip'}
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
    metric: Metric = "accuracy"

    @model_serializer(mode="wrap")
    def _older_than_its_metric(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves the usual metric out, as identities and folders of before there was a choice do."""
        content: dict[str, Any] = written(self)
        if content.get("metric") == "accuracy":
            del content["metric"]
        return content


class Trial(TrialFields):
    """One trial, ready to run anywhere: a pure function of this decides the record, times aside.

    Attributes:
        recipe: How the network is trained, everything decided.
        number: The trial's number in its search; None outside searches.
        base: The folder in which relative paths in its arguments are looked for; it decides nothing.

    Example:
        >>> again = trial.model_copy(update={"seed": 1})
        >>> again.config == trial.config, again.id == trial.id  # a point, and one of its seeds
        (True, False)
        >>> trial.model_copy(update={"dataset_args": {}}).command
        'sparsebench train --dataset planted --model lenet_300_100 --method dense --set epochs=1 ... --seed 0'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: Recipe
    knobs: dict[str, Any] = Field(default={})
    seed: int = 0
    phase: Phase = "single"
    number: int | None = None
    base: str | None = None

    @property
    def content(self) -> dict[str, Any]:
        """Everything that decides the outcome but the seed; library versions are recorded, not part of it."""
        # A start from a file is identified by the file's content, wherever it lies.
        started = self.start_digest is not None
        model_args = with_start_paths(self.model_args, lambda path: None) if started else self.model_args
        content: dict[str, Any] = {
            "schema": IDENTITY_SCHEMA,
            "data": self.data_digest,
            **({"start": self.start_digest} if started else {}),
            "dataset": [self.dataset, self.dataset_args],
            "model": [self.model, model_args, list(self.keep_dense)],
            "recipe": self.recipe.model_dump(),
            "method": [self.method, self.method_version, self.knobs],
            "phase": self.phase,
        }
        # What no campaign looks for keeps the identity that it had, and so do trials of earlier versions.
        if self.phase != "single" and self.compressions:
            content["compressions"] = list(self.compressions)
        if self.granularity != "weights":
            content["granularity"] = self.granularity
        return content

    @property
    def hashes(self) -> tuple[str, str]:
        """The identity of the trial, of its content and its seed, and the hash of the content alone."""
        content, seed = canonical(self.content), canonical(self.seed)
        return text_digest(f"[{content},{seed}]"), text_digest(content)

    @property
    def config(self) -> str:
        """Hash of the content: the seeds of one point share it."""
        return self.hashes[1]

    @property
    def id(self) -> str:
        """Identity of the trial: the hash of its content and its seed."""
        return self.hashes[0]

    @property
    def command(self) -> str:
        """Shell command that repeats this trial as a single one."""
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
        if self.compressions and self.compressions != COMPRESSIONS:
            words += ["--compressions", ",".join(repr(c).removesuffix(".0") for c in self.compressions)]
        if self.granularity != "weights":
            words += ["--granularity", self.granularity]
        return shlex.join(["sparsebench", "train", *words, "--seed", str(self.seed)])

    def command_on(self, threads: int, plugins: Iterable[str] = ()) -> str:
        """Returns the command for so many CPU threads, one being the default, with the plugins it needs."""
        return self.command + (f" --threads {threads}" if threads != 1 else "") + plugin_words(plugins)


def _word(value: Any, *, as_json: bool) -> str:
    """Returns a value as the command line reads it back: `--set` takes text, other options JSON or text."""
    if not isinstance(value, str):
        return json.dumps(value) if as_json else str(value)
    try:
        json.loads(value)
    except ValueError:
        return value if value not in ("True", "False") else json.dumps(value)
    return json.dumps(value) if as_json else value


def trial_of(record: Record) -> Trial:
    """Returns the trial that a record of either schema describes.

    Args:
        record: The record of a finished trial.

    Returns:
        The trial, to be run again; its `number` in the search is left out, as it decides nothing.

    Example:
        >>> trial_of(record).command
        'sparsebench train --dataset made_up --model net --method dwf --seed 1000'
    """
    arguments = recorded_arguments(record)
    return Trial(
        suite=record.suite, entry=record.entry, dataset=record.dataset, data_digest=record.data_digest,
        start_digest=record.start_digest, dataset_args=arguments.dataset_args, model=record.model,
        model_args=record.model_args, keep_dense=arguments.keep_dense, recipe=Recipe(**record.recipe),
        method=record.method, method_version=record.method_version, knobs=record.knobs, params=record.params,
        seed=record.seed, phase=record.phase, confirms=record.confirms, number=record.trial,
        compressions=record.compressions, aim=record.aim, replicate=record.replicate,
        granularity=record.granularity,
    )  # fmt: skip
