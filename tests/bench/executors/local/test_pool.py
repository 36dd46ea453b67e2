"""Worker processes: warm, replaced when they die, and deaf to what plugins print."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import descendants, gone
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors import attempts
from sparsebench.bench.executors.local.fork_server import start_server
from sparsebench.bench.executors.local.pool import LocalExecutor
from sparsebench.bench.system.devices import DeviceSlot
from sparsebench.bench.training.checkpointing import checkpoint_path
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record

pytestmark = pytest.mark.xdist_group("workers")

PLUGIN = '''
import subprocess, sys

@register("loud")
@dataclass
class Loud(Base):
    """Prints in every way there is."""
    def act(self):
        print('{"ready": 1}')
        print("not a record", file=sys.__stdout__, flush=True)
        os.write(1, b"not a record\\n")
        subprocess.run([sys.executable, "-S", "-c", "print('not a record')"], check=True)

        print("a lone surrogate: \\udcff")
        if subprocess.run(["cat"], stdout=subprocess.PIPE).stdout:
            raise RuntimeError("standard input is not empty")

@register("leaving")
@dataclass
class Leaving(Base):
    """Leaves while a thread of its own goes on."""
    def act(self):
        import threading
        threading.Thread(target=time.sleep, args=(600,)).start()
        sys.exit(3)

@register("faulty")
@dataclass
class Faulty(Base):
    """Raises."""
    def act(self):
        raise RuntimeError("the method is at fault")

@register("dying")
@dataclass
class Dying(Base):
    """Takes its process with it."""
    def act(self):
        os._exit(7)
'''


@pytest.fixture(scope="module")
def executor(acting: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExecutor]:
    """One worker that knows the methods above."""
    folder = tmp_path_factory.mktemp("executor")
    plugin = folder / "plugin.py"
    plugin.write_text(acting + PLUGIN)
    made = LocalExecutor([DeviceSlot("cpu")], plugins=[str(plugin)], log=folder / "workers.log")
    yield made
    made.close()
    made.close()  # twice does no harm


def result(executor: LocalExecutor, seconds: float = 240) -> tuple[Trial, Record]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := executor.wait(1.0):
            assert len(found) == 1
            return found[0]
    raise AssertionError(f"no record in {seconds} seconds")


def hang(executor: LocalExecutor, trial: Trial, file: Path) -> int:
    """Start a trial that hangs; the process id of its worker."""
    executor.submit(trial)
    while not file.exists():
        assert executor.wait(0.1) == []
    return int(file.read_text())


UNTOUCHED = """
import os, torch
def refused(*args):
    raise AssertionError("a device was asked for")
for name in ("is_available", "device_count", "_lazy_init"):
    setattr(torch.cuda, name, refused)
torch._C._cuda_getDeviceCount = refused
from sparsebench.bench.executors.local.server import import_for_trials
import_for_trials()
print(len(os.listdir("/proc/self/task")), torch.cuda.is_initialized())
"""
DRIVER = """
import time
from sparsebench.bench.system.devices import DeviceSlot
from sparsebench.bench.executors.local.pool import LocalExecutor
made = LocalExecutor([DeviceSlot("cpu"), DeviceSlot("cpu")])
while not all(worker.ready for worker in made._workers):
    made.wait(0.1)
print("ready", flush=True)
time.sleep(600)
"""
Make = Callable[..., Trial]


def test_what_workers_are_forked_from_has_one_thread_and_no_device() -> None:
    command, env = [sys.executable, "-P", "-c", UNTOUCHED], {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.stdout.split() == ["1", "False"], done.stderr


def test_what_a_plugin_prints_does_not_break_the_protocol(executor: LocalExecutor, make_trial: Make) -> None:
    trial = make_trial(method="loud")
    executor.submit(trial)
    assert not executor.free()
    ((device, running, seconds),) = executor.running
    assert (device, running) == ("cpu", trial)
    assert 0 <= seconds < 60
    back, record = result(executor)
    assert back == trial
    assert (record.id, record.status, record.device) == (trial.id, "ok", "cpu (1 thread)")
    assert executor.log is not None
    assert executor.log.read_text().count("not a record") == 3


def test_a_method_that_raises_is_a_failed_record_with_its_reason(
    executor: LocalExecutor, make_trial: Make
) -> None:
    executor.submit(make_trial(method="faulty"))
    _, record = result(executor)
    assert record.status == "failed"
    assert (record.reason or "").startswith("RuntimeError: the method is at fault")
    assert executor.log is not None
    assert "Traceback" in executor.log.read_text()
    executor.submit(make_trial())  # the worker lives on
    assert result(executor)[1].status == "ok"


def test_a_setting_that_is_refused_is_a_failed_record(executor: LocalExecutor, make_trial: Make) -> None:
    executor.submit(make_trial(data_digest="of other data"))
    _, record = result(executor)
    assert record.status == "failed"
    assert record.reason == "dataset 'planted' here differs from the one that the trial was made for"


def test_a_worker_that_is_killed_is_replaced_and_its_trial_repeated(
    executor: LocalExecutor, make_trial: Make, tmp_path: Path
) -> None:
    trial = make_trial(method="hanging", knobs={"file": str(tmp_path / "pid")})
    worker = hang(executor, trial, tmp_path / "pid")
    os.kill(worker, signal.SIGKILL)
    back, record = result(executor)
    assert (back.id, record.status) == (trial.id, "ok")
    assert executor.free()


def test_workers_outlive_the_process_that_forked_them(
    executor: LocalExecutor, make_trial: Make, tmp_path: Path
) -> None:
    """Nobody can say then what ended one; it is replaced all the same."""
    server = start_server()
    os.kill(server.pid, signal.SIGKILL)
    assert gone({server.pid}, seconds=2)
    executor.submit(make_trial())
    assert result(executor)[1].status == "ok"
    hang(executor, make_trial(method="hanging", knobs={"file": str(tmp_path / "1")}), tmp_path / "1")
    (old,) = executor._workers
    os.kill(old.process.pid, signal.SIGKILL)
    assert result(executor)[1].status == "ok"
    assert start_server().pid != server.pid
    (new,) = executor._workers
    assert new.process.pid not in (None, old.process.pid)


def test_a_trial_that_kills_its_workers_is_given_up(
    executor: LocalExecutor, make_trial: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MAX_ATTEMPTS", 1)  # each attempt costs the start of a worker
    executor.submit(make_trial(method="dying"))
    _, record = result(executor)
    assert record.status == "failed"
    assert record.reason == "tried 1 times, at last its worker died with exit code 7"


def test_a_method_that_leaves_with_a_thread_alive_ends_its_worker(
    executor: LocalExecutor, make_trial: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MAX_ATTEMPTS", 1)
    executor.submit(make_trial(method="leaving"))
    assert result(executor, 60)[1].reason == "tried 1 times, at last its worker died with exit code 3"


def test_a_trial_that_takes_too_long_is_stopped_and_recorded(
    executor: LocalExecutor, make_trial: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "time_limit", 1.5)
    hang(executor, make_trial(method="hanging", knobs={"file": str(tmp_path / "pid")}), tmp_path / "pid")
    _, record = result(executor)
    assert (record.status, record.reason) == ("failed", "it took longer than the time limit of 1.5 s")
    executor.submit(make_trial())  # its place is taken by a new worker
    monkeypatch.setattr(executor, "time_limit", 240.0)
    assert result(executor)[1].status == "ok"


LENGTHY = {"epochs": 800, "batch_size": 64}


def test_a_worker_told_to_stop_goes_on_from_its_checkpoint(
    executor: LocalExecutor, make_trial: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_trial(recipe=LENGTHY, method="gmp")
    executor.submit(straight)
    expected = result(executor)[1]
    made = LocalExecutor([DeviceSlot("cpu")], checkpoints=tmp_path / "kept", checkpoint_seconds=0.01)
    file = checkpoint_path(tmp_path / "kept", straight.id)
    try:
        made.submit(straight)
        (worker,) = made._workers
        while not file.exists():  # it is well under way
            assert made.wait(0.02) == []
        os.kill(worker.process.pid, signal.SIGTERM)
        while made._attempts.of(straight) < 2:
            assert made.wait(0.02) == []
        _, record = result(made)
        free = {"seconds": 0.0, "peak_memory_bytes": 0}
        assert record.model_copy(update=free) == expected.model_copy(update=free)
        made.forget(straight)
        assert list((tmp_path / "kept").iterdir()) == []
        made.submit(straight)
        made.pause()
        ((back, nothing),) = made.wait(60)
        assert (back, nothing) == (straight, None)
        assert file.exists()
    finally:
        made.close()


def test_a_worker_ends_with_its_driver_even_in_mid_trial(
    executor: LocalExecutor, make_trial: Make, tmp_path: Path
) -> None:
    trial = make_trial(method="hanging", knobs={"file": str(tmp_path / "pid")})
    made = LocalExecutor([DeviceSlot("cpu")], plugins=executor.plugins)
    try:
        pid = hang(made, trial, tmp_path / "pid")
        (worker,) = made._workers
        worker.process.stdin.close()
        assert gone({pid, worker.process.pid}, seconds=2)
        assert worker.process.end() == 0
    finally:
        made.close()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes under /proc")
def test_a_driver_that_is_killed_leaves_no_process() -> None:
    with subprocess.Popen([sys.executable, "-P", "-c", DRIVER], stdout=subprocess.PIPE) as driver:
        try:
            assert driver.stdout is not None
            assert driver.stdout.readline() == b"ready\n"
            others = descendants(driver.pid)
            assert len(others) == 3  # two workers, and what they were forked from
        finally:
            driver.kill()
    assert gone(others, seconds=2)


def test_a_worker_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise RuntimeError('no')")
    made = LocalExecutor([DeviceSlot("cpu")], plugins=[str(broken)], log=tmp_path / "workers.log")
    try:
        with pytest.raises(SparsebenchError, match=r"before it was ready \(exit 1\); see .*workers.log"):
            result(made)
    finally:
        made.close()
    assert "fails to import at line 1" in (tmp_path / "workers.log").read_text()
