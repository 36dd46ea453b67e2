"""What MLflow has of records with common compressions: metrics of trials, a line of each entry."""

from pathlib import Path

import pytest
from sparsebench.bench.tracking.chart_view import OVER_COMPRESSION, page_state
from sparsebench.bench.tracking.client import Tracker
from sparsebench.bench.tracking.publisher import StudySummary, default_uri, publish_missing, publish_studies
from synthetic_records import record as made_up

pytestmark = [
    # SQLAlchemy 2.1 deprecates a loader that MLflow 3.17 still names in its tables.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
]

OWN = "0" * 32  # the id of the campaign in the fixture `tracker`


def test_what_was_measured_at_common_compressions_is_metrics_and_a_line(
    folder: Path, tracker: Tracker
) -> None:
    points = [
        {"at": c, "val_accuracy": 0.9 - c / 1000, "test_accuracy": 0.8, "nonzeros": 9, "cut": True}
        for c in (1, 4, 64)
    ]
    where = {"suite": "measured", "compressions": (4.0, 64.0), "at_compressions": points, "aim": 64.0}
    record, uri = made_up(entry="dwf-3", method="dwf", replicate=1, **where), default_uri(folder)
    publish_missing([record], uri, folder, OWN, {})
    experiment = tracker.experiment("measured", record.task)
    (run,) = tracker.runs(experiment, "trial")
    assert run.data.metrics["eval/val_top1_at_64x"] == pytest.approx(0.836)
    assert run.data.metrics["eval/test_top1_at_4x"] == 0.8
    assert (run.data.params["aim"], run.data.params["replicate"]) == ("64", "1")
    assert (run.data.tags["bench.aim"], run.data.tags["bench.replicate"]) == ("64", "1")
    line = {4.0: 0.96, 64.0: 0.91}
    summary = StudySummary("measured", record.task, "dwf-3", {"score": 0.9}, [{"id": record.id}],
                           over_compression=line)  # fmt: skip
    assert publish_studies([summary], uri, folder, OWN, {}, records=[record]) == 1
    (study,) = tracker.runs(experiment, "study")
    history = tracker.client.get_metric_history(study.info.run_id, OVER_COMPRESSION)
    assert {point.step: point.value for point in history} == line
    assert f"/runs/{run.info.run_id}?workflowType" in study.data.tags["mlflow.note.content"]
    (chart,) = (one for one in page_state()["compareRunCharts"] if one["type"] == "LINE")
    assert chart["metricKey"] == OVER_COMPRESSION and chart["xAxisScaleType"] == "log"
