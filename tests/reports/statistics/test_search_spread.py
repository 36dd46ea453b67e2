"""What a board of one search says of another search, by hand and for the shipped measurements."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from curve_records import C, confirmed, dense, trained
from scipy.stats import t as student
from sparsebench.bench.config.suite import load_suite
from sparsebench.datasets.api import full_batches, open_dataset
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.statistics import search_spread
from sparsebench.reports.statistics.intervals import Interval
from sparsebench.reports.statistics.search_spread import MEASURED, SearchSpread, budget_of, search_spreads
from sparsebench.reports.tables import notes

SPREADS = {"near": 0.03, "top": 0.04}


def campaign(searches: int = 1) -> list[Record]:
    """Three entries whose seeds nearly agree: scores of top 0.75, near 0.65 and far 0.25."""
    found = dense(searches)
    for k in range(searches):
        for entry, test, noise in (("top", 0.7, 1e-4), ("near", 0.62, 3e-4), ("far", 0.3, 0.0)):
            found.append(trained(entry, 0, (0.9, 0.8, 0.5), k))
            found += [
                confirmed(entry, 0, 900 + 10 * k + n, (0.9, test + n * noise, test), k) for n in range(2)
            ]
    return found


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    known = {**budget_of(campaign(), C), "searches": 4, "score_sd": SPREADS}
    monkeypatch.setattr(search_spread, "_measured", lambda: (known,))
    yield known


def test_intervals_pairs_and_ties_of_one_search_cover_the_search(measured: dict[str, Any]) -> None:
    assert measured["seeds"] == 2 and measured["trials"] == 1
    board = boards(campaign())[0]
    assert board.spreads["far"] == SearchSpread(pytest.approx(math.sqrt((0.03**2 + 0.04**2) / 2)), 4)
    top = board.row("top")
    assert top.score is not None and top.score_interval is not None
    assert top.score_interval.high - top.score == pytest.approx(student.ppf(0.975, 3) * 0.04)
    pairs = {(pair.first, pair.second): pair for pair in board.pairs}
    near = pairs["top", "near"]  # 0.1 apart, 0.12 are needed
    assert near.interval.high - near.difference == pytest.approx(student.ppf(0.975, 6) * 0.05)
    assert near.p == pytest.approx(2 * student.sf(near.difference / 0.05, 6))
    assert not near.distinct and pairs["near", "far"].distinct
    assert [board.row(entry).tied for entry in ("near", "far")] == [True, False]
    assert "was measured beforehand" in notes.ties(board)


def test_without_what_was_measured_they_cover_retraining_alone(measured: dict[str, Any]) -> None:
    for name, other in {"steps": 7, "trials": 9, "seeds": 5, "task": "x", "compressions": [4.0]}.items():
        own = measured[name]
        measured[name] = other
        board = boards(campaign())[0]
        assert board.spreads == {} and board.row("near").tied is False
        assert "not the search" in notes.ties(board)
        measured[name] = own
    assert search_spreads(campaign(), C)


def test_several_searches_speak_for_themselves(measured: dict[str, Any]) -> None:
    assert boards(campaign(searches=2))[0].spreads == {}


def test_retraining_that_is_less_certain_keeps_its_interval() -> None:
    spread = SearchSpread(0.001, 4)
    assert spread.widen(Interval(0.1, 0.9), 0.5) == Interval(0.1, 0.9)
    assert spread.widen(None, 0.5) is None


def test_the_shipped_measurement_is_that_of_the_quick_start() -> None:
    quick = load_suite("quickstart")
    task = quick.tasks[0]
    images = len(open_dataset(task.dataset).train)
    (known,) = (one for one in json.loads(MEASURED.read_text()) if one["task"] == task.name)
    assert known["compressions"] == list(quick.budget.compressions)
    assert (known["trials"], known["seeds"]) == (quick.budget.trials, quick.budget.seeds)
    assert known["steps"] == task.recipe.epochs * full_batches(images, task.recipe.batch_size)
    assert set(known["score_sd"]) == {entry.label for entry in quick.entries} - {"dense"}
