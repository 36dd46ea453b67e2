"""A study's trials from the search to the confirmation, run by a formula in place of training."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from formula_study import COMPRESSIONS, IMAGES, SIZE, diverged, every, finish, phase, run, study, suite
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.search.study import outcome
from sparsebench.methods.api import keep_count
from sparsebench.records.choice import choose
from sparsebench.records.fields import CompressionPoint
from sparsebench.records.record import Record
from sparsebench.records.store import Store


def test_first_the_search_then_the_confirmation_of_what_is_best_at_each_compression(tmp_path: Path) -> None:
    one = study(tmp_path)
    handed = finish(one)
    search, confirm = phase(handed, "search"), phase(handed, "confirm")
    assert handed == search + confirm
    assert [trial.number for trial in search] == list(range(10))
    best = choose([run(trial) for trial in search], (1.0, *COMPRESSIONS))
    chosen = {record.id for record in best.values()}
    assert {trial.confirms for trial in confirm} == chosen
    assert len(confirm) == 2 * len(chosen)  # once for all compressions at which it is best
    by_id = {trial.id: trial for trial in search}
    for trial in confirm:
        origin = by_id[trial.confirms or ""]
        assert (trial.knobs, trial.recipe, trial.params) == (origin.knobs, origin.recipe, origin.params)
        assert trial.aim == origin.aim
    assert (one.finished, one.planned) == (len(handed), len(handed))


def test_a_method_with_a_target_is_given_the_assigned_compression(tmp_path: Path) -> None:
    """k of the target is k of the compression, so that the finished model is never cut there."""
    search = phase(finish(study(tmp_path)), "search")
    assert [trial.aim for trial in search[:4]] == [
        4.0,
        64.0,
        16.0,
        4.0,
    ]  # the indices 00, 10, 01 read backwards
    for trial in search:
        assert trial.aim is not None
        assert trial.knobs["sparsity"] == 1 - 1 / trial.aim
        assert keep_count(trial.knobs["sparsity"], SIZE) == round(SIZE / trial.aim)
        assert "compression_for_sparsity" not in trial.params


def test_a_target_that_an_entry_fixes_stays(tmp_path: Path) -> None:
    handed = finish(study(tmp_path, suite(finetune=0.0, sparsity=0.8, lr=0.1)))
    assert {(t.knobs["sparsity"], t.knobs["finetune"], t.recipe.lr) for t in handed} == {(0.8, 0.0, 0.1)}
    assert [trial.aim for trial in phase(handed, "search")[:4]] == [1.0, 16.0, 4.0, 64.0]  # as of dense


@pytest.mark.parametrize("method", ["dense", "magnitude", "dwf"])
def test_every_trial_is_told_at_every_compression(tmp_path: Path, method: str) -> None:
    one = study(tmp_path, suite(method))
    finish(one)
    expected = {1.0, *COMPRESSIONS}
    for number, record in one.found.items():
        told = one.search.outcomes[number]
        assert told == {point.at: point.val_accuracy for point in record.at_compressions}
        assert set(told) == expected


@pytest.mark.parametrize("searches", [1, 2, 3])
def test_no_two_trainings_of_an_entry_share_a_seed_and_all_entries_have_the_same(
    tmp_path: Path, searches: int
) -> None:
    seeds: dict[str, list[int]] = {}
    for method in ("dense", "magnitude"):
        (tmp_path / method).mkdir()
        found = every(tmp_path / method, suite(method, searches=searches))
        assert len(found) == searches
        handed = [finish(one) for one in found]
        search = [trial.seed for trials in handed for trial in phase(trials, "search")]
        confirm = [{trial.seed for trial in phase(trials, "confirm")} for trials in handed]
        assert [len(own) for own in confirm] == [2] * searches
        seeds[method] = [*search, *(seed for own in confirm for seed in sorted(own))]
        assert len(set(seeds[method])) == len(seeds[method]) == searches * (10 + 2)
        assert [{trial.replicate for trial in trials} for trials in handed] == [{k} for k in range(searches)]
        assert len({trial.id for trials in handed for trial in trials}) == sum(map(len, handed))
    assert seeds["dense"] == seeds["magnitude"]


@pytest.mark.parametrize("slots", [2, 3, 7])
def test_the_same_trials_on_any_number_of_slots(tmp_path: Path, slots: int) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    expected = {trial.id: trial for trial in finish(study(tmp_path / "one"))}
    many = finish(study(tmp_path / "many"), slots=slots, order=random.Random(slots))
    assert {trial.id: trial for trial in many} == expected


def test_among_equal_trainings_the_first_asked_is_confirmed_not_the_first_to_arrive(tmp_path: Path) -> None:
    def equal(trial: Trial) -> Record:
        points = [
            CompressionPoint(at=c, val_accuracy=0.9, nonzeros=9, cut=False) for c in (1.0, *COMPRESSIONS)
        ]
        return run(trial, at_compressions=points)

    for seed in range(5):
        (tmp_path / str(seed)).mkdir()
        handed = finish(study(tmp_path / str(seed)), equal, slots=4, order=random.Random(seed))
        [first] = [trial.id for trial in handed if trial.number == 0]
        assert {trial.confirms for trial in phase(handed, "confirm")} == {first}


def test_a_failure_of_a_shorter_search_is_tried_again_in_its_place(tmp_path: Path) -> None:
    def failing(trial: Trial) -> Record:
        return run(trial) if trial.number != 5 else run(trial, status="failed", reason="no memory")

    finish(study(tmp_path, suite(trials=6)), failing)
    first = {record.trial: record.params for record in Store(tmp_path)}
    handed = finish(study(tmp_path, suite(trials=10)))
    assert [trial.number for trial in phase(handed, "search")] == [5, 6, 7, 8, 9]
    assert handed[0].params == first[5]
    assert sorted(r.trial for r in Store(tmp_path) if r.phase == "search" and r.trial is not None) == [
        *range(10)
    ]


def test_a_failed_trial_is_told_and_run_again_by_the_next_run_alone(tmp_path: Path) -> None:
    def failing(trial: Trial) -> Record:
        return run(trial) if trial.number != 9 else run(trial, status="failed", reason="no memory")

    first = study(tmp_path)
    handed = finish(first, failing)
    assert first.failed == 1
    assert first.search.outcomes[9] is None
    assert len({trial.id for trial in handed}) == len(handed)
    again = phase(finish(study(tmp_path)), "search")
    assert [trial.number for trial in again] == [9]


def test_a_study_of_failures_ends_without_confirmation(tmp_path: Path) -> None:
    one = study(tmp_path)
    handed = finish(one, lambda trial: run(trial, status="failed", reason="no memory"))
    assert len(handed) == 10
    assert (one.done, one.failed) == (True, 10)


def test_diverged_trials_are_confirmed_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    def half(trial: Trial) -> Record:
        return diverged(trial) if (trial.number or 0) % 2 == 0 and trial.phase == "search" else run(trial)

    (tmp_path / "half").mkdir()
    (tmp_path / "all").mkdir()
    handed = finish(study(tmp_path / "half"), half)
    numbers = {trial.id: trial.number for trial in phase(handed, "search")}
    assert all((numbers[trial.confirms or ""] or 0) % 2 for trial in phase(handed, "confirm"))
    handed = finish(study(tmp_path / "all"), diverged)
    [first] = [trial.id for trial in handed if trial.number == 0]
    assert [trial.confirms for trial in handed[10:]] == [first, first]  # two seeds show whether it was luck


def test_an_entry_with_nothing_to_search_is_confirmed_once(tmp_path: Path) -> None:
    plan = suite("dense", trials=6, lr=0.1, weight_decay=0.0)
    one = study(tmp_path, plan)
    handed = finish(one, slots=4)
    assert len({trial.config for trial in phase(handed, "search")}) == 1
    assert len({trial.seed for trial in phase(handed, "search")}) == 6
    assert (
        len({trial.confirms for trial in phase(handed, "confirm")}) == 1
    )  # equal settings stand for each other
    assert len(phase(handed, "confirm")) == 2
    assert finish(study(tmp_path, plan)) == []


@pytest.mark.parametrize(("lam", "expected"), [({}, None), ({"lam": {"low": 1e-4, "high": 1e-3}}, "lam")])
def test_a_decay_budget_becomes_the_lam_of_the_trainings_steps(
    tmp_path: Path, lam: dict[str, Any], expected: str | None
) -> None:
    """λ = B·(1-μ)/(2·Σ_t η_t), with the rates of the recipe's schedule written out here."""
    plan = suite("dwf", **lam)
    task = plan.tasks[0]
    task = task.model_copy(update={"recipe": task.recipe.model_copy(update={"schedule": "constant"})})
    plan = plan.model_copy(update={"tasks": (task,)})
    recipe = plan.tasks[0].recipe
    for trial in phase(finish(study(tmp_path, plan)), "search"):
        if expected == "lam":
            assert 1e-4 <= trial.knobs["lam"] <= 1e-3 and "decay_budget" not in trial.params
            continue
        steps = recipe.epochs * (IMAGES // recipe.batch_size)
        warm = recipe.warmup * steps
        rates = [min(1.0, (step + 0.5) / warm) if warm else 1.0 for step in range(steps)]
        total = (trial.recipe.lr or 0.0) * sum(rates) / (1 - recipe.momentum)
        budget = trial.params["decay_budget"]
        assert trial.knobs["lam"] == pytest.approx(budget / (2 * total), rel=1e-3)
        assert "lam" not in trial.params


def test_an_outcome_is_the_accuracy_at_each_compression(make_record: Callable[..., Record]) -> None:
    points = [CompressionPoint(at=c, val_accuracy=a, nonzeros=4, cut=True) for c, a in ((1, 0.9), (64, 0.5))]
    assert outcome(make_record(val_accuracy=0.9, at_compressions=points), [1, 64]) == {1: 0.9, 64: 0.5}
    assert outcome(make_record(status="diverged", val_accuracy=0.1), [1, 64]) == {1: 0.1, 64: 0.1}
    assert outcome(make_record(status="failed"), [1, 64]) is None
