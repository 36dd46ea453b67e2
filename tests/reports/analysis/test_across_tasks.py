"""Ranks over tasks, against scipy, published tables and a small case by hand."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sparsebench.records.record import Record
from sparsebench.reports.analysis.across_tasks import (
    TasksComparison,
    _wilcoxon,
    compare_over_tasks,
    contestants,
    why_not_compared,
)
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.statistics.differences import holm
from synthetic_records import confirm, record

# Made-up hypervolume-like scores of four entries on seven tasks.
SCORES = np.array(
    [[.81, .78, .60, .55], [.70, .73, .52, .50], [.90, .80, .71, .40], [.66, .61, .62, .33],
     [.75, .71, .44, .47], [.88, .79, .65, .60], [.79, .77, .58, .52]]
)  # fmt: skip
ENTRIES = ("best", "good", "fair", "poor")


def made(scores: np.ndarray, entries: tuple[str, ...] = ENTRIES) -> list[Record]:
    """Each entry has one point at the task's cut-off, so that its accuracy orders the hypervolumes."""
    found = []
    for task, line in enumerate(scores):
        found += [confirm("dense", "d", s, 0.95, 1.0, dataset=f"set{task}") for s in (1, 2)]
        for entry, y in zip(entries, line, strict=True):
            found += [confirm(entry, "a", s, float(y), 1000.0, dataset=f"set{task}") for s in (1, 2)]
    return found


def result(scores: np.ndarray, entries: tuple[str, ...] = ENTRIES) -> TasksComparison:
    found = compare_over_tasks(boards(made(scores, entries)))
    assert found is not None
    return found


def test_ranks_and_friedman_are_scipys() -> None:
    found = result(SCORES)
    ranks = scipy.stats.rankdata(-SCORES, axis=1).mean(axis=0)
    assert [s.entry for s in found.standings] == list(ENTRIES)
    assert [s.mean_rank for s in found.standings] == pytest.approx(ranks)
    assert found.friedman == pytest.approx(scipy.stats.friedmanchisquare(*SCORES.T).pvalue)
    assert found.differ
    normal = (SCORES - 0.1) / 0.85
    assert [s.mean_merit for s in found.standings] == pytest.approx(normal.mean(axis=0))
    low, high = scipy.stats.t.interval(0.95, 6, normal[:, 0].mean(), scipy.stats.sem(normal[:, 0]))
    assert found.standings[0].interval == pytest.approx((low, high))


@pytest.mark.parametrize(("entries", "tasks", "expected"), [(4, 14, 1.25), (2, 10, 0.62), (5, 30, 1.11)])
def test_the_critical_difference_is_demsars(entries: int, tasks: int, expected: float) -> None:
    """k = 4, N = 14 is his worked example: 2.569·√(4·5/(6·14)) = 1.25; q = 1.960 for k = 2, 2.728 for 5."""
    rng = np.random.default_rng(0)
    scores = 0.2 + 0.6 * rng.random((tasks, entries))
    found = result(scores, tuple(f"e{i}" for i in range(entries)))
    assert found.critical_difference == pytest.approx(expected, abs=0.006)


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 9).flatmap(lambda tasks: st.lists(
    st.lists(st.integers(0, 6), min_size=tasks, max_size=tasks), min_size=2, max_size=5
)))  # fmt: skip
def test_all_pairs_at_once_are_wilcoxons_one_by_one(eighths: list[list[int]]) -> None:
    """Scores of a few eighths: columns that are equal, and gaps of equal size."""
    scores = np.array(eighths) / 8
    expected = []
    for i, j in zip(*np.triu_indices(len(scores), 1), strict=True):
        gaps = scores[i] - scores[j]
        expected.append(scipy.stats.wilcoxon(gaps[gaps != 0]).pvalue if gaps.any() else 1.0)
    assert _wilcoxon(scores) == pytest.approx(expected)


def test_pairs_are_wilcoxons_with_holm() -> None:
    found = result(SCORES)
    raw = [
        scipy.stats.wilcoxon(SCORES[:, ENTRIES.index(p.first)], SCORES[:, ENTRIES.index(p.second)]).pvalue
        for p in found.pairs
    ]
    assert [p.p for p in found.pairs] == pytest.approx(raw)
    assert [p.p_holm for p in found.pairs] == pytest.approx(holm(raw))
    assert len(found.pairs) == 6 and found.least_p == pytest.approx(6 * 2 / 2**7)
    assert min(p.p_holm for p in found.pairs) >= found.least_p - 1e-12
    assert not any(p.distinct for p in found.pairs)


def test_groups_are_runs_within_the_critical_difference() -> None:
    """k = 4, N = 7: the critical difference is 2.569·√(20/42) = 1.773; of 8/7 to 21/7 is 1.857, too far."""
    found = result(SCORES)
    assert found.critical_difference == pytest.approx(1.773, abs=1e-3)
    means = [s.mean_rank for s in found.standings]
    assert means == pytest.approx([8 / 7, 14 / 7, 21 / 7, 27 / 7])
    assert found.groups == (("best", "good"), ("good", "fair"), ("fair", "poor"))


def test_no_difference_is_one_group() -> None:
    turns = np.array([[0.5, 0.6, 0.7], [0.6, 0.7, 0.5], [0.7, 0.5, 0.6]] * 2)
    found = result(turns, ("a", "b", "c"))
    assert not found.differ and found.groups == (("a", "b", "c"),)
    same = result(np.full((6, 3), 0.5), ("a", "b", "c"))
    assert same.friedman == 1.0 and [s.mean_rank for s in same.standings] == [2, 2, 2]
    assert {p.p for p in same.pairs} == {1.0} and len(same.groups) == 1


def test_two_entries_are_compared_by_wilcoxon_alone() -> None:
    found = result(SCORES[:, :2], ("best", "good"))
    assert found.friedman is None and len(found.pairs) == 1
    assert found.differ == (found.pairs[0].p < 0.05)


def test_fewer_than_six_tasks_get_a_line_instead() -> None:
    few = boards(made(SCORES[:5]))
    assert compare_over_tasks(few) is None
    assert "5 tasks" in (why_not_compared(few) or "") and "from 6 on" in (why_not_compared(few) or "")
    assert "1 task," in (why_not_compared(boards(made(SCORES[:1]))) or "")
    assert why_not_compared(boards(made(SCORES[:6]))) is None


def test_an_entry_that_was_not_run_everywhere_is_left_out_and_named() -> None:
    records = [r for r in made(SCORES) if not (r.entry == "fair" and r.dataset == "set2")]
    found = compare_over_tasks(boards(records))
    assert found is not None and found.left_out == ("fair",)
    assert {s.entry for s in found.standings} == {"best", "good", "poor"}


def test_an_entry_whose_runs_all_failed_on_a_task_is_last_there() -> None:
    records = [r for r in made(SCORES) if not (r.entry == "best" and r.dataset == "set2")]
    records += [
        record(entry="best", method="best", dataset="set2", seed=s, status="failed", config="x")
        for s in (1, 2)
    ]
    found = compare_over_tasks(boards(records))
    assert found is not None and found.left_out == ()
    best = next(s for s in found.standings if s.entry == "best")
    assert best.ranks[2] == 4
    assert best.mean_merit == pytest.approx(((SCORES[:, 0] - 0.1).sum() - 0.8) / 0.85 / 7)


def test_validation_alone_is_not_compared() -> None:
    records = [
        r.model_copy(update={"phase": "search", "test_accuracy": None, "confirms": None})
        for r in made(SCORES)
    ]
    assert "confirmed" in (why_not_compared(boards(records)) or "")
    assert contestants(boards(made(SCORES)))[0] == tuple(sorted(ENTRIES))
