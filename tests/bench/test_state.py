"""What a driver leaves for others to read while it runs."""

import sys
import time
from pathlib import Path

import pytest
from sparsebench.bench.standing import Part, Standing
from sparsebench.bench.state import FILE as STATE
from sparsebench.bench.state import StateFile, command_line, read_state

PART = Part(entry="dense", task="t", phase="search", planned=3, finished=1)
NOW = Standing(suite="s", began=time.time(), places=2, parts=(PART,), planned=9)
END = NOW.model_copy(update={"ended": True})


def test_a_state_file_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / f"{STATE}.tmp").mkdir()
    state = StateFile(tmp_path)
    state.show(END)
    assert read_state(tmp_path) is None
    gone = StateFile(tmp_path / "gone")
    gone.show(END)
    assert not (tmp_path / "gone").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_a_full_disk_costs_only_the_view_until_there_is_room(tmp_path: Path) -> None:
    (tmp_path / f"{STATE}.tmp").symlink_to("/dev/full")
    state = StateFile(tmp_path)
    assert list(tmp_path.iterdir()) == []
    state.show(END)
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def test_the_state_is_written_once_a_second_at_most(tmp_path: Path) -> None:
    state = StateFile(tmp_path)
    state.show(NOW)
    told = read_state(tmp_path)
    assert told is not None
    assert told.standing is None
    state.show(END)
    told = read_state(tmp_path)
    assert told is not None
    assert told.standing is not None


def test_a_command_is_kept_without_the_logins_in_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["/usr/bin/sparsebench", "run", "a b.toml", "--tracking-uri", "https://me:secret@host/x"]
    monkeypatch.setattr(sys, "argv", words)
    assert command_line() == "sparsebench run 'a b.toml' --tracking-uri https://…@host/x"
    monkeypatch.setattr(sys, "argv", ["notebook.py", "run"])
    assert command_line() is None
