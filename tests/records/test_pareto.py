"""Fronts and the numbers read off them, against definitions written a second way."""

import math
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparsebench.records.pareto import (
    accuracy_at,
    compression_at,
    front,
    hypervolume,
    normalised_hypervolume,
    spread,
)

ORACLE = [(0.0, 0.98), (1.0, 0.97), (2.0, 0.9), (1.5, 0.8)]

# Coarse grids make equal coordinates and duplicates common.
xs = st.integers(0, 16).map(lambda i: i / 4) | st.floats(0, 4)
ys = st.integers(0, 10).map(lambda i: i / 10) | st.floats(0, 1)
tenths = st.integers(0, 40).map(lambda i: i / 10)
clouds = st.lists(st.tuples(xs, ys), max_size=14)


def dominated(point: tuple[float, float], by: tuple[float, float]) -> bool:
    return by[0] >= point[0] and by[1] >= point[1] and by != point


def area_of_cells(points: list[tuple[float, float]], floor: float, x_max: float) -> float:
    """The dominated area, cell by cell of the grid that the points' coordinates span."""
    clipped = [(min(x, x_max), y) for x, y in points]
    columns = sorted({0.0, *(x for x, _ in clipped)})
    levels = sorted({floor, *(y for _, y in clipped if y > floor)})
    total = 0.0
    for left, right in pairwise(columns):
        for low, high in pairwise(levels):
            if any(x >= right and y >= high for x, y in clipped):
                total += (right - left) * (high - low)
    return total


def test_the_oracle() -> None:
    assert hypervolume(ORACLE, (0, 0.1), 3) == pytest.approx(1.67)
    assert front(ORACLE) == [(0.0, 0.98), (1.0, 0.97), (2.0, 0.9)]
    assert normalised_hypervolume(ORACLE, 0.1, 0.98) == pytest.approx(1.67 / (3 * 0.88))


@given(clouds)
def test_the_front_is_what_no_other_point_dominates(points: list[tuple[float, float]]) -> None:
    kept = front(points)
    expected = {p for p in points if not any(dominated(p, q) for q in points)}
    assert set(kept) == expected and len(kept) == len(expected)
    assert kept == sorted(kept)
    assert [y for _, y in kept] == sorted((y for _, y in kept), reverse=True)
    assert front(kept) == kept


def test_the_first_of_equal_points_is_kept() -> None:
    items = [("a", 1.0, 0.5), ("b", 1.0, 0.5), ("c", 1.0, 0.4)]
    assert front(items, lambda item: (item[1], item[2])) == [("a", 1.0, 0.5)]


@given(clouds, st.floats(0, 0.9), st.sampled_from([1.0, 2.5, 3.0]))
def test_hypervolume_is_the_area_counted_cell_by_cell(
    points: list[tuple[float, float]], chance: float, x_max: float
) -> None:
    area = hypervolume(points, (0.0, chance), x_max)
    assert area == pytest.approx(area_of_cells(points, chance, x_max), abs=1e-9)
    assert 0 <= area <= x_max * (1 - chance) + 1e-12


@given(clouds, st.tuples(xs, ys))
def test_a_further_point_never_shrinks_the_hypervolume(
    points: list[tuple[float, float]], more: tuple[float, float]
) -> None:
    before = hypervolume(points, (0, 0.1))
    after = hypervolume([*points, more], (0, 0.1))
    assert after >= before - 1e-12
    if any(dominated(more, p) for p in points):
        assert after == pytest.approx(before, abs=1e-12)


def test_points_no_better_than_the_reference_cover_nothing() -> None:
    assert hypervolume([(2.0, 0.1), (0.0, 1.0), (-1.0, 1.0)], (0, 0.1)) == 0
    assert hypervolume([]) == 0


@pytest.mark.parametrize("dense", [None, 0.1, 0.05])
def test_nothing_to_normalise_by_is_no_hypervolume(
    dense: float | None,
) -> None:
    assert normalised_hypervolume(ORACLE, 0.1, dense) is None


def cost(chosen: list[float], targets: list[float]) -> float:
    return sum((x - t) ** 2 for x, t in zip(chosen, targets, strict=True))


@settings(max_examples=150)
@given(
    st.lists(st.integers(0, 40).map(lambda i: i / 10), min_size=2, max_size=9, unique=True), st.integers(2, 6)
)
def test_spread_is_the_best_choice_of_all(at: list[float], k: int) -> None:
    points = sorted((x, 1 - x / 10) for x in at)
    chosen = spread(points, k)
    assert chosen == spread(points[::-1], k)
    assert len(chosen) == min(k, len(points))
    assert chosen[0] == points[0] and chosen[-1] == points[-1]
    if len(points) > k:
        targets = [points[0][0] + i * (points[-1][0] - points[0][0]) / (k - 1) for i in range(k)]
        every = [
            [points[0][0], *(p[0] for p in inner), points[-1][0]]
            for inner in combinations(points[1:-1], k - 2)
        ]
        best = min(cost(one, targets) for one in every)
        assert cost([x for x, _ in chosen], targets) == pytest.approx(best, abs=1e-9)


def test_spread_at_its_edges() -> None:
    line = [(0.0, 0.9), (0.4, 0.8), (1.0, 0.7)]
    assert spread(line, 1) == [(0.4, 0.8)]
    assert spread(line, 0) == [] and spread([], 3) == [] and spread(line, 5) == line
    assert spread(["aa", "b", "ccc"], 2, lambda s: (len(s), 0.5)) == ["b", "ccc"]


def test_accuracy_is_linear_in_log_compression() -> None:
    assert accuracy_at(ORACLE, 10**1.5) == pytest.approx((0.97 + 0.9) / 2)
    assert accuracy_at(ORACLE, 10) == pytest.approx(0.97)
    assert accuracy_at(ORACLE, 100) == pytest.approx(0.9)
    assert accuracy_at(ORACLE, 101) is None
    assert accuracy_at([(1.0, 0.9), (2.0, 0.5)], 2) == 0.9
    assert accuracy_at([], 2) is None


@given(clouds.filter(bool), st.floats(1, 1e4))
def test_accuracy_at_lies_between_the_fronts_ends_and_never_rises(
    points: list[tuple[float, float]], compression: float
) -> None:
    line = front(points)
    found = accuracy_at(points, compression)
    if found is None:
        assert math.log10(compression) > line[-1][0]
    else:
        assert line[-1][1] - 1e-12 <= found <= line[0][1] + 1e-12
        nearer = accuracy_at(points, max(1.0, compression / 2))
        assert nearer is not None and nearer >= found - 1e-12


def test_compression_at_takes_measured_points_only() -> None:
    assert compression_at(ORACLE, 0.95) == pytest.approx(10)
    assert compression_at(ORACLE, 0.9) == pytest.approx(100)
    assert compression_at(ORACLE, 0.99) is None
    assert 0.96 - 0.05 > 0.91 - 1e-15, "floating point, the reason for the slack"
    assert compression_at([(1.0, 0.88)], 0.98 - 0.1) == pytest.approx(10)


@given(clouds, ys)
def test_compression_at_is_the_largest_by_definition(points: list[tuple[float, float]], floor: float) -> None:
    good = [x for x, y in points if y >= floor - 1e-9]
    found = compression_at(points, floor)
    assert found == (pytest.approx(10 ** max(good)) if good else None)
