"""Studies that are resumed, killed and extended, run by a formula in place of training."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
from formula_study import every, finish, run, study, suite
from hypothesis import strategies as st
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.search.study import Study
from sparsebench.records.store import Store


@pytest.mark.parametrize("kept", [0, 1, 4, 6, 10, 13, 99])
def test_a_resumed_study_runs_what_is_missing_and_nothing_else(tmp_path: Path, kept: int) -> None:
    expected = [trial.id for trial in finish(study(tmp_path))]
    lines = (tmp_path / "records.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_text("".join(lines[:kept]))
    resumed = study(tmp_path)
    assert [trial.id for trial in finish(resumed)] == expected[kept:]
    assert resumed.finished == len(expected)


def stop(one: Study, after: int, slots: int, order: random.Random) -> None:
    """A driver that is killed when so many trials are recorded; the order of the slots is random."""
    out: list[Trial] = []
    for _ in range(after):
        while len(out) < slots and (trial := one.next()) is not None:
            out.append(trial)
        if not out:
            return
        trial = out.pop(order.randrange(len(out)))
        one.take(trial, one.store.append(run(trial)))


def told(folder: Path) -> dict[str, tuple[Any, ...]]:
    return {r.id: (r.trial, r.phase, r.seed, str(r.params), r.aim, r.val_accuracy) for r in Store(folder)}


@hypothesis.settings(max_examples=6, derandomize=True)
@hypothesis.example("magnitude", [1, 5], 4, 1, 0, 0)
@hypothesis.example("dwf", [6, 10], 4, 2, 2, 0)
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
            confirmed = {r.confirms for r in Store(straight) if r.confirms}
            assert {record.id for record in last.chosen()} <= confirmed
        assert told(broken) == told(wide) == told(straight)


def test_a_suite_that_gains_a_search_keeps_the_first_one(tmp_path: Path) -> None:
    first = [trial.id for trial in finish(study(tmp_path))]
    grown = every(tmp_path, suite(searches=2))
    assert [one.name for one in grown] == [
        "magnitude on digits-lenet_300_100", "magnitude on digits-lenet_300_100, search 2",
    ]  # fmt: skip
    assert finish(grown[0]) == []
    assert not {trial.id for trial in finish(grown[1])} & set(first)
    (tmp_path / "fresh").mkdir()
    begun = every(tmp_path / "fresh", suite(searches=2))
    assert [trial.id for trial in finish(begun[0])] == first
