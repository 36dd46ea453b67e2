"""The models of the fronts in a real MLflow: once each, with linked metrics, and gone when off the front."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.system.ports import free_port
from sparsebench.bench.tracking.client import Tracker
from sparsebench.bench.tracking.publisher import StudySummary, default_uri, publish_missing, publish_studies
from sparsebench.records.record import Record

pytestmark = [
    # SQLAlchemy 2.1 deprecates a loader that MLflow 3.17 still names in its tables.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
]
OWN = "0" * 32  # the id of the campaign in the fixture `folder`
Make = Callable[..., Record]


@pytest.fixture
def records(make_record: Make, request: pytest.FixtureRequest) -> list[Record]:
    """Three seeds of a point, in a suite of the test's own."""
    fields: dict[str, Any] = {"suite": request.node.name, "phase": "confirm", "confirms": "a", "config": "a"}
    fields |= {"entry": "dwf-3", "knobs": {"depth": 3}, "data_digest": "d" * 64, "compression": 31.25}
    fields |= {"versions": {"torch": "2.15.0"}, "test_accuracy": 0.875}
    return [make_record(n, seed=n, id=f"{request.node.name[-12:]}-{n}", **fields) for n in range(3)]


def publish(
    folder: Path, records: list[Record], kept: list[Record], uri: str | None = None
) -> tuple[int, list[str]]:
    """Publish trials and the study, with a model for each of `kept`."""
    files, problems = {}, list[str]()
    for record in kept:
        files[record.id] = folder / f"{record.id}.safetensors"
        files[record.id].write_bytes(b"weights of " + record.id.encode())
    place = uri or default_uri(folder)
    front = [{"config": records[0].config, "at": 31.0, "compression": 31.25}]
    summary = StudySummary(
        records[0].suite, records[0].task, "dwf-3", {}, front, versions={"torch": "2.15.0"}
    )
    publish_missing(records, place, folder, OWN, {}, on_problem=problems.append)
    count = publish_studies(
        [summary], place, folder, OWN, {}, records=records, models=files, on_problem=problems.append
    )
    return count, problems


def test_a_model_is_logged_with_its_file_metrics_data_and_run(
    folder: Path, tracker: Tracker, records: list[Record]
) -> None:
    assert publish(folder, records, records[:1]) == (1, [])
    experiment = tracker.experiment(records[0].suite, records[0].task)
    (model,) = tracker.models(experiment)
    run = tracker.present(experiment)[records[0].id]
    assert (model.name, str(model.status)) == ("dwf-3 c=31 seed 0", "READY")
    assert model.source_run_id == run.info.run_id
    assert model.params == {"depth": "3", "seed": "0", "trial": "0"}
    assert model.tags["version.torch"] == "2.15.0"
    linked = {metric.key: metric for metric in model.metrics or []}
    assert linked["eval/test_top1"].value == 0.875
    assert linked["cost/compression"].value == 31.25
    for metric in linked.values():
        assert (metric.run_id, metric.dataset_name) == (run.info.run_id, "digits")
        assert records[0].data_digest.startswith(metric.dataset_digest)
    (item,) = tracker.client.list_logged_model_artifacts(model.model_id)
    assert item.path == f"{records[0].id}.safetensors"
    stored = list((folder / "mlartifacts").rglob(item.path))
    assert [path.read_bytes() for path in stored] == [b"weights of " + records[0].id.encode()]
    assert not [path for path in (folder / "mlartifacts").rglob("*") if path.suffix in (".pkl", ".pickle")]
    # the runs name the model and the data; linking has not doubled a metric
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
    assert len(tracker.client.get_metric_history(run.info.run_id, "eval/test_top1")) == 1
    (study,) = tracker.runs(experiment, "study")
    for used in (run, study):
        (data,) = used.inputs.dataset_inputs
        assert (data.dataset.name, len(data.dataset.digest)) == ("digits", 36)
    assert study.data.tags["version.torch"] == "2.15.0"
    assert [output.model_id for output in study.outputs.model_outputs] == [model.model_id]
    assert study.data.tags["bench.model_at_31x"] == model.model_id
    assert f"/models/{model.model_id}?workflowType" in study.data.tags["mlflow.note.content"]


def test_publishing_twice_changes_nothing_and_a_new_front_replaces_the_old(
    folder: Path, tracker: Tracker, records: list[Record]
) -> None:
    experiment = tracker.experiment(records[0].suite, records[0].task)
    foreign = tracker.client.create_logged_model(
        experiment, "of another campaign", tags={"bench.id": records[0].id, "bench.campaign": "1" * 32}
    )
    plain = tracker.client.create_logged_model(experiment, "by hand", tags={"bench.id": records[0].id})
    others = {foreign.model_id, plain.model_id}

    def ours() -> dict[str, str]:
        everything = tracker.client.search_logged_models([experiment])
        found = {model.model_id: model.tags.get("bench.id", "") for model in everything}
        assert others <= found.keys(), "what is not this campaign's is left alone"
        return {identity: model for model, identity in found.items() if model not in others}

    assert publish(folder, records, records[:2]) == (1, [])
    first = ours()
    assert first.keys() == {record.id for record in records[:2]}
    assert publish(folder, records, records[:2]) == (1, [])
    assert ours() == first
    assert publish(folder, records, records[1:]) == (1, [])
    second = ours()
    assert second.keys() == {record.id for record in records[1:]}
    assert second[records[1].id] == first[records[1].id]
    # one that was not written to its end is written anew
    tracker.client.delete_logged_model(second[records[2].id])
    run = tracker.present(experiment)[records[2].id].info.run_id
    half = tracker.client.create_logged_model(
        experiment, "half", run, {"bench.id": records[2].id, "bench.campaign": OWN}
    )
    assert publish(folder, records, records[1:]) == (1, [])
    third = ours()
    assert third.keys() == second.keys()
    assert third[records[2].id] != half.model_id


def test_a_server_that_is_down_is_one_line(folder: Path, records: list[Record]) -> None:
    uri = f"http://127.0.0.1:{free_port('127.0.0.1', 0)}"
    count, problems = publish(folder, records, records[:1], uri)
    assert count == 0
    assert len(problems) == 2, "one for the trials, one for the studies"
    assert all("records.jsonl has everything" in problem for problem in problems)


def test_a_database_whose_maker_died_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(engine: Any) -> None:
        raise SystemExit("in the middle of MLflow's migrations")

    uri = default_uri(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr("mlflow.store.db.utils._upgrade_db", die)
        Tracker(uri, tmp_path, OWN)
    (tmp_path / ".mlflow-killed").mkdir()  # what a kill leaves
    assert Tracker(uri, tmp_path, OWN).client.search_experiments()
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
