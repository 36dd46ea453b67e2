"""What a worker does with a trial, in whichever kind of process it lives. Neither Optuna nor MLflow here."""

import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from ...errors import SparsebenchError
from ...records.record import Record
from ..config.trial_spec import Trial
from ..models.model_file import ModelSaveError
from ..output_folder.layout import model_path
from ..training import trial as trials
from ..training.checkpointing import EVERY_SECONDS, Checkpointer, TrialPaused, never
from ..training.checkpointing import checkpoint_path as checkpoint_of


class OutOfMemory(Exception):
    """The machine or the device has no room for a trial; in a fresh process it may have."""


def prepare_process(threads: int) -> None:
    """Set this process up for trials. Call it before any other thread starts."""
    torch.set_flush_denormal(True)  # it holds for threads started later
    torch.set_num_threads(threads)


def execute_trial(
    trial: Trial,
    *,
    device: str,
    data_root: str | None = None,
    checkpoints: Path | None = None,
    models: Path | None = None,
    every_seconds: float = EVERY_SECONDS,
    asked: Callable[[], bool] = never,
) -> Record:
    """Run a trial to its record; an error inside it is a failed record with the reason.

    With a folder for `checkpoints` it goes on where an earlier attempt stood, and stops when `asked` says so.
    In a folder of `models` a trial of the confirm phase leaves its finished model, where the disk takes it.
    Errors: `TrialPaused` then; `OutOfMemory`, after which this process should be given up.
    """
    start = time.perf_counter()
    checkpointer = None
    if checkpoints is not None:
        checkpointer = Checkpointer(checkpoint_of(checkpoints, trial.id), trial.id, every_seconds, asked)
    try:
        return trials.run(
            trial, data_root=data_root, device=device, checkpointer=checkpointer, save=_model(trial, models)
        )
    except TrialPaused:
        raise
    except ModelSaveError as error:
        with suppress(OSError):
            print(error, file=sys.stderr)
        return error.record
    except SparsebenchError as error:
        reason = _line(error)
    except Exception as error:
        with suppress(OSError):  # the log may be on a full disk
            traceback.print_exc(file=sys.stderr)
        name, text = type(error).__name__, _line(error)
        reason = f"{name}: {text}" if text else name
        if _is_memory(error):
            raise OutOfMemory(f"out of memory: {reason[:300]}" if text else "out of memory") from error
    return trials.failed(trial, reason, device=device, seconds=time.perf_counter() - start)


def _model(trial: Trial, models: Path | None) -> Path | None:
    return model_path(models, trial.id) if models and trial.phase == "confirm" else None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _is_memory(error: Exception) -> bool:
    """Out of memory, as Python, CUDA and torch's CPU allocator (a plain RuntimeError) say it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
