"""Checkpoints on the disk: found again where they fit, passed over where they do not, never in the way."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.training import trial as trials
from sparsebench.bench.training.checkpointing import (
    Checkpointer,
    TrialPaused,
    checkpoint_path,
    discard_checkpoint,
)
from sparsebench.records.record import Record

Make = Callable[..., Trial]
RECIPE = {"epochs": 4, "batch_size": 64, "augment": "crop_flip"}


def same(record: Record) -> Record:
    return record.model_copy(update={"seconds": 0.0, "peak_memory_bytes": 0})


def asked_after(checks: int) -> Callable[[], bool]:
    """Somebody who wants a pause when asked for that many times, and from then on."""
    left = [checks]

    def asked() -> bool:
        left[0] -= 1
        return left[0] < 0

    return asked


def paused(trial: Trial, path: Path, checks: int) -> Checkpointer:
    checkpointer = Checkpointer(path, trial.id, asked=asked_after(checks))
    with pytest.raises(TrialPaused):
        trials.run(trial, checkpointer=checkpointer)
    return checkpointer


@pytest.mark.parametrize("method", ["dwf", "gmp", "lrr", "rigl"])
def test_a_paused_trial_ends_with_the_record_of_a_straight_one(
    make_trial: Make, tmp_path: Path, method: str
) -> None:
    trial = make_trial(method=method, recipe={**RECIPE, "weight_decay": 0.0})
    straight = trials.run(trial)
    path = checkpoint_path(tmp_path, trial.id)
    for checks in (3, 1, 4):  # from pause to pause
        paused(trial, path, checks)
    checkpointer = Checkpointer(path, trial.id)
    again = trials.run(trial, checkpointer=checkpointer)
    assert same(again) == same(straight)
    assert 0 < checkpointer.spent < again.seconds
    discard_checkpoint(tmp_path, trial.id)
    discard_checkpoint(tmp_path, trial.id)
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_are_written_as_time_goes_by(make_trial: Make, tmp_path: Path) -> None:
    trial = make_trial(recipe=RECIPE)
    straight = trials.run(trial)
    checkpointer = Checkpointer(checkpoint_path(tmp_path, trial.id), trial.id, every_seconds=0.0)
    assert same(trials.run(trial, checkpointer=checkpointer)) == same(straight)
    assert checkpointer.path.exists()


def test_a_large_checkpoint_is_written_less_often(
    make_trial: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpointer = Checkpointer(tmp_path / "file", "trial", every_seconds=1.0)
    now = [1000.0]
    monkeypatch.setattr("sparsebench.bench.training.checkpointing.time.monotonic", lambda: now[0])
    monkeypatch.setattr(checkpointer, "_write", lambda content: now.__setitem__(0, now[0] + 10.0))
    monkeypatch.setattr("sparsebench.bench.training.checkpointing.state_of", lambda training: {})
    checkpointer.save(None)  # type: ignore[arg-type]
    now[0] += 199.0
    assert not checkpointer.due()
    now[0] += 2.0
    assert checkpointer.due()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def of_another_version(path: Path) -> None:
    saved = torch.load(path, weights_only=True)
    torch.save({**saved, "versions": {**saved["versions"], "torch": "1.0"}}, path)


def of_another_trial(path: Path) -> None:
    torch.save({**torch.load(path, weights_only=True), "identity": "another"}, path)


class Code:
    """What a pickle would run when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("was run"),)


def of_code(path: Path) -> None:
    torch.save({"identity": Code()}, path)


@pytest.mark.parametrize("spoil", [cut, of_another_version, of_another_trial, of_code, Path.touch])
def test_a_checkpoint_that_does_not_fit_is_passed_over(
    make_trial: Make, tmp_path: Path, spoil: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trial = make_trial(recipe=RECIPE)
    path = checkpoint_path(tmp_path / "kept", trial.id)
    paused(trial, path, 3)
    if spoil is Path.touch:
        path.write_bytes(b"")
    spoil(path)
    checkpointer = Checkpointer(path, trial.id)
    assert trials.run(trial, checkpointer=checkpointer).status == "ok"
    assert checkpointer.spent == 0
    assert not (tmp_path / "was run").exists()


def test_a_full_disk_costs_the_checkpoint_alone(
    make_trial: Make,
    small_disk: Callable[[Path, str], AbstractContextManager[None]],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, "size=64k"):
        trial = make_trial(recipe=RECIPE)
        checkpointer = Checkpointer(checkpoint_path(disk, trial.id), trial.id, every_seconds=0.0)
        assert trials.run(trial, checkpointer=checkpointer).status == "ok"
        assert list(disk.iterdir()) == []
        assert "no checkpoint could be written" in capfd.readouterr().err
