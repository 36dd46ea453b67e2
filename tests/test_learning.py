"""The rule of what has learned something, and chance on a board of old and new records."""

from collections.abc import Callable

import pytest
from sparsebench.learning import chance_of, chance_on, learned, least_accuracy
from sparsebench.records.record import Record

Make = Callable[..., Record]


@pytest.mark.parametrize(
    ("chance", "least"), [(0.5, 0.525), (0.001, 0.05095), (0.9, 0.905), (0.1, 0.145), (0.0, 0.05)]
)
def test_a_twentieth_of_the_way_from_chance_to_one_is_learning(chance: float, least: float) -> None:
    assert least_accuracy(chance) == pytest.approx(least)
    assert not learned(chance, chance) and not learned(least_accuracy(chance), chance)
    assert learned(least + 1e-6, chance)


def test_nothing_is_learned_of_a_single_class() -> None:
    assert not learned(1.0, 1.0)


def test_chance_is_the_share_of_the_split_that_an_accuracy_is_of(make_record: Make) -> None:
    one = make_record(classes=4, val_chance=0.7, test_chance=0.4)
    assert (chance_of(one, "validation"), chance_of(one, "test")) == (0.7, 0.4)
    assert chance_of(make_record(classes=None), "test") is None


def test_old_records_have_the_chance_of_new_ones_on_the_same_data(make_record: Make) -> None:
    old, search = make_record(classes=4), make_record(classes=4, val_chance=0.7)
    new = make_record(classes=4, val_chance=0.7, test_chance=0.4)
    for records in ([old, search, new], [new, search, old]):
        assert (chance_on(records, "validation"), chance_on(records, "test")) == (0.7, 0.4)
    assert chance_on([old, search], "test") == 0.25  # no test set was measured since
    assert chance_on([make_record(classes=None), make_record(classes=200)], "test") == pytest.approx(0.005)
    assert chance_on([make_record(classes=None)], "test") == 0
