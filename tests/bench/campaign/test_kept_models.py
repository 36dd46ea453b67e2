"""Which finished models a campaign keeps, and that they are the ones of its records."""

from collections.abc import Callable
from pathlib import Path

from sparsebench.bench.campaign.driver import run
from sparsebench.bench.campaign.kept_models import (
    KeptModels,
    confirmed_fronts,
    front_models,
    keep_front_models,
)
from sparsebench.bench.models.model_file import read_card
from sparsebench.bench.output_folder.layout import MODELS, model_files, model_path
from sparsebench.records.record import Record
from sparsebench.records.store import Store, load_records

Make = Callable[..., Record]


def confirm(make_record: Make, number: int, point: str, seed: int, **fields: float) -> Record:
    return make_record(
        number, phase="confirm", confirms=point, seed=seed, trial=None, config=point, entry="dwf", **fields
    )


def put(folder: Path, *records: Record) -> None:
    for record in records:
        path = model_path(folder / MODELS, record.id)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"model")


def test_of_a_points_seeds_the_best_on_validation_is_kept(make_record: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    shelf = KeptModels(tmp_path, store)
    # by seed: the second is better on validation, the third on the test set, the fourth an equal
    scores = [(0.90, 0.90), (0.92, 0.90), (0.91, 0.99), (0.92, 0.95)]
    seeds = [
        confirm(make_record, n, "a", n + 1, val_accuracy=val, test_accuracy=test)
        for n, (val, test) in enumerate(scores)
    ]
    for record, expected in zip(seeds, ["id-0", "id-1", "id-1", "id-1"], strict=True):
        put(tmp_path, record)
        store.append(record)
        shelf.take(record)
        assert list(model_files(tmp_path / MODELS)) == [expected]
    other = confirm(make_record, 9, "b", 1, val_accuracy=0.5, test_accuracy=0.5)
    put(tmp_path, other)
    store.append(other)
    shelf.take(other)
    assert list(model_files(tmp_path / MODELS)) == ["id-1", "id-9"]


def test_where_the_best_was_not_saved_the_next_best_stays(make_record: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    shelf = KeptModels(tmp_path, store)
    first = confirm(make_record, 0, "a", 1, val_accuracy=0.9, test_accuracy=0.9)
    best = confirm(make_record, 1, "a", 2, val_accuracy=0.95, test_accuracy=0.9)
    put(tmp_path, first)
    for record in (first, best):
        store.append(record)
        shelf.take(record)
    assert list(model_files(tmp_path / MODELS)) == ["id-0"]
    assert list(front_models(tmp_path, list(store))) == ["id-0"]


def test_in_the_end_only_the_fronts_models_are_left(make_record: Make, tmp_path: Path) -> None:
    on = confirm(make_record, 0, "a", 1, val_accuracy=0.9, test_accuracy=0.9, compression=8)
    below = confirm(make_record, 1, "b", 1, val_accuracy=0.9, test_accuracy=0.8, compression=4)
    other = confirm(make_record, 2, "c", 1, val_accuracy=0.9, test_accuracy=0.7, compression=16)
    put(tmp_path, on, below, other)
    (tmp_path / MODELS / ".half.safetensors.17").write_bytes(b"a worker died")
    keep_front_models(tmp_path, [on, below, other])
    assert sorted(path.name for path in (tmp_path / MODELS).iterdir()) == [
        "id-0.safetensors",
        "id-2.safetensors",
    ]


def test_a_campaign_keeps_one_model_for_every_point_of_its_fronts(finished: Path) -> None:
    records = load_records(finished)
    points = confirmed_fronts(records)
    assert len({(point.task, point.entry) for point in points}) >= 3, "of two entries on two tasks"
    models = model_files(finished / MODELS)
    assert len(models) == len(points)
    by_id = {record.id: record for record in records}
    for point in points:
        own = [outcome.record for outcome in point.outcomes if outcome.record.id in models]
        assert len(own) == 1
        assert own[0].val_accuracy == max(o.val_accuracy or 0 for o in point.outcomes)
    for identity, path in models.items():
        card = read_card(path)
        assert card.id == identity
        assert card.test_accuracy == by_id[identity].test_accuracy


def test_a_disk_that_takes_no_model_costs_the_model_alone(tiny: Path, tracking: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / MODELS).symlink_to(tmp_path / "gone" / "models")  # a disk that is not there
    result = run(tiny, out=out, methods=["dense"], trials=1, seeds=1, devices="cpu:1", tracking_uri=tracking)
    assert result.complete
    assert all(record.status == "ok" for record in result.records)
    assert "cannot save to" in (out / "workers.log").read_text()
