"""Which finished models a campaign keeps, and that they are the ones of its records."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sparsebench.bench.campaign.cleanup import clear_checkpoints
from sparsebench.bench.campaign.driver import run
from sparsebench.bench.campaign.kept_models import (
    KeptModels,
    board_models,
    board_trainings,
    keep_board_models,
)
from sparsebench.bench.models.model_file import ModelCard, read_card, write_model
from sparsebench.bench.output_folder.layout import CHECKPOINTS, MODELS, model_files, model_path
from sparsebench.bench.training.checkpointing import checkpoint_path
from sparsebench.datasets.api import open_dataset
from sparsebench.errors import SparsebenchError
from sparsebench.records.hashing import digest
from sparsebench.records.record import Record, parse
from sparsebench.records.store import Store, load_records
from sparsebench.reports.analysis.boards import boards

Make = Callable[..., Record]


def confirm(make_record: Make, number: int, point: str, seed: int, **fields: float) -> Record:
    where = {"phase": "confirm", "confirms": digest(point), "config": point, "entry": "dwf", "trial": None}
    return make_record(number, seed=seed, **where, **fields)


def put(folder: Path, *records: Record) -> None:
    for record in records:
        card = ModelCard.model_validate({**record.model_dump(exclude={"schema_"}), "shape": (1, 8, 8)})
        write_model({"w": torch.ones(2)}, card, model_path(folder / MODELS, record.id))


def test_of_a_points_seeds_the_best_on_validation_is_kept(make_record: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    shelf = KeptModels(tmp_path, store)
    # by seed: the second is better on validation, the third on the test set, the fourth an equal
    scores = [(0.90, 0.90), (0.92, 0.90), (0.91, 0.99), (0.92, 0.95)]
    seeds = [
        confirm(make_record, n, "a", n + 1, val_accuracy=val, test_accuracy=test)
        for n, (val, test) in enumerate(scores)
    ]
    for record, expected in zip(seeds, map("{:016x}".format, [0, 1, 1, 1]), strict=True):
        put(tmp_path, record)
        store.append(record)
        shelf.take(record)
        assert list(model_files(tmp_path / MODELS)) == [expected]
    other = confirm(make_record, 9, "b", 1, val_accuracy=0.5, test_accuracy=0.5)
    put(tmp_path, other)
    store.append(other)
    shelf.take(other)
    assert list(model_files(tmp_path / MODELS)) == ["0000000000000001", "0000000000000009"]


def test_where_the_best_was_not_saved_the_next_best_stays(make_record: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    shelf = KeptModels(tmp_path, store)
    first = confirm(make_record, 0, "a", 1, val_accuracy=0.9, test_accuracy=0.9)
    best = confirm(make_record, 1, "a", 2, val_accuracy=0.95, test_accuracy=0.9)
    put(tmp_path, first)
    for record in (first, best):
        store.append(record)
        shelf.take(record)
    assert list(model_files(tmp_path / MODELS)) == ["0000000000000000"]
    assert list(board_models(tmp_path, list(store))) == ["0000000000000000"]


def test_in_the_end_only_the_fronts_models_are_left(make_record: Make, tmp_path: Path) -> None:
    on = confirm(make_record, 0, "a", 1, val_accuracy=0.9, test_accuracy=0.9, compression=8)
    below = confirm(make_record, 1, "b", 1, val_accuracy=0.9, test_accuracy=0.8, compression=4)
    other = confirm(make_record, 2, "c", 1, val_accuracy=0.9, test_accuracy=0.7, compression=16)
    put(tmp_path, on, below, other)
    (tmp_path / MODELS / f".{below.id}.safetensors.17.part").write_bytes(b"a worker died")
    keep_board_models(tmp_path, [on, below, other])
    assert sorted(path.name for path in (tmp_path / MODELS).iterdir()) == [
        "0000000000000000.safetensors",
        "0000000000000002.safetensors",
    ]


def test_a_campaign_keeps_one_model_for_every_training_of_its_boards(finished: Path) -> None:
    records = load_records(finished)
    models = model_files(finished / MODELS)
    shown = board_trainings(records)
    assert {run.entry for training in shown for run in training.runs} == {"dense", "dwf-3"}
    assert len(models) == len(shown)
    every = {(board.task, e): p for board in boards(records) for e, p in board.points.items()}
    for training in shown:
        first = training.runs[0]
        cells = [p for p in every[first.task, first.entry] if first.id in [o.record.id for o in p.outcomes]]
        assert [p.at for p in cells] == list(training.at), "the cells of the board"
        (kept,) = (run for run in training.runs if run.id in models)

        def validation(run: Record) -> float:
            return sum(point.val_accuracy for point in run.at_compressions)

        assert validation(kept) == max(map(validation, training.runs))


def test_the_curve_of_a_kept_model_follows_from_its_file_alone(finished: Path) -> None:
    """The accuracies and the nonzeros that the record has at each compression, by numpy from the tensors."""
    by_id = {record.id: record for record in load_records(finished)}
    for identity, path in model_files(finished / MODELS).items():
        record, card = by_id[identity], read_card(path)
        data = open_dataset(record.dataset, **record.dataset_args)
        batches = list(data.test.batches(1024, torch.device("cpu")))
        x, y = (np.concatenate([part.numpy() for part in parts]) for parts in zip(*batches, strict=True))
        with safe_open(path, "np") as file:
            w = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        size = sum(w[name].size for name in card.prunable)
        assert len(card.at_compressions) == 10
        for point in card.at_compressions:
            order = np.sort(np.concatenate([abs(w[name]).ravel() for name in card.prunable]))[::-1]
            least = order[round(size / point.at) - 1]
            cut = {n: np.where(abs(t) >= least, t, 0) if n in card.prunable else t for n, t in w.items()}
            assert sum(np.count_nonzero(cut[name]) for name in card.prunable) == point.nonzeros
            h = x.reshape(len(x), -1)
            for layer in (1, 3, 5):
                h = h @ cut[f"{layer}.weight"].T + cut[f"{layer}.bias"]
                h = np.maximum(h, 0) if layer < 5 else h
            assert (h.argmax(1) == y).mean() == pytest.approx(point.test_accuracy, abs=1.5 / len(y))
        assert card.at_compressions == record.at_compressions
        assert card.compression == size / card.at_compressions[0].nonzeros == record.compression_exact
        assert card.test_accuracy == card.at_compressions[0].test_accuracy == record.test_accuracy_exact


def test_a_disk_that_takes_no_model_costs_the_model_alone(tiny: Path, tracking: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / MODELS).symlink_to(tmp_path / "gone" / "models")  # a disk that is not there
    result = run(tiny, out=out, methods=["dense"], trials=1, seeds=1, devices="cpu:1", tracking_uri=tracking)
    assert result.complete
    assert all(record.status == "ok" for record in result.records)
    assert "cannot save to" in (out / "workers.log").read_text()


FOREIGN = {
    "a file of another name": "notes.txt",
    "a model of another name": "mine.safetensors",
    "a model of no record": f"{77:016x}.safetensors",
    "a model without a card": f"{1:016x}.safetensors",
    "a half-written file of no record": f".{77:016x}.safetensors.5.part",
    "a link": f"{1:016x}.safetensors",
    "a folder": f"{1:016x}.safetensors",
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_this_program_did_not_write_stays(make_record: Make, tmp_path: Path, what: str) -> None:
    on = confirm(make_record, 0, "a", 1, val_accuracy=0.9, test_accuracy=0.9, compression=8)
    off = confirm(make_record, 1, "b", 1, val_accuracy=0.9, test_accuracy=0.8, compression=4)
    other = confirm(make_record, 2, "a", 2, val_accuracy=0.8, test_accuracy=0.8, compression=8)
    put(tmp_path, on, off, other)
    put(tmp_path / "elsewhere", off)
    theirs = tmp_path / MODELS / FOREIGN[what]
    theirs.unlink(missing_ok=True)
    if what == "a link":
        theirs.symlink_to(model_path(tmp_path / "elsewhere" / MODELS, off.id))
    elif what == "a folder":
        theirs.mkdir()
    elif what == "a model of no record":
        put(tmp_path, make_record(77))
    else:
        theirs.write_bytes(b"somebody's own")
    KeptModels(tmp_path, Store(tmp_path)).take(on)
    keep_board_models(tmp_path, [on, off, other])
    assert {path.name for path in (tmp_path / MODELS).iterdir()} == {f"{on.id}.safetensors", theirs.name}
    assert model_path(tmp_path / "elsewhere" / MODELS, off.id).is_file()


def test_a_damaged_model_is_on_no_front(make_record: Make, tmp_path: Path) -> None:
    one = confirm(make_record, 0, "a", 1, val_accuracy=0.9, test_accuracy=0.9)
    put(tmp_path, one)
    path = model_path(tmp_path / MODELS, one.id)
    whole = path.read_bytes()
    assert board_models(tmp_path, [one]) == {one.id: path}
    for content in (b"", b"garbage", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        assert board_models(tmp_path, [one]) == {}


def test_an_id_that_is_none_names_no_file(make_record: Make, tmp_path: Path) -> None:
    odd = ["../../x", "/etc/x", "..", "", "x" * 16, "0" * 15, "0" * 17, "A" * 16, "0" * 15 + "\n", "\0" * 16]
    line = make_record(0).to_json()
    for name in odd:
        for field in ("id", "confirms"):
            content = json.dumps({**json.loads(line), field: name})
            with pytest.raises(SparsebenchError, match=f"line 1: {field}"):
                parse(content, "line 1")
        record = make_record(0).model_copy(update={"id": name, "phase": "confirm"})
        for make in (model_path, checkpoint_path):
            with pytest.raises(SparsebenchError, match="is not the id of a trial"):
                make(tmp_path, name)
        with pytest.raises(SparsebenchError, match="is not the id of a trial"):
            KeptModels(tmp_path, Store(tmp_path)).take(record)


def test_checkpoints_of_trials_go_and_a_persons_files_stay(make_record: Make, tmp_path: Path) -> None:
    record, place = make_record(1), tmp_path / CHECKPOINTS
    place.mkdir()
    orphan = f"{9:016x}.pt"
    torch.save({"identity": f"{9:016x}"}, place / orphan)
    theirs = ["epoch9.pt", f"{8:016x}.pt", "here.txt"]
    for name in (f"{record.id}.pt", f".{record.id}.pt.5.part", "here", *theirs):
        (place / name).write_bytes(b"content")
    (place / f"{7:016x}.pt").symlink_to(place / theirs[0])
    clear_checkpoints(tmp_path, [record])
    assert {path.name for path in place.iterdir()} == {*theirs, "here", f"{7:016x}.pt"}
    for path in place.iterdir():
        path.unlink()
    (place / f"{record.id}.pt").touch()
    (place / "here").touch()
    clear_checkpoints(tmp_path, [record])
    assert not place.exists()
    clear_checkpoints(tmp_path, [record])
