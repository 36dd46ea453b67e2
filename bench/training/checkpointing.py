"""Checkpoints: a training's whole state, written now and then, found again by whoever runs the trial next."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ...errors import SparsebenchError
from ...files import replacing
from ..system.environment import versions
from .loop import Training

EVERY_SECONDS = 60.0
SHARE = 0.05  # of the time may go into writing: a large model is written less often
FORMAT = 2  # of the file; one of another format is passed over
_CLOCK = ("step", "round", "round_step", "round_steps", "lr")


def state_of(training: Training) -> dict[str, Any]:
    """Model, storage, masks, optimizers, method, clock, data order and random generators.

    Everything can be written by `torch.save` and read with `weights_only=True`.
    """
    cuda = training.device.type == "cuda"
    return {
        "net": training.net.snapshot(),
        "optimizers": [optimizer.state_dict() for optimizer in training.optimizers.all],
        "method": training.method.state,
        "clock": {name: getattr(training.clock, name) for name in _CLOCK},
        "batches": (training.batches.epoch, training.batches.position),
        "metrics": training.metrics.state(),
        "result": training.result.model_dump(),
        "rng": torch.get_rng_state(),
        "device_rng": torch.cuda.get_rng_state(training.device) if cuda else None,
        "generator": training.net.generator.get_state(),
    }


def load_state(training: Training, state: Mapping[str, Any]) -> None:
    """Put a fresh training (same model, method, recipe, data and seed) where the saved one stood."""
    for optimizer, saved in zip(training.optimizers.all, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    training.method.state.clear()
    training.method.state.update(state["method"])
    training.net.restore(state["net"], masks=True)  # a method may read its state to compose the weights
    for name, value in state["clock"].items():
        setattr(training.clock, name, value)
    training.batches.go_to(*state["batches"])
    training.metrics.load(state["metrics"])
    for name, value in state["result"].items():
        setattr(training.result, name, value)
    torch.set_rng_state(state["rng"].cpu())  # a generator's state lies on the CPU, whatever it draws for
    if state["device_rng"] is not None:
        torch.cuda.set_rng_state(state["device_rng"].cpu(), training.device)
    training.net.generator.set_state(state["generator"].cpu())


class TrialPaused(SparsebenchError):
    """A trial was asked to stop, and stands in its checkpoint."""


def never() -> bool:
    """Nobody asks for a pause."""
    return False


@dataclass
class Checkpointer:
    """Keeps one trial's training in the file `path`, so that it can go on bit for bit (on a CPU).

    A checkpoint holds tensors and plain values only and is read without executing code. One that is damaged,
    or of another trial or other versions, is passed over: the trial starts anew. A disk that takes no
    checkpoint costs the trial nothing but the chance to go on.
    """

    path: Path
    identity: str
    every_seconds: float = EVERY_SECONDS
    asked: Callable[[], bool] = never
    spent: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _next: float = 0.0

    def __post_init__(self) -> None:
        self._next = self._began + self.every_seconds

    @property
    def seconds(self) -> float:
        """What the trial has taken so far, earlier attempts up to their last checkpoint included."""
        return self.spent + time.monotonic() - self._began

    def resume(self, training: Training) -> None:
        """Put the training where the file says it stood, if there is one that fits."""
        saved = self._read(training.device)
        if saved is None:
            return
        load_state(training, saved["state"])
        self.spent = saved["seconds"]

    def _read(self, device: torch.device) -> dict[str, Any] | None:
        if not self.path.is_file():
            return None
        try:
            saved = torch.load(self.path, map_location=device, weights_only=True)
            fits = {name: saved.get(name) for name in self._header} == self._header
        except Exception as error:  # whatever a damaged file makes torch raise
            print(f"{self.path}: no checkpoint, the trial starts anew: {error}", file=sys.stderr)
            return None
        return dict(saved) if fits else None

    @property
    def _header(self) -> dict[str, Any]:
        """What has to be the same for the training to go on from the file."""
        return {"format": FORMAT, "identity": self.identity, "versions": _versions()}

    def due(self) -> bool:
        """It is time for a checkpoint, or somebody wants the trial to stop."""
        return time.monotonic() >= self._next or self.asked()

    def save(self, training: Training) -> None:
        """Write a checkpoint. Errors: `TrialPaused` when somebody has asked for it, written or not."""
        start = time.monotonic()
        self._write({"state": state_of(training), "seconds": self.seconds})
        now = time.monotonic()
        self._next = now + max(self.every_seconds, (now - start) / SHARE)
        if self.asked():
            raise TrialPaused("the trial is paused")

    def _write(self, content: dict[str, Any]) -> None:
        try:
            with replacing(self.path, durable=True) as temporary:
                torch.save({**content, **self._header}, temporary)
        except (OSError, RuntimeError) as error:  # torch wraps what the disk says
            print(f"{self.path}: no checkpoint could be written: {error}", file=sys.stderr)


def checkpoint_path(folder: Path, identity: str) -> Path:
    """The checkpoint of a trial in a folder of checkpoints."""
    return folder / f"{identity}.pt"


def discard_checkpoint(folder: Path, identity: str) -> None:
    """The trial is over, and its record on the disk."""
    with suppress(OSError):
        checkpoint_path(folder, identity).unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    """What has to be the same for the numbers to go on as they were."""
    now = versions()
    return {name: now[name] for name in ("sparsebench", "torch", "timm")}
