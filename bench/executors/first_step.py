"""The first training step of an entry on a task, on random images: what fails there fails every trial."""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal

import torch
from pydantic import BaseModel, TypeAdapter
from torch import Tensor

from ...datasets.api import Data
from ...datasets.api import registry as datasets
from ...errors import SparsebenchError
from ...methods.api import configure
from ...methods.api import registry as methods
from ...reasons import reason
from ..config.trial_spec import Trial
from ..models.factory import create, has_model
from ..training.loop import Training
from .execute import is_memory, prepare_process

FEW, MORE = 2, 16  # images of the step; more of them where few do not suffice


class Rehearsal(BaseModel):
    """Trials of one task of which one step is to be tried, with what that needs to know of the dataset.

    Attributes:
        trials: The trials; their methods are scored and attached as in a training of its whole length.
        shape: (C, H, W) of an image.
        classes: The number of classes.
        images: The size of the training split, which with the recipe decides the number of steps.
        device: Where the step is made.

    Example:
        >>> Rehearsal(trials=[trial], shape=(1, 8, 8), classes=10, images=256).trials[0].method
        'dense'
    """

    trials: list[Trial]
    shape: tuple[int, int, int]
    classes: int
    images: int
    device: str = "cpu"


class Outcome(BaseModel):
    """The outcome of one trial's step.

    Attributes:
        lacks: What this process does not know by its name: a "method", a "dataset" or a "model".
        reason: Why the step failed; empty where it did not.

    Example:
        >>> Outcome().reason
        ''
    """

    lacks: Literal["method", "dataset", "model"] | None = None
    reason: str = ""


OUTCOMES = TypeAdapter(list[Outcome])


def outcomes_of(rehearsal: str, asked: Callable[[], bool]) -> str:
    """Tries one step of each trial in a process of its own, as `TrialProcess` calls it.

    Args:
        rehearsal: The `Rehearsal` as JSON.
        asked: Not called.

    Returns:
        `tried` and the `Outcome` of each as a JSON list. Memory that does not suffice is no failure: a worker
        may have more.

    Example:
        >>> given = Rehearsal(trials=[trial], shape=(1, 8, 8), classes=10, images=256)
        >>> outcomes_of(given.model_dump_json(), lambda: False)
        'tried [{"lacks":null,"reason":""}]'
    """
    prepare_process(threads=1)
    given = Rehearsal.model_validate_json(rehearsal)
    return f"tried {OUTCOMES.dump_json([_outcome(given, trial) for trial in given.trials]).decode()}"


def _outcome(given: Rehearsal, trial: Trial) -> Outcome:
    try:
        outcome = Outcome(lacks=_lacking(trial))
        if outcome.lacks is None:
            _try(given, trial)
    except (Exception, SystemExit) as error:
        return Outcome(reason="" if is_memory(error) else reason(error))
    return outcome


def _lacking(trial: Trial) -> Literal["method", "dataset", "model"] | None:
    """Returns what kind of name of a trial this process does not know."""
    if trial.method not in methods:
        return "method"
    if trial.dataset not in datasets:
        return "dataset"
    return None if has_model(trial.model) else "model"


def _try(given: Rehearsal, trial: Trial) -> None:
    """Makes the step with few images; with more where that fails, as a batch of training may have more."""
    largest = min(trial.recipe.batch_size, given.images)
    if largest > FEW:
        with suppress(Exception):
            _step(given, trial, FEW)
            return
    # Outside of the handling of an error, which would be said beside the one that counts.
    _step(given, trial, min(MORE, largest))


def _step(given: Rehearsal, trial: Trial, count: int) -> None:
    """Attaches the method to a new model and makes one step of a training; raises what fails."""
    split = _Random(given, count)
    torch.manual_seed(trial.seed)
    model = create(trial.model, given.shape, given.classes, **trial.model_args)
    data = Data(trial.dataset, given.shape, given.classes, split, split, split, digest="")
    method, device = configure(trial.method, trial.knobs), torch.device(given.device)
    training = Training(
        model.to(device),
        method,
        data,
        trial.recipe,
        seed=trial.seed,
        device=device,
        keep_dense=trial.keep_dense,
    )
    result = training.run(stop_at=1)
    if result.status != "ok" or not math.isfinite(float(training.metrics.loss)):
        raise SparsebenchError(result.reason or "the loss of its first step is no number")


class _Random:
    """A split of random images and labels, which claims the size of the real one."""

    def __init__(self, given: Rehearsal, count: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self._size, self._x = given.images, torch.randn(count, *given.shape, generator=generator)
        self._y = torch.arange(count) % given.classes

    def __len__(self) -> int:
        return self._size

    def batches(self, batch_size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields the one batch."""
        yield self._x.to(device, copy=True), self._y.to(device, copy=True)

    def epoch(
        self, batch_size: int, device: torch.device, generator: torch.Generator, augment: str = "none"
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields the one batch."""
        yield self._x.to(device, copy=True), self._y.to(device, copy=True)
