"""A worker's run of one trial, the same in every kind of process. Imports neither Optuna nor MLflow."""

import ctypes
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ...errors import SparsebenchError
from ...reasons import message, reason
from ...records.record import Record
from ..config.trial_spec import Trial
from ..models.model_file import ModelSaveError
from ..output_folder.layout import LOG, model_path
from ..training import trial as trials
from ..training.checkpointing import EVERY_SECONDS, Checkpointer, TrialPaused, never
from ..training.checkpointing import checkpoint_path as checkpoint_of

# Parameters of glibc's mallopt, and the bytes up to which blocks come from the heap and free ones stay in it.
MALLOC = {"M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_MMAP_THRESHOLD": (-3, 2**30)}


class OutOfMemory(Exception):
    """The host's or the device's memory does not suffice for a trial; in a fresh process it may.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.object(trials, "run", side_effect=MemoryError("5 GB wanted")):
        ...     execute_trial(trial, device="cpu")
        Traceback (most recent call last):
            ...
        sparsebench.bench.executors.execute.OutOfMemory: out of memory: MemoryError: 5 GB wanted
    """


def prepare_process(threads: int) -> None:
    """Sets this process up for trials: its threads, denormal numbers flushed to zero, freed memory kept.

    Call it before any other thread starts, from the thread that will train.

    Args:
        threads: CPU threads of torch's operators; the sums of a trial in floating point depend on it.

    Example:
        >>> prepare_process(threads=1)
        >>> torch.get_num_threads(), (torch.tensor([1e-38]) / 100).item()  # 1e-40 is denormal in float32
        (1, 0.0)
    """
    torch.set_flush_denormal(True)  # it holds for threads started later
    torch.set_num_threads(threads)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Has glibc keep freed memory: what each step returned, the next one would get back by page faults."""
    with suppress(AttributeError):  # another C library
        for parameter, value in MALLOC.values():
            ctypes.CDLL(None).mallopt(parameter, value)


def execute_trial(
    trial: Trial,
    *,
    device: str,
    data_root: str | None = None,
    checkpoints: Path | None = None,
    models: Path | None = None,
    every_seconds: float = EVERY_SECONDS,
    asked: Callable[[], bool] = never,
    log: str = LOG,
) -> Record:
    """Returns the record of a trial, which it runs in this process; an error inside it is a failed record.

    Args:
        trial: The frozen spec.
        device: A torch device, such as "cpu" or "cuda:0".
        data_root: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.
        checkpoints: The folder of checkpoints, from which the trial resumes an earlier attempt; None writes
            none.
        models: The folder that gets the finished model of a trial of the confirm phase; None writes none.
        every_seconds: Time between checkpoints.
        asked: Returns whether the trial is asked to pause; without `checkpoints` it is not called.
        log: The name of the file that standard error goes to: tracebacks and whole texts are there.

    Returns:
        The record: "ok", "diverged", or "failed" with the error as its `reason`. Where only the model's file
        could not be written it is complete, and the error goes to standard error.

    Raises:
        TrialPaused: The trial was asked to pause; it has tried to write a checkpoint.
        OutOfMemory: Memory did not suffice. End this process: what the trial has allocated goes with it.

    Example:
        >>> execute_trial(trial, device="cpu").status
        'ok'
        >>> execute_trial(trial.model_copy(update={"data_digest": "of other data"}), device="cpu").reason
        "dataset 'planted' here differs from the one that the trial was made for"
    """
    start = time.perf_counter()
    checkpointer = None
    if checkpoints is not None:
        checkpointer = Checkpointer(checkpoint_of(checkpoints, trial.id), trial.id, every_seconds, asked)
    try:
        return trials.run(
            trial, data_root=data_root, device=device, checkpointer=checkpointer, save=_model(trial, models),
            log=log,
        )  # fmt: skip
    except TrialPaused:
        raise
    except ModelSaveError as error:
        with suppress(OSError):
            print(error, file=sys.stderr)
        return error.record
    except Exception as error:
        why = reason(error, where=log)
        if not isinstance(error, SparsebenchError) or why != message(error):
            with suppress(OSError):  # the log may be on a full disk
                traceback.print_exc(file=sys.stderr)
        if is_memory(error):
            raise OutOfMemory(f"out of memory: {reason(error, 300)}") from error
    return trials.failed(trial, why, device=device, seconds=time.perf_counter() - start)


def answer_of(trial: str, asked: Callable[[], bool], *, threads: int, device: str, **options: Any) -> str:
    """Runs a trial in a process of its own, as `TrialProcess` calls it.

    Args:
        trial: The trial as JSON.
        asked: Returns whether it is asked to pause.
        threads: CPU threads of torch's operators.
        device: A torch device.
        **options: Further arguments of `execute_trial`.

    Returns:
        `record <JSON>`, `paused` or `memory <reason>`.

    Example:
        >>> answer_of(trial.model_dump_json(), lambda: False, threads=1, device="cpu")[:16]
        'record {"schema"'
    """
    prepare_process(threads)
    try:
        record = execute_trial(Trial.model_validate_json(trial), device=device, asked=asked, **options)
    except TrialPaused:
        return "paused"
    except OutOfMemory as error:
        return f"memory {error}"
    return f"record {record.to_json()}"


def _model(trial: Trial, models: Path | None) -> Path | None:
    """Returns the file for the trial's finished model; None where it is not saved."""
    return model_path(models, trial.id) if models and trial.phase == "confirm" else None


def is_memory(error: BaseException) -> bool:
    """Returns whether an error means out of memory: Python's, CUDA's, or torch's RuntimeError on a CPU.

    Args:
        error: What a trial has raised.

    Returns:
        True where another machine, or a fresh process, may do what failed here.

    Example:
        >>> is_memory(MemoryError()), is_memory(ValueError("out of memory"))
        (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in message(error)
