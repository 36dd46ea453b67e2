"""One trial, run as a pure function from a frozen trial spec to a record."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...datasets.api import Data
from ...datasets.api import registry as datasets
from ...errors import SparsebenchError
from ...methods.api import configure
from ...methods.api import registry as methods
from ...records.bounds import bounded_layers, bounded_result
from ...records.fields import Measurements, TrainingResult
from ...records.hashing import digest
from ...records.record import Record
from ...registry import plugin_of
from ..config.trial_spec import Trial
from ..data import opened
from ..models.factory import create, maker_of
from ..models.model_file import check_save_path as check_save_path
from ..models.model_file import save_model as save_model
from ..models.start_file import located_start, start_digest
from ..system import peak_memory
from ..system.environment import versions
from ..system.isolation.process_state import kept_state, seed_generators
from .checkpointing import Checkpointer
from .finished_model import measurements
from .loop import Training

open_data = partial(opened.open_data, guard=partial(kept_state, imports=False))
"""`opened.open_data`, with the process set back where the dataset is one of others."""


def _device_name(device: torch.device) -> str:
    """Returns a record's name of the device: the GPU's own, or `cpu` with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''})"


def run(
    trial: Trial,
    *,
    data_root: str | Path | None = None,
    device: str = "cpu",
    save: Path | None = None,
    on_event: Callable[[dict[str, Any]], None] | None = None,
    checkpointer: Checkpointer | None = None,
    log: str = "standard error",
) -> Record:
    """Trains the model of a trial and measures it; reads test data only outside the search phase.

    Any error that is not listed is a defect or a device without memory, for the caller to record.

    Args:
        trial: The frozen spec, which decides everything in the record but times, memory and versions.
        data_root: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.
        device: A torch device, such as "cpu" or "cuda:0".
        save: A safetensors file for the finished model of a trial that did not diverge.
        on_event: Called with warnings and rows of the curve, as by `Training.run`.
        checkpointer: Resumes the trial and writes its checkpoints; without it there are none.
        log: The name of the file that standard error goes to: a text that the record shortens is there.

    Returns:
        The record, whose `status` is "ok" or "diverged".

    Raises:
        SparsebenchError: Something that the user can correct, such as missing data; `TrialPaused` from the
            checkpointer and `ModelSaveError`, which has the record, are of this class.

    Example:
        >>> record = run(trial)  # a trial of the dense method
        >>> record.status, record.compression, record.id == trial.id
        ('ok', 1.0, True)
    """
    start = time.perf_counter()
    digest(trial.content)  # raises before training, not after it, for a setting that cannot be recorded
    # The data, the model and the method, all from the spec.
    place = torch.device(device)
    peak_memory.reset_peak(place)
    data = open_data(trial.dataset, data_root, trial.dataset_args, trial.base)
    if trial.data_digest and data.digest != trial.data_digest:
        raise SparsebenchError(
            f"dataset {trial.dataset!r} here differs from the one that the trial was made for"
        )
    model = _new_model(trial, data).to(place)
    method = configure(trial.method, trial.knobs)
    options: dict[str, Any] = {"seed": trial.seed, "device": place, "keep_dense": trial.keep_dense}
    training = Training(model, method, data, trial.recipe, **options)
    # Training, then the measurements of the finished model.
    result = _trained(training, on_event, checkpointer)
    measured = measurements(trial, training, result, data, place)
    # The record, and the model's file.
    peak, name = peak_memory.peak(place), _device_name(place)
    earlier = checkpointer.spent if checkpointer else 0.0
    record = record_of(
        trial, _bounded(result, log), measured, threads=torch.get_num_threads(), peak_memory_bytes=peak,
        data_digest=data.digest, device=name, seconds=earlier + time.perf_counter() - start,
    )  # fmt: skip
    if save is not None and record.status == "ok":
        save_model(model, data, record, save, training.prunable)
    return record


def _bounded(result: TrainingResult, log: str) -> TrainingResult:
    """Returns a result with its texts within bounds; what they lose goes to standard error, named `log`."""
    stored = bounded_result(result, log)
    if (stored.reason, stored.warnings) != (result.reason, result.warnings):
        print(*result.warnings, result.reason or "", sep="\n", file=sys.stderr)
    return stored


def _new_model(trial: Trial, data: Data) -> nn.Module:
    """Returns the trial's new model; raises where its start file is another one than the driver found."""
    args = located_start(trial.model_args, trial.base)
    if start_digest(args) != trial.start_digest:
        raise SparsebenchError(
            "the file that the weights start from is another one than the trial was made for"
        )
    seed_generators(trial.seed)
    return create(trial.model, data.shape, data.classes, **args)


def _trained(
    training: Training, on_event: Callable[[dict[str, Any]], None] | None, checkpointer: Checkpointer | None
) -> TrainingResult:
    """Returns the result of the training, resumed from and interrupted by checkpoints where there are any."""
    try:
        if checkpointer is None:
            return training.run(on_event)
        checkpointer.resume(training)
        while not training.done:
            training.run(on_event, pause=checkpointer.due)
            if not training.done:
                checkpointer.save(training)
        return training.result
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise SparsebenchError(
            f"batch_size = {training.recipe.batch_size}: the model's BatchNorm needs more images in a batch"
        ) from error


def record_of(
    trial: Trial, result: TrainingResult, measured: Measurements, *, threads: int, **more: Any
) -> Record:
    """Returns the record of a trial from its training's result and its measurements.

    Args:
        trial: The trial, whose fields and identity the record has.
        result: How training went.
        measured: What was measured on the finished model.
        threads: CPU threads that it ran on.
        **more: Further fields of `Record`, such as `device` and `seconds`.

    Returns:
        A validated record with the trial's identity, command and the versions of the libraries.

    Example:
        >>> measured = Measurements(classes=10, val_accuracy=0.9, compression=4.0)
        >>> found = record_of(trial, TrainingResult(steps=2), measured, threads=1, device="cpu")
        >>> found.id == trial.id, found.compression, found.steps
        (True, 4.0, 2)
    """
    return Record.assemble(
        trial, bounded_result(result), bounded_layers(measured), id=trial.id, config=trial.config,
        recipe=trial.recipe.model_dump(), trial=trial.number, threads=threads,
        command=trial.command_on(threads, _plugins(trial)), versions=versions(), **more,
    )  # fmt: skip


def _plugins(trial: Trial) -> list[str]:
    """Returns the plugin files that a trial's method, dataset and model come from."""
    found = list[str | None]()
    for look, name in (
        (methods.__getitem__, trial.method),
        (datasets.__getitem__, trial.dataset),
        (maker_of, trial.model),
    ):
        with suppress(SparsebenchError):
            found.append(plugin_of(look(name)))
    return list(dict.fromkeys(file for file in found if file is not None))


def failed(
    trial: Trial, reason: str, *, device: str, seconds: float = 0.0, threads: int | None = None
) -> Record:
    """Returns the record of a trial that ended in an error; a later run of the campaign repeats it.

    Args:
        trial: The trial, whose fields and identity the record has.
        reason: The error, one sentence.
        device: Where it ran.
        seconds: How long it ran.
        threads: CPU threads of its worker, where that is another process; else this process's number.

    Returns:
        A record with the status "failed" and without measurements.

    Example:
        >>> found = failed(trial, "out of memory", device="cuda:0")
        >>> found.status, found.reason, found.compression
        ('failed', 'out of memory', None)
    """
    result = TrainingResult(status="failed", reason=reason)
    threads = threads or torch.get_num_threads()
    return record_of(trial, result, Measurements(), threads=threads, device=device, seconds=seconds)
