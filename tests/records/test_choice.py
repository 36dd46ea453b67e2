"""The choice among the trainings of a search, on curves worked out by hand."""

from collections.abc import Callable
from itertools import permutations

import pytest
from sparsebench.records.choice import choose, points_of
from sparsebench.records.fields import CompressionPoint
from sparsebench.records.record import Record

Make = Callable[..., Record]
Curve = dict[float, tuple[float, int]]


@pytest.fixture
def trained(make_record: Make) -> Callable[..., Record]:
    """A search trial with (validation accuracy, nonzeros) by compression."""

    def make(number: int, curve: Curve, **more: object) -> Record:
        points = [CompressionPoint(at=c, val_accuracy=a, nonzeros=n, cut=True) for c, (a, n) in curve.items()]
        return make_record(number, at_compressions=points, compressions=tuple(curve), **more)

    return make


def test_the_best_on_validation_at_each_compression_whatever_it_aimed_at(
    trained: Callable[..., Record],
) -> None:
    search = [
        trained(0, {1: (0.98, 9), 4: (0.97, 4), 64: (0.40, 1)}, aim=64.0),
        trained(1, {1: (0.97, 9), 4: (0.96, 4), 64: (0.91, 1)}, aim=4.0),
    ]
    assert {c: r.trial for c, r in choose(search, (1, 4, 64)).items()} == {1: 0, 4: 0, 64: 1}
    assert choose(search, (1, 4, 64, 256)).keys() == {1, 4, 64}  # nothing was measured at 256
    assert choose([], (1, 4)) == {}


def test_ties_go_to_fewer_nonzeros_then_to_the_lower_number(trained: Callable[..., Record]) -> None:
    search = [
        trained(3, {4: (0.9, 3)}),
        trained(2, {4: (0.9, 3)}),
        trained(0, {4: (0.9, 4)}),
        trained(1, {4: (0.8, 1)}),
    ]
    for order in permutations(search):
        assert choose(order, (4,))[4].trial == 2


def test_equal_settings_stand_for_each_other(trained: Callable[..., Record]) -> None:
    """A confirmation repeats the settings: two trainings that share them would be confirmed by equal runs."""
    search = [
        trained(0, {4: (0.9, 4), 64: (0.5, 1)}, config="a"),
        trained(1, {4: (0.8, 4), 64: (0.6, 1)}, config="a"),
        trained(2, {4: (0.8, 4), 64: (0.1, 1)}, config="b"),
    ]
    assert {c: r.trial for c, r in choose(search, (4, 64)).items()} == {4: 0, 64: 0}
    other = [record.model_copy(update={"config": str(record.trial)}) for record in search]
    assert {c: r.trial for c, r in choose(other, (4, 64)).items()} == {4: 0, 64: 1}


def test_what_diverged_is_chosen_only_where_nothing_else_was_finished(trained: Callable[..., Record]) -> None:
    lost = [trained(number, {}, status="diverged", val_accuracy=0.1) for number in (0, 1)]
    failed = trained(2, {}, status="failed", val_accuracy=None)
    chance = trained(3, {4: (0.1, 4)})
    assert choose([*lost, failed, chance], (4,))[4].trial == 3
    assert choose([failed, *reversed(lost)], (4, 64)) == {4: lost[0], 64: lost[0]}
    assert choose([failed], (4,)) == {}


def test_points_are_found_by_their_compression(trained: Callable[..., Record]) -> None:
    assert points_of(trained(0, {1: (0.9, 9), 33.3: (0.8, 2)}))[33.3].nonzeros == 2
