"""Checkpoints on the disk: found again where they fit, passed over where they do not, never in the way."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from sparsebench.bench import trial as trials
from sparsebench.bench.keeper import Keeper, Paused, discard, path_of
from sparsebench.bench.records import Record
from sparsebench.bench.spec import Trial

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


def paused(trial: Trial, path: Path, checks: int) -> Keeper:
    keeper = Keeper(path, trial.id, asked=asked_after(checks))
    with pytest.raises(Paused):
        trials.run(trial, keeper=keeper)
    return keeper


@pytest.mark.parametrize("method", ["dwf", "gmp", "lrr", "rigl"])
def test_a_paused_trial_ends_with_the_record_of_a_straight_one(
    make_trial: Make, tmp_path: Path, method: str
) -> None:
    trial = make_trial(method=method, recipe={**RECIPE, "weight_decay": 0.0})
    straight = trials.run(trial)
    path = path_of(tmp_path, trial.id)
    for checks in (3, 1, 4):  # from pause to pause
        paused(trial, path, checks)
    keeper = Keeper(path, trial.id)
    again = trials.run(trial, keeper=keeper)
    assert same(again) == same(straight)
    assert 0 < keeper.spent < again.seconds
    discard(tmp_path, trial.id)
    discard(tmp_path, trial.id)
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_are_written_as_time_goes_by(make_trial: Make, tmp_path: Path) -> None:
    trial = make_trial(recipe=RECIPE)
    straight = trials.run(trial)
    keeper = Keeper(path_of(tmp_path, trial.id), trial.id, every_seconds=0.0)
    assert same(trials.run(trial, keeper=keeper)) == same(straight)
    assert keeper.path.exists()


def test_a_large_checkpoint_is_written_less_often(
    make_trial: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(tmp_path / "file", "trial", every_seconds=1.0)
    now = [1000.0]
    monkeypatch.setattr("sparsebench.bench.keeper.time.monotonic", lambda: now[0])
    monkeypatch.setattr(keeper, "_write", lambda content: now.__setitem__(0, now[0] + 10.0))
    monkeypatch.setattr("sparsebench.bench.keeper.state_of", lambda training: {})
    keeper.save(None)  # type: ignore[arg-type]
    now[0] += 199.0
    assert not keeper.due()
    now[0] += 2.0
    assert keeper.due()


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
    path = path_of(tmp_path / "kept", trial.id)
    paused(trial, path, 3)
    if spoil is Path.touch:
        path.write_bytes(b"")
    spoil(path)
    keeper = Keeper(path, trial.id)
    assert trials.run(trial, keeper=keeper).status == "ok"
    assert keeper.spent == 0
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
        keeper = Keeper(path_of(disk, trial.id), trial.id, every_seconds=0.0)
        assert trials.run(trial, keeper=keeper).status == "ok"
        assert list(disk.iterdir()) == []
        assert "no checkpoint could be written" in capfd.readouterr().err
