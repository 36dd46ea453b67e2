"""Records in a real MLflow: on SQLite, and on a server that is killed and comes back."""

import math
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.system.ports import free_port
from sparsebench.bench.tracking.client import Tracker
from sparsebench.bench.tracking.publisher import (
    Publisher,
    StudySummary,
    default_uri,
    publish_missing,
    publish_studies,
)
from sparsebench.bench.tracking.server import running
from sparsebench.bench.tracking.trial_values import curve_of, dense_accuracy, metrics_of, params_of, run_name
from sparsebench.records.fields import Layer
from sparsebench.records.record import Record
from synthetic_records import identity

# SQLAlchemy 2.1 deprecates a loader that MLflow 3.17 still names in its tables.
WARNING = "ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(WARNING)

OWN = "0" * 32  # the id of the campaign in the fixture `folder`
COLOURS = {"dwf-3": "#D55E00", "dense": "#000000", "odd": "not a colour"}


def trial(number: int, entry: str = "dwf-3", phase: str = "search", **fields: Any) -> Record:
    name = f"{entry}-{phase}-{number}"
    who: dict[str, Any] = {
        "id": identity(f"{name}-{fields.get('seed', 0)}"),
        "config": name,
        "trial": number,
        "seed": 0,
    }
    where = {"suite": "quickstart", "entry": entry, "dataset": "digits", "model": "lenet_300_100"}
    how = {"method": entry.split("-")[0], "knobs": {"lam": 3e-4, "depth": 3}, "phase": phase, "status": "ok"}
    result = {"val_accuracy": 0.95, "compression": 32.0, "speedup": 4.0, "seconds": 2.5}
    more = {
        "recipe": {"epochs": 30, "lr": 0.25, "weight_decay": 1e-4},
        "layers": [Layer(name="fc1.weight", shape=(300, 64), nonzeros=600)],
        "diagnostics": {"misalignment": 0.125, "misalignment/fc1": 0.5},
        "curve": [{"epoch": float(n), "loss": 1.0 / (n + 1)} for n in range(3)],
        "command": "sparsebench train --dataset digits",
        "versions": {"torch": "2.15.0"},
        "data_digest": "d1915",
        "device": "cpu",
    }
    content = who | where | how | result | more
    return Record.model_validate(content | fields)


def test_metrics_are_few_and_leave_out_what_is_not_known() -> None:
    assert metrics_of(trial(0)) == {
        "eval/top1": 0.95,
        "cost/compression": 32.0,
        "cost/log2_compression": 5.0,
        "cost/flops_ratio": 0.25,
        "cost/log2_speedup": 2.0,
        "cost/seconds": 2.5,
        "diag/misalignment": 0.125,
    }
    known = metrics_of(trial(0, test_accuracy=0.94), dense=0.98)
    assert known["eval/test_top1"] == 0.94
    assert math.isclose(known["eval/top1_drop"], 0.03)
    broken = trial(0, status="failed", val_accuracy=None, compression=None, speedup=None, diagnostics={})
    assert metrics_of(broken, dense=0.98) == {"cost/seconds": 2.5}


def test_many_diagnostics_are_cut_and_odd_names_are_made_acceptable() -> None:
    many = metrics_of(trial(0, diagnostics={f"d{n:02d}": 1.0 for n in range(40)}))
    assert sum(key.startswith("diag/") for key in many) == 12
    assert "diag/share_50_" in metrics_of(trial(0, diagnostics={"share(50%": 1.0}))


def test_names_params_and_curves() -> None:
    assert run_name(trial(12)) == "dwf-3 #12"
    assert run_name(trial(1, phase="confirm", seed=2, compression=31.2)) == "dwf-3 c=31.2 seed 2"
    assert run_name(trial(1, phase="single", compression=None)) == "dwf-3 seed 0"
    recipe = {"lr": "0.25", "weight_decay": "0.0001"}
    assert params_of(trial(0)) == recipe | {"lam": "0.0003", "depth": "3", "seed": "0", "trial": "0"}
    assert curve_of(trial(0)) == []
    steps = [(step, value) for _, value, step in curve_of(trial(0, phase="confirm"))]
    assert steps == [(0, 1.0), (1, 0.5), (2, 1 / 3)]


def test_a_long_curve_is_thinned_and_keeps_its_last_point() -> None:
    curve = [{"step": float(n), **{f"s{k}": 1.0 for k in range(9)}} for n in range(5003)]
    points = curve_of(trial(0, phase="single", curve=curve))
    assert {name for name, _, _ in points} == {f"curve/s{k}" for k in range(6)}
    steps = [step for name, _, step in points if name == "curve/s0"]
    assert len(steps) <= 201
    assert steps[0] == 0
    assert steps[-1] == 5002
    assert curve_of(trial(0, phase="confirm", curve=[{"loss": 1.0}, {"loss": 0.5}])) == [
        ("curve/loss", 1.0, 0),
        ("curve/loss", 0.5, 1),
    ]


def test_the_dense_reference_is_the_best_dense_validation_accuracy_of_a_task() -> None:
    records = [trial(n, "dense", val_accuracy=value) for n, value in enumerate((0.9, 0.97, 0.95))]
    records += [trial(9, val_accuracy=0.99), trial(3, "dense", status="diverged", val_accuracy=1.0)]
    assert dense_accuracy(records) == {"digits-lenet_300_100": 0.97}


def the_runs(tracker: Tracker, suite: str, kind: str = "trial") -> dict[str, Any]:
    experiment = tracker.experiment(suite, "digits-lenet_300_100")
    runs = tracker.runs(experiment, kind)
    found = {run.data.tags.get("bench.id", run.info.run_name): run for run in runs}
    assert len(found) == len(runs), "a trial was published twice"
    return found


def test_a_database_in_a_folder_with_an_awkward_name(folder: Path, tracker: Tracker) -> None:
    assert "Default" in {experiment.name for experiment in tracker.client.search_experiments()}
    assert (folder / "mlflow.db").is_file()
    assert not (Path.cwd() / "mlflow.db").exists()


def test_a_relative_folder_gives_an_absolute_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_uri(Path("runs/a b")) == f"sqlite:///{tmp_path}/runs/a b/mlflow.db"


def test_a_published_trial_holds_what_the_record_says(folder: Path, tracker: Tracker) -> None:
    problems: list[str] = []
    dense: dict[str, float] = {}
    publisher = Publisher(default_uri(folder), folder, OWN, COLOURS, dense=dense, on_problem=problems.append)
    search, confirm = trial(12), trial(1, phase="confirm", seed=2, test_accuracy=0.9375)
    publisher.put(search)
    publisher.put(trial(3, status="failed", reason="out of memory", val_accuracy=None))
    dense["digits-lenet_300_100"] = 0.98
    publisher.put(confirm)
    assert publisher.close(timeout=60) == 0
    assert problems == []
    runs = the_runs(tracker, "quickstart")
    one, two = runs[search.id], runs[confirm.id]
    assert one.info.run_name == "dwf-3 #12"
    assert one.info.status == "FINISHED"
    assert one.info.end_time - one.info.start_time == 2500
    assert one.data.metrics["cost/log2_compression"] == 5
    assert one.data.params["lam"] == "0.0003"
    tags = one.data.tags
    assert tags["bench.kind"] == "trial"
    assert tags["bench.data_digest"] == "d1915"
    assert tags["version.torch"] == "2.15.0"
    assert tags["mlflow.runColor"] == "#D55E00"
    assert two.data.metrics["eval/test_top1"] == 0.9375
    assert math.isclose(two.data.metrics["eval/top1_drop"], 0.03)
    history = tracker.client.get_metric_history(two.info.run_id, "curve/loss")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert runs[identity("dwf-3-search-3-0")].info.status == "FAILED"
    artifacts = folder / "mlartifacts" / two.info.run_id / "artifacts"
    names = {item.path for item in tracker.client.list_artifacts(two.info.run_id)}
    assert names == {"record.json", "layers.csv"}
    assert Record.model_validate_json((artifacts / "record.json").read_text()) == confirm
    assert (artifacts / "layers.csv").read_text().splitlines()[1] == "fc1.weight,300×64,19200,600,0.96875"


def test_publishing_what_is_missing_twice_leaves_no_duplicates(folder: Path, tracker: Tracker) -> None:
    records = [trial(n, suite="missing") for n in range(3)] + [trial(7, "odd", suite="missing")]
    records.append(trial(5, suite="missing", status="failed", val_accuracy=None))
    uri = default_uri(folder)
    assert publish_missing(records[:2], uri, folder, OWN, COLOURS) == 2
    assert publish_missing(records, uri, folder, OWN, COLOURS) == 3
    assert publish_missing(records, uri, folder, OWN, COLOURS) == 0
    assert the_runs(tracker, "missing").keys() == {record.id for record in records}
    # a failure that has succeeded since replaces its run
    records.append(trial(5, suite="missing"))
    assert publish_missing(records, uri, folder, OWN, COLOURS) == 1
    runs = the_runs(tracker, "missing")
    assert len(runs) == 5
    assert runs[identity("dwf-3-search-5-0")].data.tags["bench.status"] == "ok"
    assert "mlflow.runColor" not in runs[identity("odd-search-7-0")].data.tags


def test_half_written_and_doubled_runs_are_replaced(folder: Path, tracker: Tracker) -> None:
    record, uri = trial(0, suite="half"), default_uri(folder)
    experiment = tracker.experiment("half", record.task)
    tags = {"bench.kind": "trial", "bench.id": record.id, "bench.campaign": OWN}
    tracker.client.create_run(experiment, tags=tags)
    assert publish_missing([record], uri, folder, OWN, COLOURS) == 1
    for _ in range(2):
        copy = tracker.client.create_run(experiment, tags={**tags, "bench.status": "ok"})
        tracker.client.set_terminated(copy.info.run_id)
    assert publish_missing([record], uri, folder, OWN, COLOURS) == 0
    assert the_runs(tracker, "half")[record.id].info.status == "FINISHED"


def test_a_deleted_experiment_comes_back(folder: Path, tracker: Tracker) -> None:
    record, uri = trial(0, suite="deleted"), default_uri(folder)
    assert publish_missing([record], uri, folder, OWN, COLOURS) == 1
    tracker.client.delete_experiment(tracker.experiment("deleted", record.task))
    problems, both = list[str](), [record, trial(1, suite="deleted")]
    publish_missing(both, uri, folder, OWN, COLOURS, on_problem=problems.append)
    assert problems == []
    assert len(the_runs(tracker, "deleted")) == 2


def test_a_study_run_is_replaced_and_links_its_front(folder: Path, tracker: Tracker, tmp_path: Path) -> None:
    records = [trial(4, phase="confirm", seed=seed, suite="studies") for seed in (0, 1)]
    figure = tmp_path / "front.png"
    figure.write_bytes(b"\x89PNG")
    uri = default_uri(folder)
    publish_missing(records, uri, folder, OWN, COLOURS)
    for hypervolume in (1.5, 2.5):
        summary = StudySummary(
            suite="studies",
            task=records[0].task,
            entry="dwf-3",
            metrics={"hypervolume": hypervolume, "top1_at_2x": 0.97},
            front=[{"config": records[0].config, "compression": 32.0, "top1": 0.95}],
            figures=(figure,),
        )
        assert publish_studies([summary], uri, folder, OWN, COLOURS) == 1
    (study,) = the_runs(tracker, "studies", kind="study").values()
    assert study.info.run_name == "dwf-3"
    assert study.data.metrics == {"summary/hypervolume": 2.5, "summary/top1_at_2x": 0.97}
    ids = {run.info.run_id for run in the_runs(tracker, "studies").values()}
    front = Path(tracker.client.download_artifacts(study.info.run_id, "front.csv")).read_text()
    assert set(front.splitlines()[1].split(",")[-1].split()) == ids
    assert all(
        f"/runs/{identity}?workflowType=machine_learning)" in study.data.tags["mlflow.note.content"]
        for identity in ids
    )
    figures = tracker.client.list_artifacts(study.info.run_id, "figures")
    assert [item.path for item in figures] == ["figures/front.png"]


# A server in trouble


@pytest.fixture
def silent() -> Iterator[str]:
    """Something that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_dead_server_costs_one_message_and_no_time(tmp_path: Path) -> None:
    problems: list[str] = []
    uri = f"http://user:secret@127.0.0.1:{free_port('127.0.0.1', 0)}"
    start = time.monotonic()
    publisher = Publisher(uri, tmp_path, OWN, COLOURS, on_problem=problems.append)
    for number in range(5):
        publisher.put(trial(number))
    assert time.monotonic() - start < 1
    assert publisher.close(timeout=45) == 5
    assert len(problems) == 1
    assert "records.jsonl has everything" in problems[0]
    assert "secret" not in problems[0]
    assert publish_missing([trial(0)], uri, tmp_path, OWN, COLOURS, on_problem=problems.append) == 0
    assert publish_studies([], uri, tmp_path, OWN, COLOURS, on_problem=problems.append) == 0
    assert len(problems) == 2
    assert not any(thread.name == "mlflow" for thread in threading.enumerate()), "the thread has ended"


def test_closing_does_not_wait_for_a_silent_server(tmp_path: Path, silent: str) -> None:
    publisher = Publisher(silent, tmp_path, OWN, COLOURS)
    publisher.put(trial(0))
    start = time.monotonic()
    assert publisher.close(timeout=1) == 1
    assert time.monotonic() - start < 5


@pytest.mark.usefixtures("tracker")
def test_a_server_that_is_killed_and_comes_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPARSEBENCH_UI_TOKEN", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, "of both")
    records, problems = [trial(n, suite="killed") for n in range(6)], []
    port = free_port("127.0.0.1", 0)
    with running(folder, port) as (uri, _, server):
        publisher = Publisher(uri, folder, OWN, COLOURS, on_problem=problems.append)
        for record in records[:3]:
            publisher.put(record)
        while publisher.unpublished:
            time.sleep(0.05)
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        for record in records[3:]:
            publisher.put(record)
        assert publisher.close(timeout=60) == 3
        assert len(problems) == 1
    with running(folder, port) as (uri, _, _):
        assert publish_missing(records, uri, folder, OWN, COLOURS, on_problem=problems.append) == 3
        assert publish_missing(records, uri, folder, OWN, COLOURS, on_problem=problems.append) == 0
        assert len(the_runs(Tracker(uri, folder, OWN), "killed")) == 6
    assert len(problems) == 1
