"""Workers in unusual surroundings: clocks that jump, daemonic processes, few descriptors, killed drivers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import gone
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors.local.pool import LocalExecutor
from sparsebench.bench.system.devices import DeviceSlot
from sparsebench.errors import SparsebenchError
from sparsebench.records.store import load_records

pytestmark = pytest.mark.xdist_group("workers")

SUITE = """
name = "jumps"
budget = { trials = 2, seeds = 1, generation = 1 }
entries = [{ method = "dense" }, { method = "jumping" }]
[[tasks]]
dataset = "planted"
model = "lenet_300_100"
data_args = { n = 320, valid = 64 }
recipe = { epochs = 1 }
"""
PLUGIN = '''
@register("jumping")
@dataclass
class Jumping(Base):
    """Dense on a machine whose clock is put back by a day."""
    def act(self):
        real = time.time
        time.time = lambda: real() - 86_400

@register("detaching")
@dataclass
class Detaching(Base):
    """Leaves a process behind: in a session of its own, with a parent that has ended."""
    file: str = ""
    def act(self):
        if os.fork() == 0:
            os.setsid()
            if child := os.fork():
                Path(self.file).write_text(str(child))
                os._exit(0)
            time.sleep(600)
        os.wait()
'''
DAEMON = """
import multiprocessing as mp, sys, time
from pathlib import Path
folder, tracking = Path(sys.argv[1]), sys.argv[2]

def campaign():
    from sparsebench import run
    real, calls = time.time, []
    def jumping():  # forward by a day, back by two, and so on
        calls.append(None)
        return real() + 86_400 * (len(calls) // 5 % 3 - 1)
    def state():
        main, key = sys.modules["__main__"], bytes(mp.current_process().authkey)
        return mp.get_start_method(allow_none=True), key, main, vars(main).copy()
    before, time.time = state(), jumping
    done = run(
        folder / "jumps.toml", out=folder / "out", devices="cpu:1", tracking_uri=tracking, time_limit=120.0,
        plugins=[folder / "plugin.py"],
    )
    assert done.complete, done
    assert len(calls) > 20, len(calls)
    assert state() == before

process = mp.get_context("fork").Process(target=campaign, daemon=True)
process.start()
process.join()
sys.exit(process.exitcode)
"""
START = "from sparsebench.bench.executors.local.fork_server import {}\n"
KILLED = START.format("start_server") + "print(start_server().pid, flush=True)\nimport time; time.sleep(600)"
READY = f"""
{START.format("WorkerProcess")}
from sparsebench.bench.executors.local.worker_setup import WorkerSetup
worker = WorkerProcess(WorkerSetup("cpu", 1, 60.0), None)
assert worker.stdout.readline() == b"ready\\n"
"""
FEW = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
from sparsebench.bench.executors.local.pool import LocalExecutor
from sparsebench.bench.system.devices import DeviceSlot
from sparsebench.errors import SparsebenchError
try:
    LocalExecutor([DeviceSlot("cpu")] * 64)
except SparsebenchError as error:
    print(error)
"""
Make = Callable[..., Trial]


def python(code: str, *words: object, flags: str = "-P", **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags.split(), "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env={**os.environ, **env})


def test_a_campaign_in_a_daemonic_process_whose_clock_jumps(
    acting: str, tracking: str, tmp_path: Path
) -> None:
    """No trial fails, times stay sane, and multiprocessing is as it was."""
    (tmp_path / "jumps.toml").write_text(SUITE)
    (tmp_path / "plugin.py").write_text(acting + PLUGIN)
    done = python(DAEMON, tmp_path, tracking)
    assert done.returncode == 0, done.stderr
    records = load_records(tmp_path / "out")
    assert [record.phase for record in records].count("search") == 4
    assert 6 <= len(records) <= 8  # of each entry one training or both are the best somewhere
    assert all(record.status == "ok" and 0 < record.seconds < 120 for record in records)
    assert not any(word in done.stdout + done.stderr for word in (" days", "24.0 h"))


def test_what_a_trial_detaches_ends_with_it(acting: str, make_trial: Make, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(acting + PLUGIN)
    made = LocalExecutor([DeviceSlot("cpu")], plugins=[str(tmp_path / "plugin.py")])
    try:
        made.submit(make_trial(method="detaching", knobs={"file": str(tmp_path / "pid")}))
        while not (found := made.wait(1.0)):
            pass
        assert found[0][1] is not None
        assert found[0][1].status == "ok"
        assert gone({int((tmp_path / "pid").read_text())}, seconds=1)
    finally:
        made.close()


def test_the_server_ends_with_a_driver_that_is_killed_while_it_imports() -> None:
    with subprocess.Popen([sys.executable, "-P", "-c", KILLED], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        server = int(driver.stdout.readline())
        driver.send_signal(signal.SIGKILL)
    assert gone({server}, seconds=10)  # before its first import ends it does not look


def test_a_worker_starts_with_a_long_path_for_temporary_files_and_without_variables_of_python(
    tmp_path: Path,
) -> None:
    folder = tmp_path.joinpath(*["x" * 100] * 3)
    folder.mkdir(parents=True)
    done = python(READY, flags="-E -P", TMPDIR=str(folder), PYTHONSTARTUP="/nowhere")
    assert done.returncode == 0, done.stderr


def test_too_few_descriptors_are_one_sentence() -> None:
    done = python(FEW)
    assert done.stdout == ("no worker can be started: Too many open files; allow more with `ulimit -n`\n"), (
        done.stderr
    )


def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SparsebenchError, match=r"^no worker can be started: .*log No such file or directory"):
        LocalExecutor([DeviceSlot("cpu")], log=tmp_path / "missing" / "log")
