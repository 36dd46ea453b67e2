"""A trial is a pure function from a frozen spec to a record."""

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ...datasets.api import Data, open_dataset
from ...errors import SparsebenchError
from ...methods.api import Sparsifier, configure, keep_count
from ...records.hashing import digest
from ...records.record import Layer, Measurements, Record, TrainingResult
from ..config.trial_spec import Trial
from ..measurement.accuracy import accuracy
from ..measurement.compression import (
    collapsed_layers,
    compression,
    effective_compression,
    layer_table,
    total_compression,
    zero_below,
)
from ..measurement.flops import speedup
from ..measurement.zero_threshold import OperatingPoint, validated_threshold
from ..models.factory import create
from ..models.model_file import save_model as save_model
from ..system import peak_memory
from ..system.environment import versions
from .checkpointing import Checkpointer
from .loop import Training


@lru_cache(maxsize=4)
def _opened(name: str, root: str | None, args: tuple[tuple[str, Any], ...]) -> Data:
    return open_dataset(name, root, **dict(args))


def open_data(name: str, root: str | Path | None = None, args: dict[str, Any] | None = None) -> Data:
    """A dataset, opened once in a process: warm workers find their data where they left it."""
    key = tuple(sorted((args or {}).items()))
    try:
        hash(key)
    except TypeError:  # a list, say: no dataset takes one, and it says so itself
        return open_dataset(name, root, **(args or {}))
    return _opened(name, None if root is None else str(root), key)


def device_name(device: torch.device) -> str:
    """What a record calls the device: the GPU's own name, or the kind of processor."""
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
) -> Record:
    """Train, collapse, measure. Test data are read only outside the search phase.

    `save` keeps the collapsed model as a safetensors file; `checkpointer` keeps checkpoints while it trains.
    Errors: `TrialPaused` by the checkpointer; `ModelSaveError` with the record; `SparsebenchError` for what
    the user can put right; everything else is a defect or a full device, and the caller records it.
    """
    start = time.perf_counter()
    digest(trial.content)  # a setting that cannot be recorded is told before training, not after
    place = torch.device(device)
    peak_memory.reset_peak(place)
    data = open_data(trial.dataset, data_root, trial.dataset_args)
    if trial.data_digest and data.digest != trial.data_digest:
        raise SparsebenchError(
            f"dataset {trial.dataset!r} here differs from the one that the trial was made for"
        )
    torch.manual_seed(trial.seed)
    model = create(trial.model, data.shape, data.classes, **trial.model_args).to(place)
    method = configure(trial.method, trial.knobs)
    training = Training(
        model, method, data, trial.recipe, seed=trial.seed, device=place, keep_dense=trial.keep_dense
    )
    result = _trained(training, on_event, checkpointer)
    if result.status == "ok" and not all(bool(p.isfinite().all()) for p in model.parameters()):
        result.status, result.reason = "diverged", "a parameter of the finished model is not finite"
    measured = _measured(trial, training, data, place) if result.status == "ok" else _chance(trial, data)
    peak, name = peak_memory.peak(place), device_name(place)
    earlier = checkpointer.spent if checkpointer else 0.0
    record = record_of(
        trial, result, measured, threads=torch.get_num_threads(), data_digest=data.digest, device=name,
        peak_memory_bytes=peak, seconds=earlier + time.perf_counter() - start,
    )  # fmt: skip
    if save is not None and record.status == "ok":
        save_model(model, data, record, save)
    return record


def _trained(
    training: Training, on_event: Callable[[dict[str, Any]], None] | None, checkpointer: Checkpointer | None
) -> TrainingResult:
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
    """The record of a trial that ran on so many CPU threads; `more` are further fields of `Record`."""
    return Record.assemble(
        trial, result, measured, id=trial.id, config=trial.config, recipe=trial.recipe.model_dump(),
        trial=trial.number, threads=threads, command=trial.command_on(threads), versions=versions(), **more,
    )  # fmt: skip


def failed(
    trial: Trial, reason: str, *, device: str, seconds: float = 0.0, threads: int | None = None
) -> Record:
    """The record of a trial that ended in an error; a later run tries it again.

    `threads` are its worker's, where that is another process.
    """
    result = TrainingResult(status="failed", reason=reason)
    threads = threads or torch.get_num_threads()
    return record_of(trial, result, Measurements(), threads=threads, device=device, seconds=seconds)


def _chance(trial: Trial, data: Data) -> Measurements:
    """What a diverged training counts as: chance accuracy at compression 1."""
    chance = 1 / data.classes
    test = None if trial.phase == "search" else chance
    return Measurements(classes=data.classes, val_accuracy=chance, test_accuracy=test, compression=1.0)


def _measured(trial: Trial, training: Training, data: Data, place: torch.device) -> Measurements:
    """Both operating points of the finished model; the model is left at the reported one."""
    model, method = training.model, training.method
    weights = [training.net.weight(name) for name in training.prunable]
    if method.exact_zeros:
        exact = chosen = OperatingPoint(0.0, accuracy(model, data.valid, place))
    else:
        exact, chosen = validated_threshold(model, weights, data.valid, place)
    tests = trial.phase != "search"
    zero_below(weights, exact.threshold)
    compression_exact = compression(layer_table(model, training.prunable))
    test_exact = accuracy(model, data.test, place) if tests else None
    zero_below(weights, chosen.threshold)
    layers = layer_table(model, training.prunable)
    same = chosen.threshold == exact.threshold
    density = {layer.name: layer.nonzeros / layer.size for layer in layers}
    target, missed_by = _target(method, layers)
    return Measurements(
        classes=data.classes,
        val_accuracy=chosen.val_accuracy,
        val_accuracy_exact=exact.val_accuracy,
        test_accuracy=test_exact if same or not tests else accuracy(model, data.test, place),
        test_accuracy_exact=test_exact,
        compression=compression(layers),
        compression_exact=compression_exact,
        threshold=chosen.threshold,
        target=target,
        missed_by=missed_by,
        total_compression=total_compression(model),
        effective_compression=effective_compression(model, training.prunable, data.shape),
        speedup=speedup(training.metrics.cost, density),
        collapsed_layers=collapsed_layers(layers),
        layers=layers,
    )


def _target(method: Sparsifier, layers: Sequence[Layer]) -> tuple[float | None, int | None]:
    """The target as a compression, and by how many weights the finished model misses it."""
    sparsity = method.target()
    if sparsity is None:
        return None, None
    size, nonzeros = sum(layer.size for layer in layers), sum(layer.nonzeros for layer in layers)
    return 1 / (1 - sparsity), nonzeros - keep_count(sparsity, size)


def check_writable(path: Path) -> None:
    """Raise before training where a model could not be saved after it."""
    if path.is_dir():
        raise SparsebenchError(f"cannot save to {str(path)!r}: it is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise SparsebenchError(f"cannot save to {str(path)!r}: {error.strerror}") from error
