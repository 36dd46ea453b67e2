"""What MLflow has of records with common compressions: metrics of trials, a line of each entry."""

import json
from pathlib import Path

import pytest
from sparsebench.bench.tracking.chart_view import (
    FRONTS,
    OVER_COMPRESSION,
    OVER_FLOPS,
    OVER_LATENCY,
    TAG,
    deflate,
    fronts_state,
)
from sparsebench.bench.tracking.client import Tracker
from sparsebench.bench.tracking.publisher import StudySummary, default_uri, publish_missing, publish_studies
from sparsebench.records.record import Record
from synthetic_records import record as made_up

pytestmark = [
    # SQLAlchemy 2.1 deprecates a loader that MLflow 3.17 still names in its tables.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
]

OWN = "0" * 32  # the id of the campaign in the fixture `tracker`


def measured(folder: Path) -> Record:
    """A record with three common compressions, published."""
    points = [
        {"at": c, "val_accuracy": 0.9 - c / 1000, "test_accuracy": 0.8, "nonzeros": 9, "cut": True}
        for c in (1, 4, 64)
    ]
    where = {"suite": "measured", "compressions": (4.0, 64.0), "at_compressions": points, "aim": 64.0}
    record = made_up(entry="dwf-3", method="dwf", replicate=1, **where)
    publish_missing([record], default_uri(folder), folder, OWN, {})
    return record


def test_what_was_measured_at_common_compressions_is_metrics(folder: Path, tracker: Tracker) -> None:
    record = measured(folder)
    (run,) = tracker.runs(tracker.experiment("measured", record.task), "trial")
    assert run.data.metrics["eval/val_top1_at_64x"] == pytest.approx(0.836)
    assert run.data.metrics["eval/test_top1_at_4x"] == 0.8
    assert (run.data.params["aim"], run.data.params["replicate"]) == ("64", "1")
    assert (run.data.tags["bench.aim"], run.data.tags["bench.replicate"]) == ("64", "1")


def test_an_entrys_front_is_the_history_of_metrics_that_the_saved_view_draws(
    folder: Path, tracker: Tracker
) -> None:
    record = measured(folder)
    experiment = tracker.experiment("measured", record.task)
    common, line = {4.0: 0.96, 100.0: 0.91}, [(0.96, 4.0, 2.0, None), (0.91, 100.0, None, 0.1)]
    summary = StudySummary("measured", record.task, "dwf-3", {"score": 0.9}, [{"id": record.id}],
                           line=line, common=common, accuracies=(0.9, 1.0))  # fmt: skip
    without_result = StudySummary("measured", record.task, "l1", {"failures": 3.0})
    uri = default_uri(folder)
    assert publish_studies([summary, without_result], uri, folder, OWN, {}, records=[record]) == 2
    study = next(run for run in tracker.runs(experiment, "study") if run.data.tags["bench.entry"] == "dwf-3")
    get, identity = tracker.client.get_metric_history, study.info.run_id
    assert {
        name: [(point.step, point.value) for point in get(identity, name)]
        for name in (*OVER_COMPRESSION, *OVER_FLOPS, *OVER_LATENCY)
    } == {
        OVER_COMPRESSION.accuracy: [(4, pytest.approx(96)), (100, pytest.approx(91))],
        OVER_COMPRESSION.over: [(4, pytest.approx(0.60206)), (100, 2.0)],
        OVER_FLOPS.accuracy: [(4, pytest.approx(96))],
        OVER_FLOPS.over: [(4, pytest.approx(0.30103))],
        OVER_LATENCY.accuracy: [(100, pytest.approx(91))],
        OVER_LATENCY.over: [(100, pytest.approx(-1))],
    }
    (run,) = tracker.runs(experiment, "trial")
    assert f"/runs/{run.info.run_id}?workflowType" in study.data.tags["mlflow.note.content"]
    saved = tracker.client.get_experiment(experiment).tags[TAG.format(FRONTS)]
    state = fronts_state(["acc/004x", "acc/100x", "summary/score"], (0.9, 1.0))
    assert json.loads(saved)["state"] == deflate(state)
    fronts = state["compareRunCharts"][0]
    assert (fronts["metricKey"], fronts["selectedXAxisMetricKey"]) == OVER_COMPRESSION
    assert (fronts["range"]["yMin"], fronts["range"]["yMax"]) == (90, 100)
