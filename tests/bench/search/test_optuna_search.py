"""The questions of a search: anchors first, and the same ones however the answers arrive."""

import math
import random
from itertools import pairwise
from typing import Any

import optuna
import pytest
from sparsebench.bench.config.search_space import free_knobs
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.search.optuna_search import Search, value_of
from sparsebench.methods.api import configure, knobs_of, registry
from sparsebench.methods.knobs import Knob

Questions = dict[int, dict[str, Any]]


def search(method: str = "magnitude", trials: int = 16, key: str = "entry on task", seed: int = 0) -> Search:
    return Search(key, free_knobs(Recipe(), registry[method], {}), trials, 4, seed)


def answer(number: int, values: dict[str, Any]) -> tuple[float, float] | None:
    """Something smooth of the values; one trial fails."""
    if number == 5:
        return None
    sparsity, lr = values.get("sparsity", 0.5), values["lr"]
    return 0.9 - abs(math.log10(lr / 0.05)) / 10 - sparsity**8 / 4, -math.log10(1 - sparsity)


def drive(asked: Search, order: random.Random | None = None, until: int | None = None) -> Questions:
    """Ask and tell to the end (or so many trials), the answers of a generation in any order."""
    everything: Questions = {}
    while not asked.done and (until is None or len(everything) < until):
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


@pytest.mark.parametrize("method", sorted(registry))
def test_all_questions_are_within_the_knobs_bounds(method: str) -> None:
    asked = search(method, trials=12)
    recipe = {"lr", "weight_decay"}
    for values in drive(asked).values():
        configure(method, {name: value for name, value in values.items() if name not in recipe})
        for name, value in values.items():
            knob = asked.knobs[name]
            assert value in knob.choices or isinstance(value, bool) or knob.low <= value <= knob.high


@pytest.mark.parametrize("trials", [6, 12, 16, 64])
def test_anchors_cover_the_front_from_compression_2_to_100(trials: int) -> None:
    asked = search("magnitude", trials)
    questions = drive(asked, until=4 * math.ceil(len(asked.anchors) / 4))
    anchored = [1 / (1 - questions[n]["sparsity"]) for n in range(len(asked.anchors))]
    assert len(anchored) == min(8, math.ceil(trials / 2))
    assert anchored == sorted(anchored)
    assert anchored[0] <= 6
    assert anchored[-1] >= 100
    steps = [later / earlier for earlier, later in pairwise(anchored)]
    assert max(steps) == pytest.approx(min(steps), rel=0.01)  # evenly over log compression
    for name in ("lr", "weight_decay", "finetune"):
        assert {questions[n][name] for n in range(len(anchored))} == {asked.knobs[name].default}


def test_methods_with_a_strength_are_anchored_over_its_range() -> None:
    for name, cls in registry.items():
        operating = [knob for knob in knobs_of(cls).values() if knob.operating and knob.free]
        assert len(search(name, 16).anchors) == (8 if operating else 1), name


def test_the_questions_do_not_depend_on_the_order_of_the_answers() -> None:
    expected = drive(search())
    for seed in range(3):
        assert drive(search(), random.Random(seed)) == expected


def test_other_keys_and_seeds_ask_other_questions() -> None:
    expected = drive(search())
    assert drive(search(key="other on task")) != expected
    assert drive(search(seed=1)) != expected


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


def test_a_failure_is_told_and_the_search_goes_on() -> None:
    asked = search()
    assert len(drive(asked)) == 16
    states = [trial.state for trial in asked.told]
    assert states.count(optuna.trial.TrialState.FAIL) == 1
    assert states[5] == optuna.trial.TrialState.FAIL


def test_rounding_does_not_leave_the_range() -> None:
    third = Knob(0.5, 1 / 3, 2 / 3, minimum=1 / 3, maximum=2 / 3)
    assert value_of(third, 1 / 3) == 1 / 3
    assert value_of(third, 2 / 3) == 2 / 3
    assert value_of(third, 0.45678) == 0.4568
    density = Knob(0.9, 0.5, 0.987654321, "density")
    assert value_of(density, 1 / (1 - 0.987654321)) <= 0.987654321
    assert value_of(density, 10.0) == 0.9
