"""Checkpoints: the whole state of a training in a file, from which a later attempt at the trial resumes."""

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
from ...records.hashing import check_identity
from ..system.environment import versions
from .loop import Training

EVERY_SECONDS = 60.0
SHARE = 0.05  # of the time at most goes into writing: a large model is written less often
FORMAT = 2  # of the file; one of another format is ignored
_CLOCK = ("step", "round", "round_step", "round_steps", "lr")


def state_of(training: Training) -> dict[str, Any]:
    """Returns the state of a training: all that the next steps depend on.

    That is model, storage, masks, optimizers, method, clock, data order, the result so far and the random
    generators (torch's global ones too).

    Args:
        training: A training between two steps.

    Returns:
        Tensors and plain values that `torch.save` writes and `torch.load` reads with `weights_only=True`.
        Optimizer buffers and method state are not copied: write them before the next step.

    Example:
        >>> from sparsebench.bench.conformance import training
        >>> made, _ = training("magnitude", {})
        >>> _ = made.run(stop_at=5)
        >>> state_of(made)["clock"]["step"]
        5
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
    """Sets a new training to a saved state, from which it continues with the same bits on a CPU.

    Args:
        training: A training with the model, method, recipe, data and seed of the saved one.
        state: What `state_of` returned.

    Example:
        >>> from sparsebench.bench.conformance import training
        >>> first, second, straight = (training("magnitude", {})[0] for _ in range(3))
        >>> _ = first.run(stop_at=5)
        >>> load_state(second, state_of(first))
        >>> second.run() == straight.run()
        True
    """
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
    torch.set_rng_state(state["rng"].cpu())  # the state of a generator is a CPU tensor on every device
    if state["device_rng"] is not None:
        torch.cuda.set_rng_state(state["device_rng"].cpu(), training.device)
    training.net.generator.set_state(state["generator"].cpu())


class TrialPaused(SparsebenchError):
    """A trial has stopped on request; a later attempt resumes from its last checkpoint, if there is one.

    Example:
        >>> from sparsebench.bench.conformance import training
        >>> Checkpointer(Path("trial.pt"), "3f2a", asked=lambda: True).save(training("dense", {})[0])
        Traceback (most recent call last):
        sparsebench.bench.training.checkpointing.TrialPaused: the trial is paused
        >>> Path("trial.pt").exists()
        True
    """


def never() -> bool:
    """Returns False: the `asked` of a checkpointer that is never asked to pause.

    Returns:
        False.

    Example:
        >>> Checkpointer(Path("trial.pt"), "3f2a", asked=never).due()  # nor is the first minute over
        False
    """
    return False


@dataclass
class Checkpointer:
    """The checkpoints of one trial, all in the file `path`; a resumed training has the same bits on a CPU.

    A checkpoint holds tensors and plain values only and is read without executing code. One that is damaged,
    or of another trial or other versions, is ignored: the trial starts from its beginning. Where a checkpoint
    cannot be written, a message goes to standard error and the training continues.

    Attributes:
        path: The file; each checkpoint replaces the last.
        identity: The trial's id, which a checkpoint must have to be used.
        every_seconds: Time between checkpoints; longer where writing would take more than 5 % of the time.
        asked: Returns whether the trial is asked to pause; called between steps.
        spent: Seconds that earlier attempts took up to the checkpoint that was resumed.

    Example:
        >>> from sparsebench.bench.conformance import training
        >>> first, second = (training("dense", {})[0] for _ in range(2))
        >>> _ = first.run(stop_at=5)
        >>> Checkpointer(Path("trial.pt"), "3f2a").save(first)
        >>> Checkpointer(Path("trial.pt"), "3f2a").resume(second)
        >>> second.clock.step
        5
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
        """The trial's duration so far, with that of earlier attempts up to the resumed checkpoint."""
        return self.spent + time.monotonic() - self._began

    def resume(self, training: Training) -> None:
        """Sets the training to the state in the file, if there is one that fits."""
        saved = self._read(training.device)
        if saved is None:
            return
        load_state(training, saved["state"])
        self.spent = saved["seconds"]

    def _read(self, device: torch.device) -> dict[str, Any] | None:
        """Returns the file's content; None where there is none that fits."""
        if not self.path.is_file():
            return None
        try:
            saved = torch.load(self.path, map_location=device, weights_only=True)
            fits = {name: saved.get(name) for name in self._header} == self._header
        except Exception as error:  # torch raises many kinds for a damaged file
            print(f"{self.path}: no checkpoint, the trial starts anew: {error}", file=sys.stderr)
            return None
        return dict(saved) if fits else None

    @property
    def _header(self) -> dict[str, Any]:
        """What has to be the same for a training to resume from the file."""
        return {"format": FORMAT, "identity": self.identity, "versions": _versions()}

    def due(self) -> bool:
        """Returns whether it is time for a checkpoint, or the trial is asked to pause."""
        return time.monotonic() >= self._next or self.asked()

    def save(self, training: Training) -> None:
        """Writes a checkpoint; raises `TrialPaused` where a pause is asked for, even if writing failed."""
        start = time.monotonic()
        self._write({"state": state_of(training), "seconds": self.seconds})
        now = time.monotonic()
        self._next = now + max(self.every_seconds, (now - start) / SHARE)
        if self.asked():
            raise TrialPaused("the trial is paused")

    def _write(self, content: dict[str, Any]) -> None:
        """Replaces the file; an error is printed to standard error."""
        try:
            with replacing(self.path, durable=True) as temporary:
                torch.save({**content, **self._header}, temporary)
        except (OSError, RuntimeError) as error:  # torch wraps the system's errors
            print(f"{self.path}: no checkpoint could be written: {error}", file=sys.stderr)


def checkpoint_path(folder: Path, identity: str) -> Path:
    """Returns the path of a trial's checkpoint.

    Args:
        folder: The folder of checkpoints.
        identity: The trial's id.

    Returns:
        The file in that folder, whether it exists or not.

    Raises:
        SparsebenchError: It is not the id of a trial.

    Example:
        >>> checkpoint_path(Path("checkpoints"), "0123456789abcdef").as_posix()
        'checkpoints/0123456789abcdef.pt'
    """
    return folder / f"{check_identity(identity)}.pt"


def checkpoint_identity(path: Path) -> str | None:
    """Returns the id of the trial that a checkpoint says it is of; its tensors are not read.

    Args:
        path: The file.

    Returns:
        The id; None for a file that is no checkpoint, or a damaged one.

    Example:
        >>> from sparsebench.bench.conformance import training
        >>> Checkpointer(Path("trial.pt"), "3f2a" * 4).save(training("dense", {})[0])
        >>> checkpoint_identity(Path("trial.pt"))
        '3f2a3f2a3f2a3f2a'
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["identity"]
    except Exception:  # torch raises many kinds for a damaged file
        return None
    return found if isinstance(found, str) else None


def discard_checkpoint(folder: Path, identity: str) -> None:
    """Deletes the checkpoint of a trial whose record is on the disk; does nothing where there is none.

    A file that cannot be deleted stays, without an error.

    Args:
        folder: The folder of checkpoints.
        identity: The trial's id.

    Example:
        >>> path = checkpoint_path(Path(), "0123456789abcdef")
        >>> path.touch()
        >>> discard_checkpoint(Path(), "0123456789abcdef")
        >>> path.exists()
        False
    """
    with suppress(OSError):
        checkpoint_path(folder, identity).unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    """Returns the versions that a resumed training must share, or its numbers might differ."""
    now = versions()
    return {name: now[name] for name in ("sparsebench", "torch", "timm")}
