"""`sparsebench.export`: one finished model, from where a run or `train --save` has left it, as a file."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ...errors import SparsebenchError
from ...records.record import Record
from ...records.store import latest, load_records
from ...registry import load_plugin
from ..config.trial_spec import trial_of
from ..models.model_file import ModelCard, read_model
from ..output_folder.layout import MODELS, model_path
from ..system.devices import check_device
from ..training import trial as trials
from . import formats
from . import load_snippet as loading

SAME = ("val_accuracy", "test_accuracy", "compression", "threshold")
"""What a model that was trained again has to repeat."""


@dataclass(frozen=True)
class Exported:
    """The file, the three lines that load it, and what it says of itself.

    `differs` names what a model that was trained again does not share with its record; None where it was
    not trained again.
    """

    path: Path
    lines: list[str]
    card: ModelCard
    differs: list[str] | None = None


def export(
    source: str | Path,
    trial: str | None = None,
    out: str | Path | None = None,
    *,
    retrain: bool = False,
    data: str | Path | None = None,
    device: str | None = None,
    plugins: Sequence[str | Path] = (),
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> Exported:
    """Write one finished model in the format that `out` ends in: `.safetensors`, `.pt` or `.onnx`.

    `source` is an output folder, with the id of one of its trials (or its beginning) as `trial`; or the
    safetensors file of a model. A folder keeps the models of its fronts; with `retrain` any other trial is
    trained again from its record. Errors: `SparsebenchError`, one sentence.
    """
    for plugin in plugins:
        load_plugin(plugin)
    place = Path(source)
    record = find_record(place, trial) if place.is_dir() else None
    if record is None and trial is not None:
        raise SparsebenchError(f"{str(source)!r} is one model; a trial is named after an output folder")
    name = f"{record.entry}-{record.id[:8]}.safetensors" if record else f"{place.stem}.pt"
    path = Path(out) if out is not None else Path(name.replace("/", "-"))
    formats.check_format(path)
    trials.check_writable(path)
    differs = None
    file = model_path(place / MODELS, record.id) if record else place
    if record is None or file.is_file():
        state, card = read_model(file)
    elif retrain:
        state, card, differs = retrain_trial(record, data, device, on_event)
    else:
        raise SparsebenchError(
            f"the model of trial {record.id} was not kept, as it is on no front: --retrain trains it again, "
            f"which took {record.seconds:.0f} s on {record.device}"
        )
    if record is not None and card.id != record.id:
        raise SparsebenchError(f"{str(file)!r} is the model of another trial, {card.id}")
    formats.write_format(state, card, path)
    return Exported(path, loading.load_lines(card, path), card, differs)


def find_record(folder: Path, trial: str | None) -> Record:
    """The record of a folder whose id begins so. Errors: none does, or several."""
    if not trial:
        raise SparsebenchError(f"name one of the trials in {str(folder)!r} by its id")
    found = [record for record in latest(load_records(folder)) if record.id.startswith(trial)]
    if not found:
        raise SparsebenchError(f"no trial in {str(folder)!r} has an id that begins with {trial!r}")
    if len(found) > 1:
        raise SparsebenchError(f"{len(found)} trials have an id that begins with {trial!r}: give more of it")
    if found[0].status != "ok":
        raise SparsebenchError(f"trial {found[0].id} {found[0].status}: it has no model")
    return found[0]


def retrain_trial(
    record: Record,
    data: str | Path | None,
    device: str | None,
    on_event: Callable[[dict[str, Any]], None] | None,
) -> tuple[dict[str, torch.Tensor], ModelCard, list[str]]:
    """The trial of a record, trained again on the same kind of device: its model, and what differs."""
    torch.set_flush_denormal(True)
    threads = shlex.split(record.command.rpartition(" --threads ")[2])[0]
    torch.set_num_threads(int(threads) if threads.isdecimal() else 1)
    place = check_device(device or ("cpu" if record.device.startswith("cpu") else None))
    with TemporaryDirectory(prefix="sparsebench-") as folder:
        file = model_path(Path(folder), record.id)
        made = trials.run(trial_of(record), data_root=data, device=place, save=file, on_event=on_event)
        if made.status != "ok":
            raise SparsebenchError(f"trained again, the trial {made.status}: {made.reason}")
        state, card = read_model(file)
    return state, card, [name for name in SAME if getattr(made, name) != getattr(record, name)]
