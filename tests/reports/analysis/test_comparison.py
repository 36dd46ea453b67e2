"""Intervals and comparisons, against scipy, against numbers worked by hand, and against what they promise."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.analysis.pairwise import compare_pairs, pairs_summary
from sparsebench.reports.analysis.replicates import replicates
from sparsebench.reports.statistics.differences import difference, holm
from sparsebench.reports.statistics.intervals import quantile, t_interval
from synthetic_records import confirm

values = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=2, max_size=6)


def numbered(numbers: list[float], first: int = 0) -> dict[int, float]:
    return {first + i: number for i, number in enumerate(numbers)}


@given(values)
def test_the_interval_is_scipys(numbers: list[float]) -> None:
    found = t_interval(numbers)
    assert found is not None
    error = scipy.stats.sem(numbers)
    if error > 1e-9:
        expected = scipy.stats.t.interval(0.95, len(numbers) - 1, np.mean(numbers), error)
        assert found == pytest.approx(tuple(expected), abs=1e-9)
    else:
        assert found == pytest.approx((np.mean(numbers), np.mean(numbers)))


def test_three_seeds_by_hand() -> None:
    """Mean 2, s = 1, t(0.975, 2) = 4.303: the half width is 4.303/√3 = 2.484."""
    assert quantile(2) == pytest.approx(4.303, abs=5e-4)
    assert t_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 2.484, 2 + 2.484), abs=1e-3)
    assert t_interval([1.0, 2.0, 3.0], centre=5.0, least=4.0) == pytest.approx((4.0, 7.484), abs=1e-3)
    assert t_interval([1.0]) is None


@pytest.mark.parametrize("seeds", [3, 4, 5])
def test_the_interval_covers_what_it_says_and_a_bootstrap_does_not(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    draws = rng.normal(0.9, 0.01, (4000, seeds))
    half = quantile(seeds - 1) * draws.std(axis=1, ddof=1) / np.sqrt(seeds)
    covered = np.abs(draws.mean(axis=1) - 0.9) <= half
    assert covered.mean() == pytest.approx(0.95, abs=0.012)
    again = rng.integers(0, seeds, (500, seeds))
    means = draws[:400][:, again].mean(axis=2)
    low, high = np.percentile(means, [2.5, 97.5], axis=1)
    assert ((low <= 0.9) & (high >= 0.9)).mean() < 0.9


@given(values, values)
def test_welch_is_scipys(first: list[float], second: list[float]) -> None:
    found = difference(numbered(first), numbered(second, first=100))
    if max(np.var(first), np.var(second)) == 0:
        assert (found is None) == (first[0] != second[0])
        return
    assert found is not None and found.kind == "welch"
    if min(np.var(first), np.var(second)) > 1e-6:
        test = scipy.stats.ttest_ind(first, second, equal_var=False)
        assert found.p == pytest.approx(test.pvalue, abs=1e-6)
        low, high = test.confidence_interval(0.95)
        assert found.interval == pytest.approx((low, high), rel=1e-6, abs=1e-6)


@given(values)
def test_pairs_with_the_same_seeds_are_scipys(first: list[float]) -> None:
    second = [x + 0.1 * (i % 3) + 0.05 for i, x in enumerate(first)]
    found = difference(numbered(first), numbered(second))
    assert found is not None and found.kind == "paired" and found.seeds == len(first)
    if len(first) > 2:
        test = scipy.stats.ttest_rel(first, second)
        assert found.p == pytest.approx(test.pvalue, abs=1e-6)
        assert found.interval == pytest.approx(tuple(test.confidence_interval(0.95)), abs=1e-6)
        assert found.distinct == (test.pvalue < 0.05)


def test_differences_at_the_edges() -> None:
    assert difference({1: 0.5}, {1: 0.5}) is None
    same = difference({1: 1.0, 2: 1.0}, {1: 1.0, 2: 1.0})
    assert same is not None and not same.distinct and same.p == 1
    assert difference({1: 1.0, 2: 1.0}, {7: 1.1, 8: 1.1}) is None
    assert difference({1: 0.5, 2: 0.7}, {1: 0.25, 2: 0.45}) is None  # no certainty from equal gaps


def test_ahead_says_which_way() -> None:
    low, high = {1: 0.50, 2: 0.51, 3: 0.52}, {1: 0.60, 2: 0.61, 3: 0.63}
    for first, second, ahead in ((high, low, True), (low, high, False)):
        found = difference(first, second)
        assert found is not None and found.distinct and found.ahead == ahead


def test_pairing_takes_out_what_two_entries_share() -> None:
    """A seed that is hard for both: the difference is sure although each entry scatters."""
    first, second = {1: 0.50, 2: 0.70, 3: 0.90}, {1: 0.39, 2: 0.60, 3: 0.79}
    paired = difference(first, second)
    apart = difference(first, {seed + 10: v for seed, v in second.items()})
    assert paired is not None and paired.distinct
    assert apart is not None and not apart.distinct


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.6, 0.7]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2))
def test_holm_rejects_what_the_step_down_procedure_rejects(ps: list[float], level: float) -> None:
    rejected: set[int] = set()
    for step, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        if ps[index] * (len(ps) - step) > level:
            break
        rejected.add(index)
    assert {i for i, p in enumerate(holm(ps)) if p <= level} == rejected


def test_replicates_share_a_seed_where_they_can() -> None:
    def volumes(seeds: list[list[int]], slope: float = 0.1) -> dict[int, float]:
        records = [
            confirm("l1", f"p{i}", seed, 0.6 + seed / 100 - slope * i, 10.0 ** (i + 1))
            for i, some in enumerate(seeds)
            for seed in some
        ]
        return replicates(boards(records)[0].points["l1"])

    assert volumes([[1, 2, 3], [1, 2, 3]]) == pytest.approx({1: 0.92, 2: 0.94, 3: 0.96})
    assert set(volumes([[1, 2, 3], [2, 3]])) == {2, 3}
    mixed = volumes([[1, 2], [3, 4]])
    assert mixed == pytest.approx({-1: 0.51 + 0.43, -2: 0.52 + 0.44})
    assert volumes([[1], [1, 2, 3]], slope=-0.1) == pytest.approx({1: 1.22, 2: 1.24, 3: 1.26})  # dominated


def test_all_pairs_of_a_task_with_their_correction() -> None:
    shakes = {"first": (0, 2, 1), "second": (2, 0, 1), "third": (0, 1, 2)}
    means = {"first": 0.88, "second": 0.87, "third": 0.50}
    records = [confirm("dense", "d", s, 0.9, 1.0) for s in (1, 2, 3)]
    for entry, shake in shakes.items():
        records += [confirm(entry, "a", s + 1, means[entry] + 0.01 * d, 100.0) for s, d in enumerate(shake)]
    found = compare_pairs(boards(records)[0])
    assert [(p.first, p.second) for p in found] == [
        ("first", "second"), ("first", "third"), ("second", "third"),
    ]  # fmt: skip
    assert [p.kind for p in found] == ["paired"] * 3
    one = [0.88, 0.90, 0.89]
    two = [0.89, 0.87, 0.88]
    test = scipy.stats.ttest_rel(one, two)
    assert found[0].p == pytest.approx(test.pvalue) and found[0].verdict == "not distinguishable"
    unit = 3 * (0.9 - 0.1)
    assert found[0].difference == pytest.approx(2 * 0.01 / unit)
    assert found[0].interval == pytest.approx([2 * end / unit for end in test.confidence_interval(0.95)])
    assert [p.p_holm for p in found] == pytest.approx(holm([p.p for p in found]))
    assert "1 are not distinguishable" in pairs_summary(found) and pairs_summary([]) == ""
