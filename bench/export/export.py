"""`sparsebench.export`: one finished model of an output folder, or of `train --save`, in another format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ...commands import base_of
from ...errors import SparsebenchError
from ...records.record import Record
from ...records.schema_1 import recorded_arguments
from ...records.stored import StoredRecords
from ..compaction.compact import Compacted, Counts
from ..config.trial_spec import trial_of
from ..models.model_file import ModelCard, read_model
from ..output_folder.layout import MODELS, model_path
from ..output_folder.shown_trainings import training_of
from ..system.devices import check_device
from ..system.isolation.plugins import load_plugins
from ..training import trial as trials
from . import formats
from . import load_snippet as loading
from .compacted import check_writable, compacted
from .cut import cut_model

SAME = ("val_accuracy", "test_accuracy", "compression", "threshold", "at_compressions")
"""The fields of a record that a model which was trained again has to reproduce."""


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        path: The file that was written.
        lines: Three lines of Python that load it, into `model` (for ONNX, that compute `logits`).
        card: The model card: trial, accuracies, compression, shape and normalisation of the images.
        counts: For a compacted model, what compaction saves; None for any other.
        difference: For a compacted model, how far its logits are from the model's, as a fraction of the
            largest.
        differs: For a model that was trained again, the fields in which it differs from its record: among
            validation and test accuracy, compression, threshold and the accuracies at the common
            compressions. None where it was not trained again.

    Example:
        >>> _ = trials.run(trial, save=Path("model.safetensors"))
        >>> done = export("model.safetensors", out="model.pt")
        >>> done.card.title
        'dense on planted-lenet_300_100: compression 1, test accuracy ... %'
        >>> done.lines[0]
        'import torch, torch.nn as nn'
    """

    path: Path
    lines: list[str]
    card: ModelCard
    differs: list[str] | None = None
    counts: Counts | None = None
    difference: float | None = None


def export(
    source: str | Path,
    trial: str | None = None,
    out: str | Path | None = None,
    *,
    at: float | None = None,
    task: str | None = None,
    retrain: bool = False,
    compact: bool = False,
    data: str | Path | None = None,
    device: str | None = None,
    plugins: Sequence[str | Path] = (),
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> Exported:
    """Writes one finished model in the format named by the suffix of `out`.

    An output folder has the models of the trainings that its leaderboard shows; with `retrain`, any other
    trial is trained again from its record. A model is exported as training left it, or cut to a compression.

    Args:
        source: An output folder, or the safetensors file of a model.
        trial: The label of an entry, or the id of a trial of the folder or its first characters; None for a
            file.
        out: The file to write, `.safetensors`, `.pt`, `.pt2` or `.onnx`; by default, in the working folder,
            `<entry>-<id>.safetensors`, `<name>.pt` where `source` is a file, and `<name>-compact.pt2` for a
            compacted model.
        at: The compression to cut the model to: its k(at) prunable weights of largest magnitude stay, without
            retraining, as on the leaderboard. Of an entry the training that the board shows there is taken.
        task: The task, where the entry was run on several.
        retrain: Train the trial again where the folder does not have its model.
        compact: Write a smaller dense model with the same logits, without the units that have no effect.
        data: Folder of the datasets, for `retrain`, and for `compact`, which compares logits on images.
        device: Device for `retrain`; by default the kind of device (CPU or GPU) that the record names.
        plugins: Python files to import first, for the methods, datasets and models that they register.
        on_event: Called with the events of the training, as in `sparsebench.train`.

    Returns:
        The file, its model card and the lines that load it.

    Raises:
        SparsebenchError: No such entry or trial, a trial that failed, a model that the folder does not have,
            a compression that it cannot be cut to, a format that cannot be written, or a model that cannot
            be compacted.

    Example:
        >>> _ = trials.run(trial, save=Path("model.safetensors"))
        >>> export("model.safetensors", out="model.pt").lines[-1]
        "model.load_state_dict(torch.load('model.pt', weights_only=True))"
    """
    # Resolve the source and check the target, before a model is read or trained.
    load_plugins(plugins)
    place = Path(source)
    record = _find_record(place, trial, at, task)
    path = Path(out) if out is not None else _default_name(place, record, at, compact)
    formats.check_format(path)
    trials.check_save_path(path)
    state, card, differs = _model(record, place, retrain, data, device, on_event)
    # Write it: cut, compacted, or as it is.
    if at is not None:
        state, card = cut_model(state, card, at, card.prunable or _layers(record))
    if compact:
        made = compacted(state, card, data, base_of(place), path.suffix not in formats.STATES)
        return replace(_write_compacted(made, card, path), differs=differs)
    formats.write_format(state, card, path)
    return Exported(path, loading.load_lines(card, path), card, differs)


def _model(
    record: Record | None,
    place: Path,
    retrain: bool,
    data: str | Path | None,
    device: str | None,
    on_event: Callable[[dict[str, Any]], None] | None,
) -> tuple[dict[str, torch.Tensor], ModelCard, list[str] | None]:
    """Reads the model of a record or file, or trains it again; in that case, returns what differs too."""
    file = model_path(place / MODELS, record.id) if record else place
    if record is not None and not file.is_file():
        if retrain:
            return _retrain(record, base_of(place), data, device, on_event)
        raise SparsebenchError(
            f"the model of trial {record.id} was not kept, only those of the best seeds on a board: "
            f"--retrain trains it again, which took {record.seconds:.0f} s on {record.device}"
        )
    state, card = read_model(file)
    if record is not None and card.id != record.id:
        raise SparsebenchError(f"{str(file)!r} is the model of another trial, {card.id}")
    return state, card, None


def _default_name(source: Path, record: Record | None, at: float | None, compact: bool) -> Path:
    """Returns a file in the working folder, named after the trial or after the source."""
    cut = "" if at is None else f"-at-{at:g}"
    stem = f"{record.entry}-{record.id[:8]}{cut}" if record else f"{source.stem}{cut}"
    suffix = "-compact.pt2" if compact else ".safetensors" if record else ".pt"
    return Path(f"{stem}{suffix}".replace("/", "-"))


def _write_compacted(made: Compacted, card: ModelCard, path: Path) -> Exported:
    """Writes a compacted network in the format of the file, with the card of the model that it came from."""
    check_writable(made.module, path)
    formats.write_format(dict(made.module.state_dict()), card, path, made.module)
    lines = loading.load_lines(card, path, made.module)
    return Exported(path, lines, card, counts=made.counts, difference=made.difference)


def _layers(record: Record | None) -> list[str]:
    """Returns the names of the prunable weights that a record has, for a file that does not name them."""
    return [layer.name for layer in record.layers] if record else []


def _find_record(folder: Path, trial: str | None, at: float | None, task: str | None) -> Record | None:
    """Returns the finished record of an entry's training, or the one whose id begins with `trial`.

    None for a file; it raises where a trial is given with a file.
    """
    if not folder.is_dir():
        if (trial, task) != (None, None):
            raise SparsebenchError(f"{str(folder)!r} is a model file; a trial is given with an output folder")
        return None
    if not trial:
        raise SparsebenchError(f"give the label of an entry or the id of a trial in {str(folder)!r}")
    records = StoredRecords(folder)
    if any(record.entry == trial for record in records.light):

        def kept(identity: str) -> bool:
            return model_path(folder / MODELS, identity).is_file()

        return records.whole(training_of(records.light, trial, task, at, kept))
    if task is not None:
        raise SparsebenchError(f"no entry in {str(folder)!r} is called {trial!r}: a task goes with an entry")
    found = [record for record in records.light if record.id.startswith(trial)]
    if not found:
        raise SparsebenchError(
            f"no trial in {str(folder)!r} has an id that begins with {trial!r}, and no entry that name"
        )
    if len(found) > 1:
        raise SparsebenchError(f"{len(found)} trials have an id that begins with {trial!r}: give more of it")
    if found[0].status != "ok":
        raise SparsebenchError(f"trial {found[0].id} {found[0].status}: it has no model")
    return records.whole(found[0])


def _retrain(
    record: Record,
    base: str | None,
    data: str | Path | None,
    device: str | None,
    on_event: Callable[[dict[str, Any]], None] | None,
) -> tuple[dict[str, torch.Tensor], ModelCard, list[str]]:
    """Trains the trial of a record again; returns its weights, its card and the fields of SAME that differ.

    The number of CPU threads is that of the record: another one can change the last
    bits of the result.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(recorded_arguments(record).threads)
    place = check_device(device or ("cpu" if record.device.startswith("cpu") else None))
    with TemporaryDirectory(prefix="sparsebench-") as folder:
        file = model_path(Path(folder), record.id)
        again = trial_of(record).model_copy(update={"base": base})
        made = trials.run(again, data_root=data, device=place, save=file, on_event=on_event)
        if made.status != "ok":
            raise SparsebenchError(f"trained again, the trial {made.status}: {made.reason}")
        state, card = read_model(file)
    return state, card, [name for name in SAME if getattr(made, name) != getattr(record, name)]
