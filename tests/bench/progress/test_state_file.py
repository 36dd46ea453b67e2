"""What a driver leaves for others to read while it runs."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.progress.snapshot import CampaignSnapshot, EntryProgress
from sparsebench.bench.progress.state_file import FILE as STATE
from sparsebench.bench.progress.state_file import StateFile, command_line, read_state
from sparsebench.bench.progress.status import status
from sparsebench.records.record import Record
from sparsebench.records.store import Store

PART = EntryProgress(entry="dense", task="t", phase="search", planned=3, finished=1)
NOW = CampaignSnapshot(suite="s", began=time.time(), capacity=2, entries=(PART,), planned=9)
END = NOW.model_copy(update={"ended": True})


def test_a_state_file_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("mine")
    for folder in (tmp_path / "gone", tmp_path / "a file"):
        StateFile(folder).show(END)
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


def test_a_full_disk_costs_only_the_view_until_there_is_room(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # no byte can be written
    try:
        state = StateFile(tmp_path)
        assert list(tmp_path.iterdir()) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    state.show(END)
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def test_the_state_is_written_once_a_second_at_most(tmp_path: Path) -> None:
    state = StateFile(tmp_path)
    state.show(NOW)
    told = read_state(tmp_path)
    assert told is not None
    assert told.snapshot is None
    state.show(END)
    told = read_state(tmp_path)
    assert told is not None
    assert told.snapshot is not None


def test_a_command_is_kept_without_the_logins_in_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["/usr/bin/sparsebench", "run", "a b.toml", "--tracking-uri", "https://me:secret@host/x"]
    monkeypatch.setattr(sys, "argv", words)
    assert command_line() == "sparsebench run 'a b.toml' --tracking-uri https://…@host/x"
    monkeypatch.setattr(sys, "argv", ["notebook.py", "run"])
    assert command_line() is None


def test_the_command_that_repeats_a_failed_trial_loads_the_campaigns_plugins(
    tmp_path: Path, make_record: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = make_record(status="failed", reason="no", val_accuracy=None, command="sparsebench train")
    Store(tmp_path).append(broken)
    monkeypatch.chdir(tmp_path)
    StateFile(tmp_path, ["my plugin.py"])
    (failure,) = status(tmp_path).failures
    assert failure.command == f"sparsebench train --plugin '{tmp_path / 'my plugin.py'}'"


@pytest.mark.xdist_group("campaign")
def test_a_campaign_whose_tables_are_missing_or_old_is_not_quite_complete(
    finished: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    assert status(out).reported
    page = out / "leaderboard.md"
    os.utime(page, (0, 0))
    assert not status(out).reported
    page.unlink()
    found = status(out)
    assert (found.condition, found.reported) == ("complete", False)
    text = cli("status", out).out
    assert text.startswith(f"complete, without tables and figures  {out}: ")
    assert f"write tables and figures: sparsebench report {out}; or the same command, for MLflow too" in text
