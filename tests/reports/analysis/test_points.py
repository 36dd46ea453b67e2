"""Seeds to points: what is counted, what is averaged, what is left out."""

import math
from statistics import stdev
from typing import Any

import pytest
from sparsebench.reports.analysis.grouping import by_task, confirmed, provisional, seed_result
from sparsebench.reports.analysis.points import Point
from synthetic_records import confirm, identity, record


def only(records: list[Any], chance: float = 0.1) -> Point:
    points, _ = confirmed(records, chance)
    assert len(points) == 1
    return points[0]


def test_accuracy_is_averaged_and_compression_geometrically() -> None:
    point = only([confirm("l1", "a", 1, 0.90, 10.0), confirm("l1", "a", 2, 0.94, 1000.0)])
    assert point.accuracy.mean == pytest.approx(0.92)
    assert point.accuracy.sd == pytest.approx(stdev([0.90, 0.94]))
    assert point.compression == pytest.approx(100)
    assert point.x.sd == pytest.approx(stdev([1, 3]))
    assert point.accuracy.n == 2


def test_one_seed_has_no_standard_deviation() -> None:
    assert only([confirm("l1", "a", 1, 0.9, 10.0)]).accuracy.sd is None


def test_a_diverged_seed_counts_as_chance_at_compression_one() -> None:
    records = [
        confirm("l1", "a", 1, 0.9, 100.0),
        confirm("l1", "a", 2, 0.99, 50.0, status="diverged"),
    ]
    point = only(records)
    assert point.accuracy.mean == pytest.approx((0.9 + 0.1) / 2)
    assert point.compression == pytest.approx(10)
    assert (point.diverged, point.collapses, point.failures) == (1, 0, 0)
    assert point.xy_exact == pytest.approx(point.xy)


def test_a_failed_seed_is_counted_and_in_no_mean() -> None:
    failed = confirm("l1", "a", 2, 0.9, 10.0, status="failed", test_accuracy=None, compression=None)
    point = only([confirm("l1", "a", 1, 0.8, 10.0), failed])
    assert point.accuracy.n == 1 and point.failures == 1
    points, failures = confirmed([failed], 0.1)
    assert points == [] and failures == {"l1": 1}


@pytest.mark.parametrize(
    ("accuracy", "layers", "collapsed"), [(0.145, [], True), (0.146, [], False), (0.9, ["fc1"], True)]
)
def test_collapse_of_an_old_record_is_an_empty_layer_or_an_accuracy_near_chance(
    accuracy: float, layers: list[str], collapsed: bool
) -> None:
    assert only([confirm("l1", "a", 1, accuracy, 10.0, collapsed_layers=layers)]).collapses == collapsed


@pytest.mark.parametrize("collapsed", [True, False])
def test_collapse_is_what_was_measured_whatever_layers_are_empty(collapsed: bool) -> None:
    record = confirm("l1", "a", 1, 0.9, 10.0, empty_layers=["shortcut"], collapsed=collapsed)
    assert only([record]).collapses == collapsed


def test_points_are_grouped_by_the_trial_they_repeat() -> None:
    records = [
        confirm("l1", "x", 1, 0.9, 10.0, confirms="t1"),
        confirm("l1", "y", 2, 0.9, 10.0, confirms="t1"),
        confirm("l1", "x", 3, 0.9, 10.0, confirms="t2"),
        confirm("dwf", "x", 1, 0.9, 10.0, confirms="t1"),
    ]
    points, _ = confirmed(records, 0.1)
    first, second = identity("t1"), identity("t2")
    assert {(p.entry, p.key, len(p.outcomes)) for p in points} == {
        ("dwf", first, 1), ("l1", first, 2), ("l1", second, 1),
    }  # fmt: skip
    loose = [confirm("l1", "x", seed, 0.9, 10.0, confirms=None) for seed in (1, 2)]
    assert only(loose).key == "x"


def test_the_exact_operating_point_is_kept_apart() -> None:
    given = {"threshold": 1e-3, "compression_exact": 2.0, "test_accuracy_exact": 0.95}
    point = only([confirm("dwf", "a", seed, 0.9, 50.0, **given) for seed in (1, 2)])
    assert point.xy == pytest.approx((math.log10(50), 0.9))
    assert point.xy_exact == pytest.approx((math.log10(2), 0.95))


def test_a_method_with_zeros_of_its_own_has_one_operating_point() -> None:
    point = only([confirm("random", "a", 1, 0.9, 50.0, threshold=0.0)])
    assert point.xy_exact == point.xy


def test_an_unknown_exact_point_is_not_guessed() -> None:
    point = only([confirm("dwf", "a", 1, 0.9, 50.0, threshold=1e-3)])
    assert point.xy_exact is None
    part = {"threshold": 1e-3, "compression_exact": 2.0, "test_accuracy_exact": 0.95}
    assert only([point.outcomes[0].record, confirm("dwf", "a", 2, 0.9, 50.0, **part)]).xy_exact is None


def test_cost_and_speedup_are_means() -> None:
    point = only([confirm("l1", "a", s, 0.9, 9.0, seconds=float(s), speedup=2.0 * s) for s in (1, 2)])
    assert point.mean_of(lambda r: r.seconds) == pytest.approx(1.5)
    assert point.speedup == pytest.approx(3.0)
    assert point.mean_of(lambda r: None) is None


def test_search_and_single_runs_give_validation_points_only() -> None:
    search = confirm("l1", "a", 0, 0.5, 10.0, phase="search", test_accuracy=None, val_accuracy=0.8)
    single = confirm("l1", "b", 0, 0.5, 20.0, phase="single", val_accuracy=0.7)
    points, _ = provisional([search, single], 0.1)
    assert [(p.source, p.accuracy.mean) for p in points] == [("validation", 0.8), ("validation", 0.7)]
    assert confirmed([search, single], 0.1) == ([], {})


def test_a_run_without_the_accuracy_asked_for_gives_no_outcome() -> None:
    assert seed_result(confirm("l1", "a", 1, 0.9, 10.0, test_accuracy=None), 0.1, "test") is None
    assert seed_result(confirm("l1", "a", 1, 0.9, 10.0, compression=None), 0.1, "test") is None


def test_a_retried_failure_is_superseded() -> None:
    bad = record(id="same", status="failed", dataset="d")
    good = confirm("random", "c0", 0, 0.9, 10.0, id="same", dataset="d")
    assert by_task([bad, good]) == {"d-net": [good]}
