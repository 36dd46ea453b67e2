"""What an entry's run in MLflow has of measured times: those of one machine, at one batch size."""

from dataclasses import replace
from pathlib import Path

import pytest
from latencies import MACHINE, made_up_latency
from sparsebench.bench.campaign.study_summary import study_summary
from sparsebench.bench.tracking.publisher import StudySummary
from sparsebench.records.measured.latency import Latency
from sparsebench.reports.analysis.boards import boards, with_latencies
from synthetic_records import campaign


def summary(*times: Latency) -> StudySummary:
    records = campaign({"dense": 9.0, "dwf-3": 2.2}, {"made_up": (0.1, 0.98)}, trials=4, seeds=3)
    (board,) = with_latencies(boards(records), times)
    point = board.points["dwf-3"][0]
    board = replace(board, points={**board.points, "dwf-3": [replace(point, at=c) for c in (8.0, 64.0)]})
    board = replace(board, compressions=(8.0, 64.0))
    return study_summary(board, board.row("dwf-3"), Path("nowhere"), "made-up")


def test_times_are_metrics_and_a_line_of_the_machine_that_measured_first_at_its_largest_batch() -> None:
    other = MACHINE.model_copy(update={"id": "ffffffff"})
    found = summary(
        made_up_latency("dwf-3", 64, 1),
        made_up_latency("dwf-3", 64, 64),
        made_up_latency("dense", 8, 64),
        made_up_latency("dwf-3", 8, 256, machine=other),
    )
    times = {name: value for name, value in found.metrics.items() if "latency" in name or "speedup" in name}
    assert times == {"latency_ms_at_64x": pytest.approx(0.04), "measured_speedup_at_64x": 2.5}
    assert [milliseconds for *_, milliseconds in found.line] == [None, pytest.approx(0.04)]
    assert found.facts["timed_on"] == MACHINE.title and found.facts["timed_batch"] == "64"


def test_an_entry_that_nobody_measured_has_no_times() -> None:
    found = summary(made_up_latency("dense", 64, 64))
    assert not [name for name in found.metrics if "latency" in name]
    assert not any(milliseconds for *_, milliseconds in found.line) and "timed_on" not in found.facts
