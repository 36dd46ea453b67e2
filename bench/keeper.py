"""A training's checkpoint on the disk: written now and then, found again by whoever runs the trial next."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..errors import SparsebenchError
from .checkpoint import load_state, state_of
from .train import Training
from .versions import versions

EVERY_SECONDS = 60.0
SHARE = 0.05  # of the time may go into writing: a large model is written less often


class Paused(SparsebenchError):
    """A trial was asked to stop, and stands in its checkpoint."""


def never() -> bool:
    """Nobody asks for a pause."""
    return False


@dataclass
class Keeper:
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
            fits = (saved["identity"], saved["versions"]) == (self.identity, _versions())
        except Exception as error:  # whatever a damaged file makes torch raise
            print(f"{self.path}: no checkpoint, the trial starts anew: {error}", file=sys.stderr)
            return None
        return dict(saved) if fits else None

    def due(self) -> bool:
        """It is time for a checkpoint, or somebody wants the trial to stop."""
        return time.monotonic() >= self._next or self.asked()

    def save(self, training: Training) -> None:
        """Write a checkpoint. Errors: `Paused` when somebody has asked for it, written or not."""
        start = time.monotonic()
        self._write({"state": state_of(training), "seconds": self.seconds})
        now = time.monotonic()
        self._next = now + max(self.every_seconds, (now - start) / SHARE)
        if self.asked():
            raise Paused("the trial is paused")

    def _write(self, content: dict[str, Any]) -> None:
        """In one piece: a reader sees the old checkpoint or the new one."""
        temporary = self.path.with_suffix(f".{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                torch.save({**content, "identity": self.identity, "versions": _versions()}, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except (OSError, RuntimeError) as error:  # torch wraps what the disk says
            print(f"{self.path}: no checkpoint could be written: {error}", file=sys.stderr)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def path_of(folder: Path, identity: str) -> Path:
    """The checkpoint of a trial in a folder of checkpoints."""
    return folder / f"{identity}.pt"


def discard(folder: Path, identity: str) -> None:
    """The trial is over, and its record on the disk."""
    with suppress(OSError):
        path_of(folder, identity).unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    """What has to be the same for the numbers to go on as they were."""
    now = versions()
    return {name: now[name] for name in ("sparsebench", "torch", "timm")}
