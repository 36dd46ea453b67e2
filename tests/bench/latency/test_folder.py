"""The latency of a run's models: the short form at its end, the command, and what the report shows of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from sparsebench import SparsebenchError
from sparsebench.bench.campaign.driver import run
from sparsebench.bench.campaign.latencies import board_models_at, measure_models, measure_shortly
from sparsebench.bench.campaign.publish import ranked
from sparsebench.bench.latency.options import Options
from sparsebench.records.measured.latency import FILE, read_latencies
from sparsebench.records.store import load_records

SUITE = """
name = "fast"
[budget]
trials = 2
seeds = 1
compressions = [8, 64]
[[tasks]]
dataset = "planted"
model = "lenet_300_100"
data_args = { n = 640, valid = 128 }
recipe = { epochs = 1, batch_size = 64 }
[[entries]]
method = "dense"
lr = 0.1
[[entries]]
method = "magnitude"
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run that ended with the short form."""
    place = tmp_path_factory.mktemp("fast")
    (place / "fast.toml").write_text(SUITE)
    run(place / "fast.toml", out=place / "out", devices="cpu:1", latency=True)
    return place / "out"


def test_a_run_ends_with_the_short_form_unless_told_not_to(measured: Path, tiny: Path) -> None:
    found = read_latencies(measured)
    assert [(one.entry, one.at, one.batch) for one in found][:2] == [
        ("magnitude", 64, 1),
        ("magnitude", 64, 64),
    ]
    assert len(found) == 8, "two entries at two compressions and two batch sizes"
    assert all(
        one.short and set(one.dense) == {"eager"} and set(one.sparse) <= {"compacted", "compacted, selecting"}
        for one in found
    )
    assert all(one.compacted.macs < one.size.macs for one in found if one.at == 64)
    board = json.loads((measured / "leaderboard.json").read_text())["tasks"][0]
    assert len(board["latencies"]) == 8
    assert "measured" in (measured / "leaderboard.md").read_text()


def test_what_was_measured_is_not_measured_again_at_the_end_of_a_run(measured: Path) -> None:
    said: list[str] = []
    before = (measured / FILE).read_bytes()
    records = load_records(measured)
    measure_shortly(measured, records, ranked(measured, records), None, said.append)
    assert (measured / FILE).read_bytes() == before and not said


def test_times_of_another_machine_stay_apart(measured: Path) -> None:
    records = load_records(measured)
    models = board_models_at(measured, records, ranked(measured, records), entries=["magnitude"])
    assert [model.at for model in models] == [64, 8]
    before = (measured / FILE).read_text()
    elsewhere = [
        one.model_copy(update={"machine": one.machine.model_copy(update={"id": "0" * 8})})
        for one in read_latencies(measured)
    ]
    (measured / FILE).write_text(json.dumps([one.model_dump(mode="json") for one in elsewhere]))
    list(measure_models(measured, models[:1], Options(seconds=0, batches=(4,), short=True), print))
    there = read_latencies(measured)
    assert there[:8] == elsewhere and [one.batch for one in there[8:]] == [4]
    (measured / FILE).write_text(before)


def test_a_model_that_cannot_be_measured_is_left_out_with_its_reason(
    measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = load_records(measured)
    models = board_models_at(measured, records, ranked(measured, records))
    said: list[str] = []

    def refuse(*args: Any, **options: Any) -> None:
        raise SparsebenchError("logits differ by 1 of the largest one")

    monkeypatch.setattr("sparsebench.bench.latency.measure.compact", refuse)
    assert list(measure_models(measured, models[:1], Options(seconds=0), said.append)) == []
    assert "is left out: logits differ" in said[-1]


def test_the_command_measures_every_runtime_and_refuses_what_is_not_there(measured: Path, cli: Any) -> None:
    done = cli(
        "latency", measured, "--seconds", "0.02", "--methods", "magnitude", "--batch", "2", "--device", "cpu"
    )
    assert done.code == 0, done.err
    assert "dense (" in done.err and "magnitude @64  batch 2" in done.err
    found = [one for one in read_latencies(measured) if one.batch == 2]
    assert [one.at for one in found] == [64, 8] and not any(one.short for one in found)
    assert len(found[0].dense) >= 2 or "torch.compile" in done.err, "eager and what else is there"
    page = (measured / "site" / "task-planted-lenet_300_100.html").read_text()
    assert 'id="latency-chart"' in page and "batch 2" in page
    for words, message in (
        (["--batch", "0"], "write numbers of images as 1,64"),
        (["--methods", "magnitud"], "did you mean 'magnitude'"),
        (["--task", "other"], "unknown task 'other'"),
    ):
        refused = cli("latency", measured, *words)
        assert refused.code == 2 and message in refused.err
