"""The copy of the searches in an Optuna storage: complete, and without harm to what others keep there."""

import math
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import optuna
import pytest
from sparsebench.bench.search.optuna_search import Outcome, Search
from sparsebench.bench.search.storage_mirror import MARK, METRICS, StudyMirror
from sparsebench.errors import SparsebenchError
from sparsebench.methods.knobs import Knob

OWN, NAME = "0" * 32, "entry on task"  # the id of a campaign, and the name of its search


def search(trials: int) -> Search:
    knobs = {"lr": Knob(0.1, low=0.01, high=1.0, scale="log")}
    return Search(NAME, knobs, (4.0, 64.0), trials, generation=4, seed=0)


def drive(asked: Search, failing: int = 5) -> None:
    """Ask and tell to the end; one trial fails."""
    while not asked.done:
        for number, values in asked.ask().items():
            asked.tell(number, None if number == failing else {4.0: values["lr"], 64.0: values["lr"] / 2})


def stored(url: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="entry on task", storage=url).trials


def test_the_mirror_is_a_study_that_optuna_reads(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    said: list[str] = []
    asked = search(trials=6)
    drive(asked)
    mirror = StudyMirror(url, OWN)
    for _ in range(2):  # twice does no harm
        mirror.reflect(asked, said.append)
    study = optuna.load_study(study_name="entry on task", storage=url)
    assert study.directions == [optuna.study.StudyDirection.MAXIMIZE] * 2
    assert study.metric_names == METRICS
    assert [t.params for t in study.trials] == [t.params for t in asked.told]
    assert [t.values for t in study.trials] == [t.values for t in asked.told]
    assert [t.state for t in study.trials] == [t.state for t in asked.told]
    assert study.best_trials
    assert said == []
    mirror.storage.engine.dispose()


def test_a_mirror_leaves_what_an_earlier_run_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, said = f"sqlite:///{tmp_path / 'optuna.db'}", list[str]()
    asked = search(trials=6)
    drive(asked)
    first = StudyMirror(url, OWN)
    first.reflect(asked, said.append)
    first.storage.engine.dispose()
    again, second, written = search(trials=8), StudyMirror(url, OWN), list[int]()
    for trial in asked.told:
        lr = trial.params["lr"]
        again.replay(trial.params, {4.0: lr, 64.0: lr / 2} if trial.values else None)
    write = second._write

    def counted(name: str, told: list[optuna.trial.FrozenTrial]) -> None:
        written.append(len(told))
        write(name, told)

    monkeypatch.setattr(second, "_write", counted)
    second.reflect(again, said.append)
    assert written == []
    drive(again)
    second.reflect(again, said.append)
    second.reflect(again, said.append)
    assert written == [8]
    assert [t.params for t in stored(url)] == [t.params for t in again.told]
    assert said == []
    second.storage.engine.dispose()


def test_a_failure_made_good_is_mirrored_anew(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    mirror, said = StudyMirror(url, OWN), list[str]()
    outcomes: Iterable[Outcome]
    for outcomes in ([{4.0: 0.5}, None], [{4.0: 0.5}, {64.0: 0.6}]):
        asked = search(trials=2)
        for (number, _), outcome in zip(asked.ask().items(), outcomes, strict=True):
            asked.tell(number, outcome)
        mirror.reflect(asked, said.append)
    assert [t.values for t in stored(url)] == [[0.5, math.log10(4)], [0.6, math.log10(64)]]
    assert said == []
    mirror.storage.engine.dispose()


def test_a_storage_that_cannot_be_opened_is_one_sentence() -> None:
    with pytest.raises(SparsebenchError, match="Optuna cannot open the storage"):
        StudyMirror("sqlite:////no/such/folder/optuna.db", OWN)
    with pytest.raises(SparsebenchError) as caught:
        StudyMirror("postgresql://somebody:secret@127.0.0.1:1/there", OWN)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_an_odd_name_of_a_folder_keeps_its_own_file(tmp_path: Path) -> None:
    for name in ("a b", "100%", "é#1"):
        (tmp_path / name).mkdir()
        StudyMirror.of(tmp_path / name, OWN).storage.engine.dispose()
        assert (tmp_path / name / "optuna.db").is_file()
    assert len(list(tmp_path.iterdir())) == 3


def reflected(url: str, owner: str, trials: int, failing: int = 5) -> list[str]:
    """What is said while the finished search of a campaign is written."""
    asked, said = search(trials), list[str]()
    drive(asked, failing)
    mirror = StudyMirror(url, owner)
    mirror.reflect(asked, said.append)
    mirror.storage.engine.dispose()
    return said


def everything(url: str) -> dict[str, tuple[Any, ...]]:
    """All that an Optuna storage holds, by the names of its studies."""
    studies = optuna.get_all_study_summaries(url)
    loaded = [optuna.load_study(study_name=study.study_name, storage=url) for study in studies]
    return {one.study_name: (one.directions, one.user_attrs, one.trials) for one in loaded}


def foreign(url: str, kind: str) -> optuna.Study:
    """A study of the search's name that somebody else has made."""
    if kind == "of another campaign":
        assert reflected(url, "1" * 32, 3) == []
        return optuna.load_study(study_name=NAME, storage=url)
    directions = ["minimize"] if kind == "with other directions" else ["maximize"] * 2
    return optuna.create_study(study_name=NAME, storage=url, directions=directions)


@pytest.mark.parametrize("kind", ["with other directions", "of an older version", "of another campaign"])
def test_a_study_of_that_name_that_is_not_the_campaigns_is_left_alone(tmp_path: Path, kind: str) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    study = foreign(url, kind)
    study.set_user_attr("by", "somebody else")
    study.add_trial(optuna.trial.create_trial(values=[0.5] * len(study.directions)))
    study.ask()  # and one that runs
    before = everything(url)
    for trials in (2, 2, 6):  # written, read, continued
        assert reflected(url, OWN, trials) == []
        now = everything(url)
        own = f"{NAME} ({OWN[:8]})"
        assert len(now[own][2]) == trials
        assert {name: held for name, held in now.items() if name != own} == before


@pytest.mark.parametrize("added", ["a trial", "a note"])
def test_what_others_add_to_a_study_of_the_campaign_is_kept(tmp_path: Path, added: str) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    assert reflected(url, OWN, 6, failing=0) == []
    study = optuna.load_study(study_name=NAME, storage=url)
    if added == "a trial":
        study.add_trial(optuna.trial.create_trial(values=[0.1, 0.2]))
    else:
        study.set_user_attr("mine", "the fifth is odd")
    before = everything(url)
    assert reflected(url, OWN, 6) == []  # the first trial has succeeded since
    now = everything(url)
    assert now[NAME] == before[NAME]
    assert len(now[f"{NAME} ({OWN[:8]})"][2]) == 6


def test_a_driver_killed_before_it_marked_its_study_takes_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    for _ in range(2):
        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr(optuna.Study, "set_user_attr", lambda *_: sys.exit())
            reflected(url, OWN, 2)
    assert reflected(url, OWN, 2) == []
    sizes = {name: len(held[2]) for name, held in everything(url).items()}
    assert sizes == {NAME: 0, f"{NAME} ({OWN[:8]})": 0, f"{NAME} ({OWN[:8]} 2)": 2}


STARTED = """
import sys, time
from pathlib import Path
from sparsebench.bench.search.optuna_search import Search
from sparsebench.bench.search.storage_mirror import StudyMirror

owner, go = sys.argv[1], Path(sys.argv[2])
search = Search("entry on task", {}, [4], trials=2, generation=2, seed=0)
for number in search.ask():
    search.tell(number, {4: 0.9})
go.with_name(owner).touch()
for attempt in range(3):
    while not go.with_name(f"{go.name}{attempt}").exists():
        time.sleep(0.001)
    StudyMirror(f"sqlite:///{go.parent}/{attempt}.db", owner).reflect(search, sys.exit)
    go.with_name(f"{owner}{attempt}").touch()
"""


def test_campaigns_that_start_at_once_make_a_storage_and_a_study_each(tmp_path: Path) -> None:
    owners = [str(number) * 32 for number in range(2)]
    command = [sys.executable, "-P", "-c", STARTED]
    started = [subprocess.Popen([*command, owner, tmp_path / "go"]) for owner in owners]
    for attempt in ("", "0", "1"):  # when all are ready, they open the next database
        while not all((tmp_path / f"{owner}{attempt}").exists() for owner in owners):
            assert not any(process.poll() for process in started)
            time.sleep(0.01)
        (tmp_path / f"go{int(attempt or -1) + 1}").touch()
    assert [process.wait() for process in started] == [0] * 2
    for attempt in range(3):
        found = everything(f"sqlite:///{tmp_path}/{attempt}.db")
        assert {attrs[MARK] for _, attrs, _ in found.values()} == set(owners)
        assert [len(trials) for _, _, trials in found.values()] == [2] * 2
