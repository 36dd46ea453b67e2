"""A trial is a pure function from a frozen spec to a record."""

import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ..datasets.api import Data, open_dataset
from ..errors import SparsebenchError
from ..methods.api import Sparsifier, configure, keep_count
from . import measure, memory, models, threshold
from .clock import Outcome
from .hashes import digest
from .keeper import Keeper
from .records import Record
from .saved import save as save_model
from .spec import Trial
from .train import Training
from .versions import versions


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
    keeper: Keeper | None = None,
) -> Record:
    """Train, collapse, measure. Test data are read only outside the search phase.

    `save` keeps the collapsed model as a safetensors file (`saved.py`); `keeper` keeps checkpoints while it
    trains. Errors: `Paused` by the keeper; `Unsaved` with the record; `SparsebenchError` for what the user
    can put right; everything else is a defect or a full device, and the caller records it.
    """
    start = time.perf_counter()
    digest(trial.content)  # a setting that cannot be recorded is told before training, not after
    place = torch.device(device)
    memory.reset_peak(place)
    data = open_data(trial.dataset, data_root, trial.dataset_args)
    if trial.data_digest and data.digest != trial.data_digest:
        raise SparsebenchError(
            f"dataset {trial.dataset!r} here differs from the one that the trial was made for"
        )
    torch.manual_seed(trial.seed)
    model = models.create(trial.model, data.shape, data.classes, **trial.model_args).to(place)
    method = configure(trial.method, trial.knobs)
    training = Training(
        model, method, data, trial.recipe, seed=trial.seed, device=place, keep_dense=trial.keep_dense
    )
    outcome = _trained(training, on_event, keeper)
    if outcome.status == "ok" and not all(bool(p.isfinite().all()) for p in model.parameters()):
        outcome.status, outcome.reason = "diverged", "a parameter of the finished model is not finite"
    fields = _fields(trial, outcome, data)
    if outcome.status == "ok":
        fields |= _measures(trial, training, data, place)
    else:
        fields |= {"val_accuracy": 1 / data.classes, "compression": 1.0}
        fields |= {"test_accuracy": None if trial.phase == "search" else 1 / data.classes}
    fields |= {"peak_memory_bytes": memory.peak(place), "device": device_name(place)}
    earlier = keeper.spent if keeper else 0.0
    record = Record(**fields, seconds=earlier + time.perf_counter() - start)
    if save is not None and record.status == "ok":
        save_model(model, data, record, save)
    return record


def _trained(
    training: Training, on_event: Callable[[dict[str, Any]], None] | None, keeper: Keeper | None
) -> Outcome:
    try:
        if keeper is None:
            return training.run(on_event)
        keeper.resume(training)
        while not training.done:
            training.run(on_event, pause=keeper.due)
            if not training.done:
                keeper.save(training)
        return training.outcome
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise SparsebenchError(
            f"batch_size = {training.recipe.batch_size}: the model's BatchNorm needs more images in a batch"
        ) from error


def _fields(trial: Trial, outcome: Outcome, data: Data) -> dict[str, Any]:
    return {
        **described(trial),
        "data_digest": data.digest,
        "classes": data.classes,
        "status": outcome.status,
        "reason": outcome.reason,
        "warnings": outcome.warnings,
        "steps": outcome.steps,
        "budget": outcome.budget,
        "training_flops_ratio": outcome.flops_ratio,
        "training_memory_ratio": outcome.memory_ratio,
        "diagnostics": outcome.diagnostics,
        "curve": outcome.curve,
    }


def described(trial: Trial, threads: int | None = None) -> dict[str, Any]:
    """The fields of a record that the trial alone decides; it ran on `threads`, by default this process's."""
    threads = threads or torch.get_num_threads()
    return {
        "id": trial.id,
        "config": trial.config,
        "confirms": trial.confirms,
        "suite": trial.suite,
        "entry": trial.entry,
        "dataset": trial.dataset,
        "model": trial.model,
        "model_args": trial.model_args,
        "recipe": trial.recipe.model_dump(),
        "method": trial.method,
        "method_version": trial.method_version,
        "knobs": trial.knobs,
        "params": trial.params,
        "trial": trial.number,
        "seed": trial.seed,
        "phase": trial.phase,
        "command": trial.command + (f" --threads {threads}" if threads > 1 else ""),
        "versions": versions(),
        "data_digest": trial.data_digest,
    }


def failed(
    trial: Trial, reason: str, *, device: str, seconds: float = 0.0, threads: int | None = None
) -> Record:
    """The record of a trial that ended in an error; a later run tries it again.

    `threads` are its worker's, where that is another process.
    """
    return Record(**described(trial, threads), status="failed", reason=reason, device=device, seconds=seconds)


def _measures(trial: Trial, training: Training, data: Data, place: torch.device) -> dict[str, Any]:
    """Both operating points of the finished model; the model is left at the reported one."""
    model, method = training.model, training.method
    weights = [training.net.weight(name) for name in training.prunable]
    if method.exact_zeros:
        val = measure.accuracy(model, data.valid, place)
        exact = chosen = threshold.Point(0.0, val)
    else:
        exact, chosen = threshold.validated(model, weights, data.valid, place)
    tests = trial.phase != "search"
    measure.zero_below(weights, exact.threshold)
    compression_exact = measure.compression(measure.layer_table(model, training.prunable))
    test_exact = measure.accuracy(model, data.test, place) if tests else None
    measure.zero_below(weights, chosen.threshold)
    layers = measure.layer_table(model, training.prunable)
    same = chosen.threshold == exact.threshold
    density = {layer.name: layer.nonzeros / measure.size(layer) for layer in layers}
    return {
        "val_accuracy": chosen.val_accuracy,
        "val_accuracy_exact": exact.val_accuracy,
        "test_accuracy": test_exact if same or not tests else measure.accuracy(model, data.test, place),
        "test_accuracy_exact": test_exact,
        "compression": measure.compression(layers),
        "compression_exact": compression_exact,
        "threshold": chosen.threshold,
        "total_compression": measure.total_compression(model),
        "effective_compression": measure.effective_compression(model, training.prunable, data.shape),
        "speedup": measure.speedup(training.meter.cost, density),
        "collapsed_layers": measure.collapsed_layers(layers),
        "layers": layers,
        **_target(method, layers),
    }


def _target(method: Sparsifier, layers: list[Any]) -> dict[str, Any]:
    """The target as a compression, and by how many weights the finished model misses it."""
    sparsity = method.target()
    if sparsity is None:
        return {}
    size, nonzeros = sum(map(measure.size, layers)), sum(layer.nonzeros for layer in layers)
    return {"target": 1 / (1 - sparsity), "missed_by": nonzeros - keep_count(sparsity, size)}


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
