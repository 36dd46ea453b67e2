"""The choice among the trainings of a search, on curves worked out by hand."""

from collections.abc import Callable
from itertools import permutations

import pytest
from sparsebench.records.choice import choose, chosen_at, points_of, settle
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


def test_the_confirming_runs_decide_among_what_the_search_chose(trained: Callable[..., Record]) -> None:
    """At 4 the search chose a training that diverges with another seed; at 64 its choice is confirmed."""
    lucky, sound = trained(0, {4: (0.97, 4), 64: (0.5, 1)}), trained(1, {4: (0.96, 4), 64: (0.6, 1)})
    chosen = choose([lucky, sound], (4, 64))
    assert {c: r.trial for c, r in chosen.items()} == {4: 0, 64: 1}
    lost = trained(9, {}, status="diverged", val_accuracy=0.1)
    failed = trained(9, {}, status="failed", val_accuracy=None)
    runs = {
        lucky.id: [trained(2, {4: (0.98, 4), 64: (0.55, 1)}), lost],  # means 0.54 and 0.325
        sound.id: [trained(3, {4: (0.94, 4), 64: (0.50, 1)}), failed],  # 0.94 and 0.5
    }
    assert {c: r.trial for c, r in settle(chosen, runs).items()} == {4: 1, 64: 1}
    assert settle(chosen, {lucky.id: runs[lucky.id]}) == dict.fromkeys((4, 64), lucky)  # alone confirmed
    assert settle(chosen, {}) == settle(chosen, {sound.id: [failed]}) == chosen


def test_equal_confirmations_leave_the_searchs_choice(trained: Callable[..., Record]) -> None:
    first, second = trained(0, {4: (0.97, 4), 64: (0.5, 1)}), trained(1, {4: (0.96, 4), 64: (0.6, 1)})
    chosen = choose([first, second], (4, 64))
    runs = {one.id: [trained(5 + n, {4: (0.9, 4), 64: (0.5, 1)})] for n, one in enumerate((first, second))}
    assert settle(chosen, runs) == chosen


def test_each_search_is_settled_by_its_own_runs(make_record: Make, trained: Callable[..., Record]) -> None:
    """Trainings and runs of two searches and two entries: what is shown at 1, 4 and 64, by id."""
    curves = {0: {1: (0.9, 9), 4: (0.97, 4), 64: (0.5, 1)}, 1: {1: (0.8, 9), 4: (0.96, 4), 64: (0.6, 1)}}
    records, expected = [], {}
    for entry, replicate in (("a", 0), ("a", 1), ("b", 0)):
        where, turned = {"entry": entry, "replicate": replicate}, replicate == 1
        search = [
            trained(n, curve, phase="search", id=f"{entry}{replicate}{n}", **where)
            for n, curve in curves.items()
        ]
        runs = [
            trained(9, curves[1 - n if turned else n], phase="confirm", confirms=one.id, **where)
            for n, one in enumerate(search)
        ]
        records += [*search, *runs]
        best, other = reversed(search) if turned else search
        expected |= {best.id: (1.0, 4.0), other.id: (64.0,)}
    assert chosen_at(records) == expected


def test_points_are_found_by_their_compression(trained: Callable[..., Record]) -> None:
    assert points_of(trained(0, {1: (0.9, 9), 33.3: (0.8, 2)}))[33.3].nonzeros == 2
