"""The interval of each number of a row, on points whose scatter is known."""

import math

import numpy as np
import pytest
import scipy.stats
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards, rows
from sparsebench.reports.analysis.front_intervals import accuracy_interval, within_interval
from sparsebench.reports.analysis.leaderboard import LeaderboardRow
from sparsebench.reports.analysis.points import Point
from synthetic_records import confirm

SEEDS = (11, 12, 13)


def dense() -> list[Record]:
    return [confirm("dense", "d", seed, 0.9, 1.0) for seed in SEEDS]


def point(name: str, accuracies: tuple[float, ...], ratios: tuple[float, ...], **more: float) -> list[Record]:
    return [
        confirm("l1", name, seed, y, ratio, **more)
        for seed, y, ratio in zip(SEEDS, accuracies, ratios, strict=True)
    ]


def row(records: list[Record]) -> LeaderboardRow:
    return next(r for r in rows([*dense(), *records]) if r.entry == "l1")


def points(records: list[Record]) -> list[Point]:
    return boards(records)[0].points["l1"]


def interval(numbers: list[float]) -> tuple[float, float]:
    low, high = scipy.stats.t.interval(0.95, len(numbers) - 1, np.mean(numbers), scipy.stats.sem(numbers))
    return float(low), float(high)


A, B = (0.88, 0.87, 0.89), (0.60, 0.64, 0.59)


def test_accuracy_between_two_points_is_that_of_each_seeds_own_line() -> None:
    """Where compression does not vary, seed j has the line through its own two accuracies."""
    made = points(point("a", A, (10.0,) * 3) + point("b", B, (100.0,) * 3))
    w = math.log10(32) - 1
    own = [(1 - w) * a + w * b for a, b in zip(A, B, strict=True)]
    assert accuracy_interval(made, 32) == pytest.approx(interval(own))
    assert accuracy_interval(made, 2) == pytest.approx(interval(list(A)))
    assert accuracy_interval(made, 100) == pytest.approx(interval(list(B)))
    assert accuracy_interval(made, 128) is None


def test_scatter_of_compression_widens_the_accuracy_between_points() -> None:
    steady = points(point("a", (0.9,) * 3, (10.0,) * 3) + point("b", (0.5,) * 3, (100.0,) * 3))
    loose = points(point("a", (0.9,) * 3, (9.0, 10.0, 10 / 0.9)) + point("b", (0.5,) * 3, (100.0,) * 3))
    low, high = accuracy_interval(steady, 32) or (0, 0)
    assert high - low == pytest.approx(0)
    low, high = accuracy_interval(loose, 32) or (0, 0)
    move = 0.4 * math.log10(10 / 9) * (1 - (math.log10(32) - 1))
    assert high - low == pytest.approx(2 * 4.3027 / math.sqrt(3) * move, rel=1e-3)


def test_within_goes_from_what_is_sure_to_what_is_possible() -> None:
    """Floor 0.85: a surely keeps it, b may, c cannot."""
    made = point("a", (0.88, 0.88, 0.881), (10.0,) * 3)
    made += point("b", (0.85, 0.83, 0.84), (50.0,) * 3)
    made += point("c", (0.60, 0.61, 0.60), (100.0,) * 3)
    found = row(made)
    assert found.within[0.05] == pytest.approx(10)
    assert found.within_interval[0.05] == pytest.approx((10, 50))
    assert within_interval(points(made), 0.99) == (1, 1)
    assert within_interval(points(made[:1]), 0.5) is None


def test_within_reaches_as_far_as_the_compression_of_its_points() -> None:
    made = points(point("a", (0.88, 0.88, 0.88), (9.0, 10.0, 11.0)))
    ends = interval([math.log10(c) for c in (9.0, 10.0, 11.0)])
    assert within_interval(made, 0.8) == pytest.approx([10**x for x in ends])


def test_within_reaches_no_further_than_the_sparsest_seed_beside_a_diverged_one() -> None:
    made = [confirm("l1", "a", 1, 0.88, 50.0), confirm("l1", "a", 2, 0.88, 60.0)]
    made.append(confirm("l1", "a", 3, 0.88, 60.0, status="diverged", compression=None, test_accuracy=None))
    found = within_interval(points(made), 0.3)
    assert found is not None and found.high == pytest.approx(60.0)


def test_a_dominated_point_of_one_seed_takes_no_interval_away() -> None:
    made = point("a", A, (10.0, 10.0, 10.0))
    with_poor = [*made, confirm("l1", "poor", 1, 0.2, 5.0)]
    assert within_interval(points(with_poor), 0.5) == within_interval(points(made), 0.5) is not None
    assert row(with_poor).hypervolume_interval == row(made).hypervolume_interval is not None
    assert row(with_poor).seeds == 3


def test_a_diverged_run_makes_no_method_cheap() -> None:
    made = [confirm("l1", "a", s, 0.9, 10.0, training_flops_ratio=1.0) for s in SEEDS]
    made.append(
        confirm("l1", "a", 9, 0.1, 1.0, status="diverged", test_accuracy=None, training_flops_ratio=0.1)
    )
    assert row(made).training_flops_ratio == row(made).training_flops_ratio_interval[0] == 1.0  # type: ignore[index]


def test_hypervolume_speedup_and_cost_of_a_row() -> None:
    made = []
    for seed, y, speed, flops in zip(SEEDS, A, (5.0, 6.0, 7.0), (0.4, 0.5, 0.6), strict=True):
        made.append(confirm("l1", "a", seed, y, 10.0, speedup=speed, training_flops_ratio=flops))
        made.append(confirm("l1", "b", seed, 0.3, 100.0, speedup=70.0, training_flops_ratio=flops + 0.2))
    found = row(made)
    volumes = [(y - 0.1) + 0.2 for y in A]
    assert found.hypervolume_raw_interval == pytest.approx(interval(volumes))
    assert found.hypervolume_interval == pytest.approx([end / 2.4 for end in interval(volumes)])
    assert found.best_accuracy_interval == pytest.approx(interval(list(A)))
    assert found.speedup == pytest.approx(6)
    assert found.speedup_interval == pytest.approx(interval([5.0, 6.0, 7.0]))
    assert found.training_flops_ratio_interval == pytest.approx(interval([0.5, 0.6, 0.7]))


def test_one_seed_and_validation_have_no_intervals() -> None:
    searched = confirm("l1", "s", 0, 0.0, 9.0, phase="search", test_accuracy=None, val_accuracy=0.85)
    twice = searched.model_copy(update={"id": "again", "seed": 1, "val_accuracy": 0.86})
    for records in ([confirm("l1", "a", 1, 0.88, 10.0)], [searched, twice]):
        found = row(records)
        assert found.hypervolume_interval is None and found.best_accuracy_interval is None
        assert set(found.accuracy_at_interval.values()) == {None}
        assert set(found.within_interval.values()) == {None}
        assert found.speedup_interval is None and found.training_flops_ratio_interval is None


def test_intervals_stay_within_what_is_possible() -> None:
    found = row(point("a", (0.999, 0.6, 0.999), (1.0, 1.5, 1.0)))
    assert found.best_accuracy_interval is not None and found.best_accuracy_interval.high <= 1
    assert found.hypervolume_raw_interval is not None and found.hypervolume_raw_interval.low >= 0


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_hypervolumes_interval_covers_the_true_fronts(seeds: int) -> None:
    """Four points of a known front, seeds with a common and an own part: cover 95% of 150 repetitions."""
    rng = np.random.default_rng(seeds)
    xs, ys = np.array([0.5, 1.0, 1.5, 2.0]), np.array([0.95, 0.93, 0.85, 0.6])
    truth = np.sum(np.diff(xs, prepend=0.0) * (ys - 0.1))
    hit = 0
    for _ in range(150):
        noise = rng.normal(0, 0.005, (seeds, 1)) + rng.normal(0, 0.01, (seeds, 4))
        records = [
            confirm("l1", f"p{i}", seed, float(ys[i] + noise[seed, i]), float(10 ** xs[i]))
            for i in range(4)
            for seed in range(seeds)
        ]
        low, high = rows(records)[0].hypervolume_raw_interval or (1, 0)
        hit += low <= truth <= high
    assert 0.90 <= hit / 150 <= 0.99
