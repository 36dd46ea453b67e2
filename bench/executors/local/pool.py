"""The executor of this machine: one warm worker process for each device slot.

    driver (LocalExecutor)                               worker process (worker.py), one for each slot
      submit, pause  ── commands pipe ──────────────────>  forks a process for each trial,
                          run <trial as JSON>              one at a time (trial_process.py)
                          pause
      wait           <────────────────── answers pipe ───
                          ready             once, when it can take a trial
                          record <JSON>     of the trial that has ended, "ok", "diverged" or "failed"
                          paused            the trial has stopped at a checkpoint
                          memory <reason>   out of memory
                          died <how>        the trial's process has ended by itself

Start: `_start` asks the fork server (fork_server.py) for a process, which the server forks.
Kill: `_stop_timed_out` after the time limit, `close` at the end. A worker ends its trial and exits by itself
when the commands pipe ends, as the driver then has.
Replace: `_replace`, when the answers pipe ends, which no other process holds open.
A trial whose process or worker has ended, or lacked memory, is submitted again, up to `MAX_ATTEMPTS` attempts
in all (attempts.py), then returned as a failed record.
"""

import os
import selectors
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ....errors import SparsebenchError
from ....records.record import parse
from ...config.trial_spec import Trial
from ...system.devices import DeviceSlot
from ...system.running_clock import RunningClock
from ...training.checkpointing import EVERY_SECONDS, discard_checkpoint
from ..attempts import MAX_ATTEMPTS, Attempts
from ..base import FinishedTrial, Running
from ..trial_process import died
from .fork_server import WorkerProcess
from .worker_setup import WorkerSetup

START_SECONDS = 600.0
"""Limit for the start of a worker that has a trial; checked only where trials have a time limit."""


@dataclass(eq=False)
class _Worker:
    """A worker process with its slot, its trial and the part of an answer that has come so far."""

    slot: DeviceSlot
    process: WorkerProcess
    trial: Trial | None = None
    since: float = 0.0
    buffer: bytes = b""
    ready: bool = False
    timed_out: bool = False


@dataclass
class LocalExecutor:
    """The `Executor` of this machine, which runs each trial in a worker process.

    A worker that dies is replaced, and its trial is tried again, `MAX_ATTEMPTS` times in all. Workers are
    forked from a server process, not forked or spawned from this one, so a script or a notebook that calls
    `sparsebench.run` needs no `__main__` guard, and neither threads nor a GPU context are inherited. A worker
    that cannot start, as where a plugin fails to import, raises `SparsebenchError` in `wait`.

    Attributes:
        slots: The device slots; each gets a worker when the object is made.
        data_root: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.
        plugins: Python files with methods and datasets, which each worker loads at its start.
        log: The file to whose end the workers' standard output and error go; None discards them.
        checkpoints: The folder of checkpoints; None writes none.
        models: The folder for finished models of the confirm phase; None writes none.
        checkpoint_seconds: Time between checkpoints.
        time_limit: Seconds for each attempt at a trial; None is no limit.

    Example:
        >>> executor = LocalExecutor([DeviceSlot("cpu")])  # one worker
        >>> executor.submit(trial)
        >>> while not (back := executor.wait(timeout=1.0)):
        ...     pass
        >>> back[0][0] == trial, back[0][1].status
        (True, 'ok')
        >>> executor.close()
    """

    slots: Sequence[DeviceSlot]
    data_root: str | None = None
    plugins: Sequence[str] = ()
    log: Path | None = None
    checkpoints: Path | None = None
    models: Path | None = None
    checkpoint_seconds: float = EVERY_SECONDS
    time_limit: float | None = None
    _workers: list[_Worker] = field(default_factory=list)
    _attempts: Attempts = field(default_factory=Attempts)
    _clock: RunningClock = field(default_factory=RunningClock)
    _failed_starts: int = 0

    def __post_init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        try:
            for slot in self.slots:
                self._start(slot)
        except BaseException:
            self.close()
            raise

    def _start(self, slot: DeviceSlot) -> None:
        """Starts a worker for a slot; a trial may be sent to it before it is ready."""
        process = WorkerProcess(
            WorkerSetup(
                slot.device, slot.threads, self.checkpoint_seconds, self.data_root, self.checkpoints,
                self.models, tuple(self.plugins),
            ),
            self.log,
        )  # fmt: skip
        worker = _Worker(slot, process)
        self._workers.append(worker)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)

    @property
    def capacity(self) -> int:
        return len(self.slots)

    @property
    def running(self) -> list[Running]:
        now = self._clock.now()
        return [Running(w.slot.device, w.trial, now - w.since) for w in self._workers if w.trial is not None]

    def free(self) -> bool:
        return any(w.trial is None for w in self._workers)

    def submit(self, trial: Trial) -> None:
        worker = next(w for w in self._workers if w.trial is None)
        worker.trial, worker.since = trial, self._clock.now()
        self._attempts.begin(trial)
        worker.process.send(f"run {trial.model_dump_json()}")

    def forget(self, trial: Trial) -> None:
        if self.checkpoints:
            discard_checkpoint(self.checkpoints, trial.id)

    def pause(self) -> None:
        self._attempts.pausing = True
        for worker in self._workers:
            worker.process.send("pause")

    def wait(self, timeout: float) -> list[FinishedTrial]:
        found = self._look(timeout)
        self._stop_timed_out()
        return found

    def _look(self, timeout: float) -> list[FinishedTrial]:
        """Reads what the workers answer within `timeout` seconds, and replaces those that have ended."""
        done: list[FinishedTrial] = []
        for key, _ in self._selector.select(timeout):
            done += self._read(key.data)
        return done

    def _read(self, worker: _Worker) -> list[FinishedTrial]:
        """Handles the lines that are in a worker's answers pipe, or its end."""
        chunk = os.read(worker.process.stdout.fileno(), 1 << 20)
        if not chunk:
            return self._replace(worker)
        done: list[FinishedTrial] = []
        *lines, worker.buffer = (worker.buffer + chunk).split(b"\n")
        for line in lines:
            done += self._receive(worker, line.decode())
        return done

    def _stop_timed_out(self) -> None:
        if self.time_limit is None:
            return
        for worker in self._workers:
            limit = self.time_limit if worker.ready else START_SECONDS
            if worker.trial is not None and self._clock.now() - worker.since > limit:
                worker.timed_out = worker.ready  # else it has failed to start
                worker.process.kill()

    def _receive(self, worker: _Worker, line: str) -> list[FinishedTrial]:
        """Handles one answer of a worker."""
        word, _, content = line.partition(" ")
        if word == "ready":
            worker.ready, worker.since, self._failed_starts = True, self._clock.now(), 0
            return []
        trial, worker.trial = worker.trial, None
        assert trial is not None
        if word != "record":
            lost = {"paused": "its worker was told to stop", "memory": content}
            return self._retry(worker.slot, trial, lost.get(word, f"its worker {line}"))
        self._attempts.end(trial)
        return [(trial, parse(content, f"worker on {worker.slot.device}"))]

    def _replace(self, worker: _Worker) -> list[FinishedTrial]:
        """Starts another worker for one that has died, and submits or returns its trial."""
        # The end of the process. A worker that ended before it was ready is an error; where a signal has
        # killed it, only after `MAX_ATTEMPTS` such starts in a row.
        self._selector.unregister(worker.process.stdout)
        code = worker.process.end()
        self._workers.remove(worker)
        if not worker.ready:
            self._failed_starts += 1
            if (code or 0) > 0 or self._failed_starts == MAX_ATTEMPTS:
                where = f"; see {self.log}" if self.log else ""
                how = "" if code is None else f" (exit {code})"
                raise SparsebenchError(
                    f"a worker on {worker.slot.device} ended before it was ready{how}{where}"
                )
        # The new worker; then the trial of the old one.
        self._start(worker.slot)
        if worker.trial is None:
            return []
        slot = worker.slot
        if worker.timed_out:
            assert self.time_limit is not None
            return [
                self._attempts.timed_out(
                    worker.trial, self.time_limit, device=slot.device, threads=slot.threads
                )
            ]
        return self._retry(slot, worker.trial, f"its worker {died(code)}")

    def _retry(self, slot: DeviceSlot, trial: Trial, how: str) -> list[FinishedTrial]:
        """Submits a trial once more, unless it has had its attempts or the campaign is pausing."""
        lost = self._attempts.lost(trial, how, device=slot.device, threads=slot.threads)
        if lost is not None:
            return [lost]
        self.submit(trial)
        return []

    def close(self) -> None:
        for worker in self._workers:
            worker.process.stop()  # all at once
        for worker in self._workers:
            worker.process.kill()
            worker.process.end()
        self._selector.close()
        self._workers.clear()
