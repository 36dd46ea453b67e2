"""The questions of a search: anchors first, and the same ones however the answers arrive."""

import math
import random
from itertools import pairwise
from typing import Any

import optuna
import pytest
from sparsebench.bench.config.search_space import free_knobs, target_knob
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.search.optuna_search import Outcome, Search, in_early_cover
from sparsebench.bench.search.parameters import value_of
from sparsebench.methods.api import configure, registry
from sparsebench.methods.knobs import Knob

Questions = dict[int, dict[str, Any]]
COMPRESSIONS = (4.0, 16.0, 64.0, 256.0)
TARGETED = {name for name, cls in registry.items() if target_knob(cls)}


def search(method: str = "l1", trials: int = 16, key: str = "entry on task", seed: int = 0) -> Search:
    knobs = free_knobs(Recipe(), registry[method], {})
    target = target_knob(registry[method])
    knobs.pop(target or "", None)
    return Search(key, knobs, COMPRESSIONS, trials, 4, seed, targeted=target is not None)


def answer(number: int, values: dict[str, Any]) -> Outcome:
    """Accuracies at every compression, smooth in the values; one trial fails."""
    if number == 5:
        return None
    lr, lam = math.log10(values["lr"] / 0.05), math.log10(values.get("lam", 1e-4))
    return {c: 0.9 - abs(lr) / 10 - abs(lam + 6 - math.log10(c)) / 20 for c in (1.0, *COMPRESSIONS)}


def drive(asked: Search, order: random.Random | None = None) -> Questions:
    """Ask and tell to the end, the answers of a generation in any order."""
    everything: Questions = {}
    while not asked.done:
        questions = list(asked.ask().items())
        everything.update(questions)
        if order is not None:
            order.shuffle(questions)
        for number, values in questions:
            assert asked.ask() == {}  # nothing while a generation is out
            asked.tell(number, answer(number, values))
    return everything


def test_every_trial_is_asked_once_and_in_generations() -> None:
    asked = search(trials=10)
    assert list(asked.ask()) == [0, 1, 2, 3]
    assert sorted(drive(search(trials=10))) == list(range(10))
    assert len(search(trials=1).ask()) == 1


@pytest.mark.parametrize("count", range(1, 13))
def test_every_compression_has_an_aim_before_one_has_two(count: int) -> None:
    compressions = [2.0 ** (n + 1) for n in range(count)]
    order = in_early_cover(compressions)
    assert sorted(order) == compressions
    asked = Search("x", {}, compressions, trials=2 * count, generation=4, seed=0)
    aims = [asked.aim(number) for number in range(2 * count)]
    assert aims == 2 * order
    half = [compressions.index(c) for c in order[: math.ceil(count / 2)]]
    assert max(half, default=0) - min(half, default=0) >= count // 2 - 1  # the first half is no one end


def test_aims_of_five_compressions_begin_with_the_ends_and_the_middle() -> None:
    # Indices 000, 001, 010, 011, 100 read backwards are 0, 4, 2, 6, 1.
    assert in_early_cover([2.0, 4.0, 8.0, 16.0, 32.0]) == [2.0, 32.0, 8.0, 4.0, 16.0]


@pytest.mark.parametrize("method", sorted(registry))
def test_all_questions_are_within_the_knobs_bounds(method: str) -> None:
    asked = search(method, trials=12)
    recipe = {"lr", "weight_decay", "decay_budget"}
    for values in drive(asked).values():
        configure(method, {name: value for name, value in values.items() if name not in recipe})
        for name, value in values.items():
            knob = asked.knobs[name]
            assert value in knob.choices or isinstance(value, bool) or knob.low <= value <= knob.high


@pytest.mark.parametrize("trials", [1, 4, 16])
def test_a_penalty_is_anchored_the_stronger_the_larger_the_compression(trials: int) -> None:
    asked = search("l1", trials)
    questions = drive(asked)
    anchored = sorted((asked.aim(n), questions[n]["lam"]) for n in range(min(trials, 4)))
    knob = asked.knobs["lam"]
    assert knob.low is not None and knob.high is not None
    ratio = (knob.high / knob.low) ** (1 / 4)  # four parts of the range, an anchor in the middle of each
    for c, lam in anchored:
        expected = knob.low * ratio ** (COMPRESSIONS.index(c) + 0.5)
        assert lam == pytest.approx(expected, rel=1e-3)
    steps = [later / earlier for (_, earlier), (_, later) in pairwise(anchored)]
    assert all(step == pytest.approx(ratio, rel=1e-3) for step in steps) or trials == 1
    assert {questions[n]["lr"] for n in range(min(trials, 4))} == {asked.knobs["lr"].default}


@pytest.mark.parametrize("method", sorted(registry))
def test_start_up_is_an_anchor_for_each_compression_unless_all_would_be_the_same(method: str) -> None:
    asked = search(method)
    follows = method in TARGETED or any(knob.operating for knob in asked.knobs.values())
    assert len(asked.anchors) == (4 if follows else 1)
    names = [name for name, knob in asked.knobs.items() if not knob.operating]
    questions = drive(asked)
    for name in names:
        for number in range(len(asked.anchors)):
            assert questions[number][name] == asked.knobs[name].default


@pytest.mark.parametrize(("trials", "anchors"), [(12, 4), (16, 5), (24, 8), (60, 9)])
def test_of_nine_compressions_a_penalty_is_anchored_in_a_third_of_the_trials(
    trials: int, anchors: int
) -> None:
    """Every training shows all of them; a method with a target has to aim at each."""
    nine = [2.0**n for n in range(1, 10)]
    knob = Knob(0.1, low=1e-4, high=1.0, scale="log", operating=True)
    asked = Search("x", {"lam": knob}, nine, trials, 4, 0)
    found = sorted((asked.aim(n), anchor["lam"]) for n, anchor in enumerate(asked.anchors))
    assert len(found) == anchors and found[0][0] == 2.0
    assert [lam for _, lam in found] == pytest.approx(
        [10 ** (-4 + 4 * (n + 0.5) / anchors) for n in range(anchors)]
    )
    assert len(Search("x", {"lr": Knob(0.1, 0.01, 1.0)}, nine, trials, 4, 0, targeted=True).anchors) == 9


def test_an_operating_knob_of_whole_numbers_is_spread_too() -> None:
    asked = Search("x", {"k": Knob(3, low=1, high=8, operating=True)}, COMPRESSIONS, 4, 4, 0)
    assert {asked.aim(n): values["k"] for n, values in asked.ask().items()} == {4: 2, 16: 4, 64: 5, 256: 7}


def test_after_the_anchors_a_study_learns_from_what_all_trainings_show_at_its_compression() -> None:
    """One knob, whose best value is 10^-3 at compression 4 and 10^-1 at 256."""
    knob = Knob(1e-2, low=1e-5, high=1.0, scale="log", operating=True)
    asked = Search("x", {"lam": knob}, (4.0, 256.0), trials=40, generation=2, seed=0)
    late: dict[float, list[float]] = {4.0: [], 256.0: []}
    while not asked.done:
        for number, values in asked.ask().items():
            x = math.log10(values["lam"])
            asked.tell(number, {1.0: 0.9, 4.0: 0.9 - abs(x + 3) / 10, 256.0: 0.9 - abs(x + 1) / 10})
            if number >= 20:
                late[asked.aim(number)].append(x)
    for c, best in ((4.0, -3), (256.0, -1)):
        near = sum(abs(x - best) < 1 for x in late[c])
        assert near > len(late[c]) / 2, late[c]  # 0.4 of the range is that near


def test_the_questions_do_not_depend_on_the_order_of_the_answers() -> None:
    expected = drive(search())
    for seed in range(3):
        assert drive(search(), random.Random(seed)) == expected


def test_other_keys_and_seeds_ask_other_questions() -> None:
    expected = drive(search())
    assert drive(search(key="other on task")) != expected
    assert drive(search(seed=1)) != expected


@pytest.mark.parametrize("method", ["l1", "magnitude", "dense"])
def test_a_longer_search_begins_with_the_questions_of_a_shorter_one(method: str) -> None:
    longer = drive(search(method, trials=16))
    for trials in (2, 4, 8):
        shorter = drive(search(method, trials=trials))
        assert shorter == {number: longer[number] for number in range(trials)}


@pytest.mark.parametrize("known", [4, 8, 12])
def test_a_resumed_search_asks_the_same_questions(known: int) -> None:
    expected, first = {}, search()
    params: dict[int, dict[str, Any]] = {}
    while not first.done:
        questions = first.ask()
        params.update({number: first.params(number) for number in questions})
        for number, values in questions.items():
            first.tell(number, answer(number, values))
        expected.update(questions)
    resumed = search()
    for number in range(known):
        resumed.replay(params[number], answer(number, expected[number]))
    assert drive(resumed) == {n: values for n, values in expected.items() if n >= known}


def test_what_is_told_is_the_accuracy_at_the_aim_and_its_log_and_a_failure_is_told_too() -> None:
    asked = search()
    questions = drive(asked)
    assert len(questions) == 16
    told = asked.told
    assert [trial.state for trial in told] == asked.states
    for number, values in questions.items():
        expected = answer(number, values)
        if expected is None:
            assert told[number].state == optuna.trial.TrialState.FAIL
        else:
            aim = asked.aim(number)
            assert told[number].values == [expected[aim], pytest.approx(math.log10(aim))]
    assert [trial.state for trial in told].count(optuna.trial.TrialState.FAIL) == 1


def test_rounding_does_not_leave_the_range() -> None:
    third = Knob(0.5, 1 / 3, 2 / 3, minimum=1 / 3, maximum=2 / 3)
    assert value_of(third, 1 / 3) == 1 / 3
    assert value_of(third, 2 / 3) == 2 / 3
    assert value_of(third, 0.45678) == 0.4568
    density = Knob(0.9, 0.5, 0.987654321, "density")
    assert value_of(density, 1 / (1 - 0.987654321)) <= 0.987654321
    assert value_of(density, 10.0) == 0.9
