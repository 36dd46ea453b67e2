"""A study's trials from the search to the confirmation, run by a formula in place of training."""

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from sparsebench.bench.config.suite import Suite
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.search.confirmed_points import surplus_confirmations
from sparsebench.bench.search.study import Study, objectives, studies
from sparsebench.bench.training.trial import record_of
from sparsebench.records.fields import Measurements, TrainingResult
from sparsebench.records.record import Record
from sparsebench.records.store import Store

Run = Callable[[Trial], Record]


def suite(method: str = "magnitude", trials: int = 10, generation: int = 4, **entry: Any) -> Suite:
    return Suite(
        name="s",
        seed=100,
        budget={"trials": trials, "seeds": 2, "points": 3, "generation": generation},
        tasks=[{"dataset": "digits", "model": "lenet_300_100", "recipe": {"epochs": 1}}],
        entries=[{"method": method, **({"depth": 2} if method == "dwf" else {}), **entry}],
    )  # type: ignore[arg-type]


def study(folder: Path, plan: Suite | None = None) -> Study:
    plan = plan or suite()
    return studies(plan, {plan.tasks[0].name: "digest"}, Store(folder))[0]


def outcome(trial: Trial, **fields: Any) -> Record:
    """Accuracy falls with sparsity; which points are on the front follows from the numbers alone."""
    sparsity = trial.knobs.get("sparsity", 0.0)
    accuracy = 0.95 - sparsity**20 / 2 - abs((trial.recipe.lr or 0) - 0.1)
    result = {
        "status": "ok", "classes": 10, "val_accuracy": accuracy, "compression": 1 / (1 - sparsity),
        "test_accuracy": None if trial.phase == "search" else accuracy, "device": "cpu",
    }  # fmt: skip
    result |= fields
    given = Measurements(**{key: value for key, value in result.items() if key in Measurements.model_fields})
    more = {key: value for key, value in result.items() if key not in Measurements.model_fields}
    return record_of(trial, TrainingResult(), given, threads=1, **more)


def finish(one: Study, run: Run = outcome, slots: int = 1, order: random.Random | None = None) -> list[Trial]:
    """Everything the study has to give, on so many slots, each record written before it is taken."""
    handed: list[Trial] = []
    out: list[Trial] = []
    while not one.done or out:
        while len(out) < slots and (trial := one.next()) is not None:
            out.append(trial)
            handed.append(trial)
        if out:
            trial = out.pop(order.randrange(len(out)) if order else 0)
            record = run(trial)
            one.store.append(record)
            one.take(trial, record)
    one.store.close()  # as a driver does at its end
    return handed


def test_first_the_search_then_the_confirmation(tmp_path: Path) -> None:
    one = study(tmp_path)
    handed = finish(one)
    search = [trial for trial in handed if trial.phase == "search"]
    confirm = [trial for trial in handed if trial.phase == "confirm"]
    assert handed == search + confirm
    assert [trial.number for trial in search] == list(range(10))
    assert {trial.seed for trial in search} == {100}
    assert {trial.seed for trial in confirm} == {101, 102}  # fresh ones
    points = {trial.confirms for trial in confirm}
    assert len(points) == 3
    assert len(confirm) == 6
    by_id = {trial.id: trial for trial in search}
    for trial in confirm:
        origin = by_id[trial.confirms or ""]
        assert (trial.knobs, trial.recipe, trial.params) == (origin.knobs, origin.recipe, origin.params)
    assert (one.finished, one.planned) == (16, 16)


def test_the_confirmed_points_are_of_the_front_and_spread_over_it(tmp_path: Path) -> None:
    one = study(tmp_path)
    handed = finish(one)
    found = {trial.id: outcome(trial) for trial in handed if trial.phase == "search"}
    chosen = [found[identity] for identity in sorted({t.confirms or "" for t in handed if t.confirms})]
    for point in chosen:
        better = [
            r for r in found.values()
            if r.compression > point.compression and r.val_accuracy > point.val_accuracy
        ]  # fmt: skip
        assert better == []
    spread = [r.log_compression for r in chosen]
    assert max(spread) - min(spread) > 1


@pytest.mark.parametrize("slots", [2, 3, 7])
def test_the_same_trials_on_any_number_of_slots(tmp_path: Path, slots: int) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    expected = {trial.id: trial for trial in finish(study(tmp_path / "one"))}
    many = finish(study(tmp_path / "many"), slots=slots, order=random.Random(slots))
    assert {trial.id: trial for trial in many} == expected


def test_among_equal_points_the_first_asked_is_confirmed_not_the_first_to_arrive(tmp_path: Path) -> None:
    def equal(trial: Trial) -> Record:
        return outcome(trial, val_accuracy=0.9, compression=4.0)

    chosen = set()
    for seed in range(5):
        (tmp_path / str(seed)).mkdir()
        handed = finish(study(tmp_path / str(seed)), equal, slots=4, order=random.Random(seed))
        chosen.add(tuple(trial.id for trial in handed if trial.phase == "confirm"))
    assert len(chosen) == 1


@pytest.mark.parametrize("kept", [0, 1, 4, 6, 10, 13, 16])
def test_a_resumed_study_runs_what_is_missing_and_nothing_else(tmp_path: Path, kept: int) -> None:
    expected = [trial.id for trial in finish(study(tmp_path))]
    lines = (tmp_path / "records.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_text("".join(lines[:kept]))
    resumed = study(tmp_path)
    assert [trial.id for trial in finish(resumed)] == expected[kept:]
    assert resumed.finished == 16


def stop(one: Study, after: int, slots: int, order: random.Random) -> None:
    """A driver that is killed when so many trials are recorded; the order of the slots is random."""
    out: list[Trial] = []
    for _ in range(after):
        while len(out) < slots and (trial := one.next()) is not None:
            out.append(trial)
        if not out:
            return
        trial = out.pop(order.randrange(len(out)))
        one.take(trial, one.store.append(outcome(trial)))


def told(folder: Path) -> dict[str, tuple[Any, ...]]:
    return {r.id: (r.trial, r.phase, r.seed, str(r.params), r.val_accuracy) for r in Store(folder)}


@hypothesis.settings(max_examples=6, derandomize=True)
@hypothesis.example("magnitude", [1, 5], 4, 1, 0, 0)  # the anchor of one trial is the middle one of three
@hypothesis.example("magnitude", [6, 10], 4, 2, 2, 0)
@hypothesis.given(
    method=st.sampled_from(["dense", "magnitude", "dwf"]),
    budgets=st.lists(st.integers(1, 14), min_size=2, max_size=3, unique=True).map(sorted),
    generation=st.integers(1, 8),
    slots=st.integers(1, 5),
    killed=st.integers(0, 12),
    seed=st.integers(0, 99),
)
def test_every_sequence_of_extensions_ends_with_the_budget(
    method: str, budgets: list[int], generation: int, slots: int, killed: int, seed: int
) -> None:
    """One trial for each number, on any number of slots; and the same ones after a kill."""

    def grown(folder: Path, trials: int) -> Study:
        return study(folder, suite(method, trials, generation=generation))

    with TemporaryDirectory() as one, TemporaryDirectory() as other, TemporaryDirectory() as many:
        straight, broken, wide = Path(one), Path(other), Path(many)
        for trials in budgets:
            last = grown(straight, trials)
            finish(last)
            stop(grown(broken, trials), killed, slots, random.Random(seed))
            finish(grown(broken, trials))
            finish(grown(wide, trials), slots=slots, order=random.Random(seed))
            numbers = [record.trial for record in Store(straight) if record.phase == "search"]
            assert sorted(numbers) == list(range(trials))
            surplus = surplus_confirmations(Store(straight), points=3)
            points = {r.confirms for r in Store(straight) if r.confirms and r.id not in surplus}
            assert {record.id for record in last.chosen()} <= points
            assert len(points) <= 3
        assert told(broken) == told(wide) == told(straight)


def test_a_failure_of_a_shorter_search_is_tried_again_in_its_place(tmp_path: Path) -> None:
    def failing(trial: Trial) -> Record:
        return outcome(trial) if trial.number != 5 else outcome(trial, status="failed", reason="no memory")

    finish(study(tmp_path, suite(trials=6)), failing)
    first = {record.trial: record.params for record in Store(tmp_path)}
    handed = finish(study(tmp_path, suite(trials=10)))
    assert [trial.number for trial in handed if trial.phase == "search"] == [5, 6, 7, 8, 9]
    assert handed[0].params == first[5]
    assert sorted(r.trial for r in Store(tmp_path) if r.phase == "search" and r.trial is not None) == [
        *range(10)
    ]


def test_a_folder_with_two_trials_of_a_number_is_continued(tmp_path: Path) -> None:
    """Older versions gave an extended search one trial more than its budget."""
    finish(study(tmp_path, suite(trials=6)))
    double = outcome(study(tmp_path, suite("gmp", trials=6)).next() or pytest.fail("no trial"))
    Store(tmp_path).append(double.model_copy(update={"entry": "magnitude", "trial": 4}))
    handed = finish(study(tmp_path, suite(trials=10)))
    assert [trial.number for trial in handed if trial.phase == "search"] == [6, 7, 8, 9]


def test_a_failed_trial_is_told_and_run_again_by_the_next_run_alone(tmp_path: Path) -> None:
    def failing(trial: Trial) -> Record:
        return outcome(trial) if trial.number != 9 else outcome(trial, status="failed", reason="no memory")

    first = study(tmp_path)
    handed = finish(first, failing)
    assert first.failed == 1
    assert len({trial.id for trial in handed}) == len(handed)
    again = [trial for trial in finish(study(tmp_path)) if trial.phase == "search"]
    assert [trial.number for trial in again] == [9]


def test_a_study_of_failures_ends_without_confirmation(tmp_path: Path) -> None:
    one = study(tmp_path)
    handed = finish(one, lambda trial: outcome(trial, status="failed", reason="no memory"))
    assert len(handed) == 10
    assert (one.done, one.failed) == (True, 10)


def test_a_collapsed_point_is_not_confirmed_where_another_learned(tmp_path: Path) -> None:
    def collapsing(trial: Trial) -> Record:
        dead = trial.knobs["sparsity"] > 0.9
        return outcome(trial, val_accuracy=0.1) if dead else outcome(trial)

    handed = finish(study(tmp_path), collapsing)
    assert all(trial.knobs["sparsity"] <= 0.9 for trial in handed if trial.phase == "confirm")


def test_diverged_trials_are_never_confirmed(tmp_path: Path) -> None:
    diverged = {"status": "diverged", "val_accuracy": 0.1, "compression": 1.0, "layers": []}
    assert len(finish(study(tmp_path), lambda trial: outcome(trial, **diverged))) == 10


def test_an_entry_with_nothing_to_search_runs_once_and_is_confirmed(tmp_path: Path) -> None:
    """All its trials have one identity: a record answers every twin."""
    plan = suite("dense", trials=6, lr=0.1, weight_decay=0.0)
    one = study(tmp_path, plan)
    handed = finish(one, slots=4)
    assert [trial.phase for trial in handed] == ["search", "confirm", "confirm"]
    assert one.finished == 8
    assert finish(study(tmp_path, plan)) == []


def test_fixed_knobs_stay_and_tables_are_searched_within(tmp_path: Path) -> None:
    plan = suite(finetune=0.0, sparsity={"low": 0.8, "high": 0.9}, lr=0.1)
    for trial in finish(study(tmp_path, plan)):
        assert (trial.knobs["finetune"], trial.recipe.lr) == (0.0, 0.1)
        assert 0.8 <= trial.knobs["sparsity"] <= 0.9


def test_objectives_of_a_record(make_record: Callable[..., Record]) -> None:
    assert objectives(make_record(val_accuracy=0.5, compression=100.0)) == (0.5, 2.0)
    assert objectives(make_record(status="diverged", val_accuracy=0.1, compression=1.0)) == (0.1, 0.0)
    assert objectives(make_record(status="failed")) is None
