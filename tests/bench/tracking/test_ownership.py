"""Several campaigns on one MLflow, a database and a server: each changes only what it has written."""

import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from sparsebench.bench.tracking.client import PLACE, SERVER, Tracker
from sparsebench.bench.tracking.publisher import StudySummary, default_uri, publish_missing, publish_studies
from sparsebench.bench.tracking.server import running
from sparsebench.records.record import Record

pytestmark = [
    # SQLAlchemy 2.1 deprecates a loader that MLflow 3.17 still names in its tables.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    pytest.mark.xdist_group("mlflow-ownership"),
]

A, B = "a" * 32, "b" * 32
Make = Callable[..., Record]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database that is nobody's own."""
    home = tmp_path_factory.mktemp("home")
    Tracker(default_uri(home), home, "0" * 32)
    return default_uri(home)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("server")
    Tracker(default_uri(home), home, "0" * 32)
    with running(home, 0) as started, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_TOKEN", started.token)
        yield started.address


@pytest.fixture(params=["database", "server"])
def uri(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def records(make_record: Make) -> list[Record]:
    """Three seeds of a point, in a suite of the test's own."""
    suite = uuid.uuid4().hex[:6]
    fields: dict[str, Any] = {"suite": suite, "phase": "confirm", "confirms": "a", "config": "a"}
    return [make_record(n, seed=n, id=f"{suite}-{n}", **fields) for n in range(3)]


def publish(campaign: str, folder: Path, uri: str, records: list[Record]) -> int:
    """Trials, one model and a study, as a campaign publishes them; returns the number of new trials."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    model = folder / "models" / f"{records[0].id}.safetensors"
    model.write_bytes(b"weights")
    problems: list[str] = []
    count = publish_missing(records, uri, folder, campaign, {}, on_problem=problems.append)
    summary = StudySummary(
        records[0].suite, records[0].task, "dense", {"hypervolume": 0.5}, [{"config": "a"}]
    )
    files = {records[0].id: model}
    publish_studies(
        [summary], uri, folder, campaign, {}, records=records, models=files, on_problem=problems.append
    )
    assert problems == []
    return count


def held(uri: str, suite: str, but: str = "") -> dict[str, Any]:
    """All that MLflow holds of a suite, deleted things too, but what a campaign has written."""
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client, found = MlflowClient(uri, uri), dict[str, Any]()
    experiments = client.search_experiments(ViewType.ALL, filter_string=f"name LIKE '{suite}%'")
    for one in experiments:
        found[one.experiment_id] = (one.name, one.lifecycle_stage, one.artifact_location, one.tags)
        for run in client.search_runs([one.experiment_id], run_view_type=ViewType.ALL):
            data = (run.data.tags, run.data.metrics, run.data.params)
            found[run.info.run_id] = (*data, run.info.status, run.info.lifecycle_stage, run.info.artifact_uri)
        for model in client.search_logged_models([one.experiment_id]):
            found[model.model_id] = (model.tags, str(model.status), model.artifact_location)
    return {key: value for key, value in found.items() if not but or f"'{but}'" not in str(value)}


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_campaigns_of_one_name_keep_all_of_their_own(
    uri: str, records: list[Record], tmp_path: Path
) -> None:
    suite, one, two = records[0].suite, tmp_path / "one", tmp_path / "two"
    assert publish(A, one, uri, records) == 3
    tracker = Tracker(uri, one, A)
    experiment = tracker.experiment(suite, records[0].task)
    tags = {"bench.kind": "trial", "bench.id": records[1].id, "bench.campaign": A}
    running_one = tracker.client.create_run(experiment, tags=tags).info.run_id  # as its driver would now
    first, lying = held(uri, suite), files(one)
    assert publish(B, two, uri, records) == 3
    assert publish(B, two, uri, records) == 0
    assert held(uri, suite, but=B) == first
    assert first[running_one][3] == "RUNNING"
    assert files(one) == lying
    # Each has its trials, its study and its model; a server's experiment is shared, a database's is not.
    other = Tracker(uri, two, B)
    theirs = other.experiment(suite, records[0].task)
    assert (theirs == experiment) == other.remote
    for mine, where in ((tracker, experiment), (other, theirs)):
        assert len(mine.runs(where, "study")) == len(mine.models(where)) == 1
    assert len(other.runs(theirs, "trial")) == 3
    second = held(uri, suite, but=A)
    assert publish(A, one, uri, records) == 0  # its own incomplete run is gone, and nothing else
    assert held(uri, suite, but=A) == second
    assert len(tracker.runs(experiment, "trial")) == 3
    if not other.remote:
        assert {value[-1].split("/mlartifacts")[0] for value in second.values() if len(value) == 6} == {
            two.as_uri()
        }


def test_a_model_that_somebody_has_registered_stays(
    database: str, records: list[Record], tmp_path: Path
) -> None:
    suite, folder = records[0].suite, tmp_path / "out"
    publish(A, folder, database, records)
    tracker = Tracker(database, folder, A)
    (model,) = tracker.models(tracker.experiment(suite, records[0].task))
    versions = {"mlflow.modelVersions": '[{"name": "theirs", "version": 1}]'}  # MLflow's pages set this
    tracker.client.set_logged_model_tags(model.model_id, versions)
    summary = StudySummary(suite, records[0].task, "dense", {})
    assert (
        publish_studies([summary], database, folder, A, {}, records=records, models={}) == 1
    )  # off the front
    assert [one.model_id for one in tracker.models(tracker.experiment(suite, records[0].task))] == [
        model.model_id
    ]


@pytest.mark.parametrize("kind", ["by other code", "deleted", "by an older version"])
def test_an_experiment_of_that_name_that_is_not_the_campaigns_is_left_alone(
    uri: str, records: list[Record], tmp_path: Path, kind: str
) -> None:
    from mlflow import MlflowClient

    client, suite = MlflowClient(uri, uri), records[0].suite
    tags = {PLACE: SERVER, "bench.campaign": A} if kind == "deleted" else {}
    tags |= {"mlflow.sharedViewState.sparsebench": "{}"} if kind == "by an older version" else {}
    name = f"{suite}: {records[0].task}"
    experiment = client.create_experiment(name, (tmp_path / "theirs").as_uri(), tags)
    for status in ("RUNNING", "FINISHED", "FAILED"):
        for what in ("trial", "study"):
            marks = {"bench.kind": what, "bench.id": records[0].id, "bench.entry": "dense"}
            run = client.create_run(experiment, tags=marks if kind != "by other code" else {}).info.run_id
            if status != "RUNNING":
                client.set_terminated(run, status)
    client.create_logged_model(experiment, "theirs", run, {"bench.id": records[0].id})
    if kind == "deleted":
        client.delete_experiment(experiment)
    before = held(uri, suite)
    assert publish(B, tmp_path / "out", uri, records) == 3
    assert publish(B, tmp_path / "out", uri, records) == 0
    assert held(uri, suite, but=B) == before
    assert not (tmp_path / "theirs").exists()
    own = client.get_experiment_by_name(f"{name} ({B[:8]})")
    assert own is not None and own.tags["bench.campaign"] == B


def test_an_experiment_that_two_create_at_once_is_made_once(
    uri: str, records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, task = records[0].suite, records[0].task
    trackers = [Tracker(uri, tmp_path / owner[0], owner) for owner in (A, B)]
    both, create, found = threading.Barrier(2), Tracker._create, dict[str, str]()

    def together(self: Tracker, name: str) -> Any:
        if name == f"{suite}: {task}":
            both.wait(60)  # neither has found it
        return create(self, name)

    def make(one: Tracker) -> None:
        found[one.campaign] = one.experiment(suite, task)

    monkeypatch.setattr(Tracker, "_create", together)
    threads = [threading.Thread(target=make, args=(one,)) for one in trackers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert len(found) == 2
    assert (found[A] == found[B]) == trackers[0].remote


def test_a_moved_folder_takes_its_artifacts_along_and_a_copy_leaves_them(
    database: str, records: list[Record], tmp_path: Path
) -> None:
    suite, before = records[0].suite, tmp_path / "before"
    publish(A, before, database, records[:2])
    shutil.copytree(before, tmp_path / "copy")
    moved = before.rename(tmp_path / "now here")
    assert publish(A, moved, database, records) == 1
    assert not before.exists()
    tracker = Tracker(database, moved, A)
    (experiment,) = [value for value in held(database, suite).values() if len(value) == 4]
    assert experiment[2] == (moved / "mlartifacts").as_uri()
    for run in tracker.runs(tracker.experiment(suite, records[0].task), "trial"):
        assert "record.json" in {item.path for item in tracker.client.list_artifacts(run.info.run_id)}
    (model,) = tracker.models(tracker.experiment(suite, records[0].task))
    stored = Path(url2pathname(urlsplit(model.artifact_location).path))  # MLflow's client caches its listing
    assert [path.read_bytes() for path in stored.iterdir()] == [b"weights"]
    # The copy is another campaign, here on the same database.
    first, lying = held(database, suite), files(moved)
    assert publish(B, tmp_path / "copy", database, records) == 3
    assert held(database, suite, but=B) == first
    assert files(moved) == lying
