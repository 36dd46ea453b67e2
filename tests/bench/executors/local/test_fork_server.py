"""Workers that fork: what they leave behind neither hides their end nor outlives them."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import gone
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors import attempts
from sparsebench.bench.executors.local.pool import LocalExecutor
from sparsebench.bench.system.devices import DeviceSlot
from sparsebench.records.record import Record

pytestmark = pytest.mark.xdist_group("workers")

PLUGIN = '''
@register("parent")
@dataclass
class Parent(Base):
    """Forks a child that keeps what it has inherited, and is gone or hangs."""
    file: str = ""
    hangs: bool = False
    aside: bool = False
    def act(self):
        child = os.fork()
        if child == 0:
            if self.aside:
                os.setsid()
            time.sleep(600)
            os._exit(0)
        Path(self.file).write_text(str(child))
        if self.hangs:
            time.sleep(600)
        os._exit(9)
'''
Make = Callable[..., Trial]


@pytest.fixture
def executor(acting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExecutor]:
    """A worker of two threads that knows the method above; a trial has one attempt."""
    monkeypatch.setattr(attempts, "MAX_ATTEMPTS", 1)
    (tmp_path / "plugin.py").write_text(acting + PLUGIN)
    made = LocalExecutor([DeviceSlot("cpu", 2)], plugins=[str(tmp_path / "plugin.py")])
    yield made
    made.close()


def ran(executor: LocalExecutor, trial: Trial) -> Record:
    executor.submit(trial)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for _, record in executor.wait(0.5):
            assert record is not None
            return record
    raise AssertionError("no record in a minute")


@pytest.mark.parametrize("aside", [False, True])
def test_a_dead_workers_child_does_not_hide_its_end(
    executor: LocalExecutor, make_trial: Make, tmp_path: Path, aside: bool
) -> None:
    """Nor does it live on, even in a session of its own."""
    file = tmp_path / "child"
    record = ran(executor, make_trial(method="parent", knobs={"file": str(file), "aside": aside}))
    assert record.reason == "tried 1 times, at last its worker died with exit code 9"
    assert record.command.endswith(" --threads 2")  # its place's, not this process's
    child = int(file.read_text())
    assert gone({child}, seconds=2)


def test_a_late_workers_child_goes_with_it(executor: LocalExecutor, make_trial: Make, tmp_path: Path) -> None:
    file, executor.time_limit = tmp_path / "child", 1.5
    record = ran(executor, make_trial(method="parent", knobs={"file": str(file), "hangs": True}))
    assert record.reason == "it took longer than the time limit of 1.5 s"
    assert gone({int(file.read_text())}, seconds=2)


def test_a_child_goes_when_the_executor_is_closed(
    executor: LocalExecutor, make_trial: Make, tmp_path: Path
) -> None:
    file = tmp_path / "child"
    executor.submit(make_trial(method="parent", knobs={"file": str(file), "hangs": True}))
    while not file.exists():
        assert executor.wait(0.1) == []
    executor.close()
    assert gone({int(file.read_text())}, seconds=2)


CLOSED = """
import os
for stream in (0, 1, 2):
    os.close(stream)
from sparsebench.bench.executors.local.fork_server import WorkerProcess
from sparsebench.bench.executors.local.worker_setup import WorkerSetup
worker = WorkerProcess(WorkerSetup("cpu", 1, 60.0), None)
ready = worker.stdout.readline() == b"ready\\n"
worker.kill()
worker.end()
os._exit(0 if ready else 3)
"""


def test_a_driver_without_standard_streams_has_workers() -> None:
    assert subprocess.run([sys.executable, "-P", "-c", CLOSED], timeout=120).returncode == 0
