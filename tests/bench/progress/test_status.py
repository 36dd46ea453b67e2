"""`sparsebench status` on folders of every kind."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.config.seeds import seed_of
from sparsebench.bench.config.suite import Suite
from sparsebench.bench.output_folder.campaign_id import take_campaign_id
from sparsebench.bench.output_folder.folder import OutputFolder
from sparsebench.bench.output_folder.layout import CAMPAIGN, LOCK, SUITE
from sparsebench.bench.output_folder.lock import in_use
from sparsebench.bench.progress.snapshot import CampaignSnapshot, EntryProgress, RunningTrial
from sparsebench.bench.progress.state_file import FILE as STATE
from sparsebench.bench.progress.state_file import StateFile
from sparsebench.bench.progress.status import status
from sparsebench.records.fields import CompressionPoint
from sparsebench.records.record import Record
from sparsebench.records.store import FILE, Store

Cli = Callable[..., Any]
Make = Callable[..., Record]
TASK = "digits-lenet_300_100"
# Of trainings that are equal the first is chosen, at 1 and at 4.
POINTS = [CompressionPoint(at=c, val_accuracy=0.9, nonzeros=n, cut=True) for c, n in ((1, 16), (4, 4))]


@pytest.fixture
def begun(tmp_path: Path, make_record: Make) -> Path:
    """A folder with records of two entries, one of which has failed; without a state file."""
    out = tmp_path / "out"
    plan = Suite(
        name="s", budget={"trials": 3, "seeds": 1, "compressions": [4]},
        tasks=[{"dataset": "digits", "model": "lenet_300_100"}],
        entries=[{"method": "dense"}, {"method": "random"}],
    )  # type: ignore[arg-type]  # fmt: skip
    with OutputFolder(out, plan, {TASK: "abc"}):
        store = Store(out)
        for number, trial in ((0, 0), (1, 1), (7, 2)):
            store.append(make_record(number, trial=trial, compressions=(4,), at_compressions=POINTS))
        fresh = {"phase": "confirm", "trial": None, "seed": seed_of(0, 0, "confirm", 0)}
        store.append(make_record(2, confirms="0000000000000000", **fresh))
        store.append(make_record(3, entry="random", trial=0, status="diverged"))
        for number in (4, 5):
            broken = {
                "status": "failed",
                "reason": "no room",
                "command": f"sparsebench train --seed {number}",
            }
            store.append(make_record(number, entry="random", trial=number - 3, val_accuracy=None, **broken))
    return out


def snapshot(**fields: Any) -> CampaignSnapshot:
    parts = (
        EntryProgress(entry="dense", task=TASK, phase="done", planned=4, finished=4),
        EntryProgress(entry="random", task=TASK, phase="search", planned=2, finished=1),
    )
    running = tuple(
        RunningTrial(
            id=name,
            device="cpu",
            entry="random",
            task=TASK,
            phase="search",
            trial=1,
            seed=0,
            since=time.time(),
        )
        for name in ("0000000000000004", "out")
    )
    base = {"suite": "s", "began": time.time(), "places": 2, "parts": parts, "running": running, "planned": 9}
    return CampaignSnapshot(**{**base, **fields})


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != LOCK}


def test_the_records_alone_tell_what_is_done_and_what_failed(begun: Path) -> None:
    before = content(begun)
    found = status(begun)
    assert content(begun) == before
    dense, random = found.snapshot.entries
    assert (dense.phase, dense.finished, dense.planned, dense.failed) == ("done", 4, 4, 0)
    assert (random.phase, random.finished, random.planned, random.failed) == ("confirm", 3, 4, 2)
    assert (found.condition, found.records, found.diverged) == ("stopped", 7, 1)
    (failure,) = found.failures
    assert (failure.reason, failure.count, failure.where) == ("no room", 2, [f"random on {TASK}"])
    assert failure.command == "sparsebench train --seed 4"
    assert found.notes == [f"no {STATE} there: the numbers are those of the records alone"]
    assert found.continue_with is None


def test_a_failure_made_good_since_is_none(begun: Path, make_record: Make) -> None:
    for number in (4, 5):
        Store(begun).append(make_record(number, entry="random"))
    assert status(begun).failures == []


def test_records_without_a_suite_are_told_too(begun: Path) -> None:
    (begun / SUITE).unlink()
    assert [part.finished for part in status(begun).snapshot.entries] == [4, 3]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "is not there: name the output folder of a run"),
        (lambda path: path.mkdir(), "holds neither suite.json nor records.jsonl: name the output folder"),
        (lambda path: path.write_text("mine"), "holds neither suite.json nor records.jsonl"),
        (lambda path: (path.mkdir(), (path / SUITE).write_text("{")), "suite.json is damaged"),
        (lambda path: (path.mkdir(), (path / FILE).write_text("x\n")), "records.jsonl, line 1"),
    ],
)
def test_what_is_no_output_folder_is_one_sentence(
    cli: Cli, tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "out")
    answer = cli("status", tmp_path / "out")
    assert (answer.code, answer.out) == (2, "")
    (line,) = answer.err.splitlines()
    assert message in line


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 3}', "\x00\x01", "9" * 10_000])
def test_a_damaged_state_file_costs_only_what_it_would_have_told(begun: Path, text: str) -> None:
    plain = status(begun)
    (begun / STATE).write_text(text)
    found = status(begun)
    assert [note.partition(" is damaged")[1] for note in found.notes] == [" is damaged"]
    assert found.snapshot.entries == plain.snapshot.entries


def test_the_state_file_counts_where_it_counts_more(begun: Path) -> None:
    """An entry that shares a trial with another has no record of its own."""
    *others, last = (begun / FILE).read_text().splitlines(keepends=True)
    assert '"entry":"random"' in last
    (begun / FILE).write_text("".join(others))  # its search lacks a record
    state = StateFile(begun)
    parts = snapshot().entries
    shared = parts[1].model_copy(update={"phase": "done", "planned": 4, "finished": 4})
    state.show(
        snapshot(entries=(parts[0].model_copy(update={"finished": 2}), shared), running=(), ended=True)
    )
    found = status(begun)
    assert [part.finished for part in found.snapshot.entries] == [4, 4]
    assert found.condition == "complete"


def test_a_state_of_another_suite_is_not_believed(begun: Path) -> None:
    StateFile(begun).show(snapshot())
    (begun / SUITE).write_text((begun / SUITE).read_text().replace('"trials": 3', '"trials": 7'))
    found = status(begun)
    assert [part.planned for part in found.snapshot.entries] == [8, 7]
    assert found.unfinished == []


def test_what_ran_when_the_driver_was_killed_is_told_unless_it_was_recorded(begun: Path) -> None:
    state = StateFile(begun)
    state._wrote = 0.0
    state.show(snapshot())
    found = status(begun)
    assert (found.condition, [now.id for now in found.unfinished]) == ("killed", ["out"])
    state.show(snapshot(ended=True, running=()))
    assert status(begun).condition == "stopped"


def test_the_lock_tells_whether_a_driver_lives(begun: Path) -> None:
    assert in_use(begun) is False
    identity = json.loads((begun / SUITE).read_text())
    with OutputFolder(begun, Suite(**identity["suite"]), identity["data"]):
        assert in_use(begun) is True
        state = StateFile(begun)
        assert status(begun).notes == ["the driver is starting"]
        state.say("MLflow is down")
        state._wrote = 0.0
        state.show(snapshot())
        found = status(begun)
        assert (found.condition, found.pid, len(found.snapshot.running)) == ("running", os.getpid(), 2)
        assert found.notes == ["0 s ago: MLflow is down"]
        told = json.loads((begun / STATE).read_text())
        (begun / STATE).write_text(json.dumps({**told, "written": time.time() - 120}))
        assert "has written nothing for 2 min" in status(begun).notes[-1]
    assert status(begun).condition == "killed"


def test_it_needs_no_torch_and_is_quick_on_many_records(begun: Path, make_record: Make) -> None:
    """CPU seconds of the whole command; the imports are some 0.4 of them."""
    curve = [{"step": float(n), "train_loss": 0.1} for n in range(17)]
    with (begun / FILE).open("a") as file:
        for number in range(10, 5010):
            file.write(make_record(number, trial=number, curve=curve).to_json() + "\n")
    program = """
import sys, time
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "optuna", "mlflow", "scipy", "matplotlib"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
from sparsebench.bench.cli.app import main
try:
    main()
finally:
    print(time.process_time(), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "status", str(begun)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "5007 records" in done.stdout
    assert float(done.stderr.split()[-1]) < 6


def test_the_campaigns_id_and_that_of_its_parent_are_shown(begun: Path, cli: Cli) -> None:
    first = status(begun)
    assert first.campaign is not None and first.parent is None
    assert f"7 records, campaign {first.campaign[:8]}\n" in cli("status", begun).out
    copy = begun.with_name("copy")
    shutil.copytree(begun, copy)
    for path in (copy / CAMPAIGN, copy):
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert any("is a copy" in note for note in status(copy).notes)  # which reading does not change
    copy.chmod(0o755)
    taken, _ = take_campaign_id(copy)
    found = status(copy)
    assert (found.campaign, found.parent) == (taken.id, first.campaign)
    assert f"campaign {taken.id[:8]} (copied from {first.campaign[:8]})" in cli("status", copy).out
    (copy / CAMPAIGN).write_text("{")
    assert any("campaign.json is damaged" in note for note in status(copy).notes)
