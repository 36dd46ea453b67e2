"""`sparsebench status` on real campaigns: while one runs, killed, continued, finished."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.output_folder.layout import SUITE
from sparsebench.bench.progress.state_file import FILE as STATE
from sparsebench.bench.progress.status import Status, status
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record
from sparsebench.records.store import FILE

Cli = Callable[..., Any]
Make = Callable[..., Record]

SUITE_TEXT = """
name = "small"
budget = { trials = 4, seeds = 1, compressions = [16], generation = 2 }
[[tasks]]
dataset = "planted"
model = "lenet_300_100"
recipe = { epochs = 15, batch_size = 64 }
[[entries]]
method = "magnitude"
"""


@pytest.fixture
def campaign(tmp_path: Path, tracking: str) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Starts the same campaign of some seconds a trial, in a process of its own."""
    (tmp_path / "small.toml").write_text(SUITE_TEXT)
    program = "from sparsebench.bench.cli.app import main; import sys; sys.argv[0] = 'sparsebench'; main()"
    words = ["run", "small.toml", "--out", "out", "--devices", "cpu:1", "--tracking-uri", tracking]
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([sys.executable, "-c", program, *words], cwd=tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(folder: Path, fits: Callable[[Status], bool], seconds: float = 240.0) -> Status:
    """The first status that fits."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = status(folder)
            if fits(found):
                return found
        except SparsebenchError:
            assert not (folder / SUITE).is_file()
        time.sleep(0.1)
    raise AssertionError(f"it did not come to that: {status(folder)}")


@pytest.mark.slow
@pytest.mark.xdist_group("campaign")
def test_a_campaign_that_runs_is_killed_and_continues(
    campaign: Callable[[], "subprocess.Popen[bytes]"],
    tmp_path: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    driver = campaign()
    found = until(out, lambda found: found.records >= 1 and len(found.snapshot.running) == 1)
    assert (found.condition, found.pid) == ("running", driver.pid)
    assert found.snapshot.running[0].device == "cpu"
    assert found.snapshot.planned == 4 + 2
    shown = json.loads(cli("status", out, "--json").out)
    assert (shown["condition"], shown["continue_with"]) == ("running", None)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    killed = status(out)
    assert (killed.condition, killed.snapshot.running) == ("killed", ())
    assert killed.snapshot.finished == killed.records
    assert killed.continue_with is not None
    assert killed.continue_with.startswith(f"cd {tmp_path} && sparsebench run small.toml --out out")
    text = cli("status", out).out
    assert text.startswith(f"killed  {out}: ")
    assert f"continue: {killed.continue_with}" in text
    monkeypatch.chdir(tmp_path)
    assert (status(out).continue_with or "").startswith("sparsebench run small.toml")

    second = campaign()
    until(out, lambda found: found.condition == "running" and found.pid == second.pid)
    assert second.wait(300) == 0
    done = status(out)
    assert (done.condition, done.snapshot.failed, done.notes) == ("complete", 0, [])
    assert done.snapshot.finished == done.snapshot.planned == done.records
    assert "table and figures: sparsebench report" in cli("status", out).out


@pytest.mark.xdist_group("campaign")
def test_a_finished_campaign_is_complete(finished: Path, tmp_path: Path) -> None:
    found = status(finished)
    assert (found.condition, found.failures, found.unfinished) == ("complete", [], [])
    assert [part.phase for part in found.snapshot.entries] == ["done"] * 4
    assert all(part.front for part in found.snapshot.entries)
    shutil.copytree(finished, tmp_path / "copy", ignore=lambda folder, names: [STATE])
    alone = status(tmp_path / "copy")
    assert alone.condition == "complete"
    assert [p.front for p in alone.snapshot.entries] == [p.front for p in found.snapshot.entries]


@pytest.mark.xdist_group("campaign")
def test_no_state_file_makes_a_campaign_complete_that_lacks_a_confirmation(
    finished: Path, tmp_path: Path
) -> None:
    """As on a full disk, which stops both files, or where lines of the records are lost afterwards."""
    shutil.copytree(finished, tmp_path / "out")
    lines = (finished / FILE).read_bytes().splitlines(keepends=True)
    confirming = [line for line in lines if b'"phase":"confirm"' in line]
    for lost in (confirming[:1], confirming[-2:], confirming, lines[:1]):
        (tmp_path / "out" / FILE).write_bytes(b"".join(line for line in lines if line not in lost))
        found = status(tmp_path / "out")
        assert (found.condition, found.records) == ("stopped", len(lines) - len(lost))
    (tmp_path / "out" / FILE).write_bytes(b"".join(lines))
    assert status(tmp_path / "out").condition == "complete"
