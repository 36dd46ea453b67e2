"""A signal at any time of `run`: one line, the exit status of the signal, no traceback, no process left."""

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import descendants, gone
from sparsebench.bench.system.interrupts import START, Interrupted, Interrupts
from sparsebench.bench.tracking import publisher as track

pytestmark = [
    pytest.mark.xdist_group("campaign"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes under /proc"),
]

# It stands still where a test wants to stop it: in a start-up, or while figures are drawn. A teardown of the
# interpreter aborts it, as one that meets a library's thread in native code may.
DRIVER = """
import os, sys, time
from pathlib import Path
from sparsebench.bench.campaign import driver, publish
class Torn:
    def __del__(self, abort=os.abort):
        abort()
torn = Torn()
here = Path(sys.argv.pop())
def still(*args, **more):
    here.touch()
    time.sleep(600)
if sys.argv.pop() == "start":
    driver.studies = still
else:
    publish.report_folder = still
from sparsebench.bench.cli.app import main
main()
"""
SUITE = """
name = "one"
budget = { trials = 1, seeds = 1, points = 1 }
tasks = [{ dataset = "planted", model = "lenet_300_100", recipe = { epochs = 1 } }]
entries = [{ method = "dense" }]
"""
ENDING = "stopped while tables and figures were written; the same command, or `sparsebench report "


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Signals as at a terminal: whoever started the tests may ignore some (nohup, a shell's `&`), and a Ray
    that was here has left a handler of its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, how in before.items():
        signal.signal(number, how)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("start", [signal.SIGTERM]),
        ("end", [signal.SIGINT, signal.SIGINT]),
        ("end", [signal.SIGTERM, signal.SIGTERM]),
        ("end", [signal.SIGHUP]),
    ],
)
def test_a_signal_before_and_after_the_trials_is_one_line(
    tmp_path: Path, tracking: str, where: str, numbers: list[signal.Signals]
) -> None:
    (tmp_path / "one.toml").write_text(SUITE)
    here, out = tmp_path / "here", tmp_path / "out"
    command = [sys.executable, "-P", "-c", DRIVER, "run", str(tmp_path / "one.toml"), "--out", str(out)]
    command += ["--devices", "cpu:1", "--tracking-uri", tracking, where, str(here)]
    ours, theirs = pty.openpty()  # a terminal: its cursor is hidden meanwhile
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    try:
        os.close(theirs)
        until(here.exists)
        others = descendants(process.pid)
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.1)
        said = heard(ours)
        assert process.wait(30) == 128 + numbers[0], said
    finally:
        process.kill()
        process.wait()
    assert gone(others, seconds=2)
    assert "Traceback" not in said
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l")
    assert (START if where == "start" else ENDING) in said.replace("\r\n", "")


def heard(terminal: int) -> str:
    """All that is said on a terminal until its last user is gone."""
    said = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            said += os.read(terminal, 1 << 16)
        except OSError:
            break
    os.close(terminal)
    return said.decode()


def test_where_trials_run_the_second_signal_ends_them_with_the_firsts_number() -> None:
    with Interrupts() as interrupts:
        interrupts.stage("at once", patient=True)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.number == signal.SIGTERM
        with pytest.raises(Interrupted, match="at once"):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # the end is not disturbed
        assert (interrupts.ended, interrupts.number) == (True, signal.SIGTERM)
        with pytest.raises(Interrupted, match="at once"):  # had a library swallowed it
            interrupts.stage("later")


def test_a_handler_that_a_library_puts_over_ours_holds_until_the_next_stage() -> None:
    """Ray does so when it starts, and would end the campaign with status 1."""
    with Interrupts() as interrupts:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        interrupts.stage("at once", patient=True)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_that_came_too_late_for_the_trials_ends_what_follows() -> None:
    with Interrupts() as interrupts:
        interrupts.stage("at once", patient=True)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="while tables"):
            interrupts.stage("while tables")


def test_what_mlflow_meets_after_the_end_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread may find its files cleared away: the campaign has given it up by then."""
    cleared = threading.Event()

    def prepare(publisher: track.Publisher) -> None:
        cleared.wait(30)
        raise FileNotFoundError("record.json")

    monkeypatch.setattr(track.Publisher, "_prepare", prepare)
    met: list[str] = []
    publisher = track.Publisher("sqlite:///mlflow.db", tmp_path, "c0ffee", {}, on_problem=met.append)
    publisher.close(timeout=0.0)
    cleared.set()
    publisher._thread.join(30)
    assert met == []
