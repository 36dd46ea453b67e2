"""One warm process per device slot on this machine."""

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ...errors import SparsebenchError
from .. import trial as trials
from ..devices import Slot
from ..records import Record, parse
from ..spec import Trial

MAX_ATTEMPTS = 3


@dataclass
class _Worker:
    slot: Slot
    process: "subprocess.Popen[bytes]"
    trial: Trial | None = None
    buffer: bytes = b""
    ready: bool = False

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def end(self) -> int:
        """Wait for the process, which has died or been killed, and close its pipes; returns its exit code."""
        code = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()
        return code


@dataclass
class LocalExecutor:
    """Runs trials in worker processes; a worker that dies is replaced and its trial tried again, bounded.

    Workers are started by command, not forked or spawned from this process, so a script or a notebook that
    calls `sparsebench.run` needs no guard, and a GPU context is never inherited.
    """

    slots: Sequence[Slot]
    data_root: str | None = None
    plugins: Sequence[str] = ()
    log: Path | None = None
    _workers: list[_Worker] = field(default_factory=list)
    _attempts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        for slot in self.slots:
            self._start(slot)

    def _start(self, slot: Slot) -> None:
        command = [sys.executable, "-P", "-m", f"{__package__}.worker", slot.device, str(slot.threads)]
        log = self.log.open("ab") if self.log else None
        try:
            process = subprocess.Popen(
                [*command, self.data_root or "", *self.plugins],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log or subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": str(slot.threads)},
            )
        finally:
            if log:
                log.close()
        worker = _Worker(slot, process)
        self._workers.append(worker)
        self._selector.register(worker.out, selectors.EVENT_READ, worker)

    @property
    def running(self) -> list[tuple[str, Trial]]:
        """Device and trial of every busy worker."""
        return [(w.slot.device, w.trial) for w in self._workers if w.trial is not None]

    def free(self) -> bool:
        """A worker could take a trial now."""
        return any(w.trial is None for w in self._workers)

    def submit(self, trial: Trial) -> None:
        """Hand a trial to a free worker."""
        worker = next(w for w in self._workers if w.trial is None)
        worker.trial = trial
        self._attempts[trial.id] = self._attempts.get(trial.id, 0) + 1
        assert worker.process.stdin is not None
        with suppress(BrokenPipeError):  # it has died: its closed output says so, and `wait` deals with it
            worker.process.stdin.write(trial.model_dump_json().encode() + b"\n")
            worker.process.stdin.flush()

    def wait(self, timeout: float | None = None) -> list[tuple[Trial, Record]]:
        """Records that arrive within the timeout (the first batch of them); none if nothing does."""
        done: list[tuple[Trial, Record]] = []
        for key, _ in self._selector.select(timeout):
            worker: _Worker = key.data
            chunk = os.read(worker.out.fileno(), 1 << 20)
            if not chunk:
                done += self._replace(worker)
                continue
            *lines, worker.buffer = (worker.buffer + chunk).split(b"\n")
            for line in lines:
                done += self._receive(worker, line.decode())
        return done

    def _receive(self, worker: _Worker, line: str) -> list[tuple[Trial, Record]]:
        if "ready" in json.loads(line):
            worker.ready = True
            return []
        trial, worker.trial = worker.trial, None
        assert trial is not None
        return [(trial, parse(line, f"worker on {worker.slot.device}"))]

    def _replace(self, worker: _Worker) -> list[tuple[Trial, Record]]:
        """A worker has died: start another, and run its trial again or record that it can't be run."""
        self._selector.unregister(worker.out)
        code = worker.end()
        self._workers.remove(worker)
        if not worker.ready:
            where = f"; see {self.log}" if self.log else ""
            raise SparsebenchError(
                f"a worker on {worker.slot.device} ended before it was ready (exit {code}){where}"
            )
        self._start(worker.slot)
        trial = worker.trial
        if trial is None:
            return []
        if self._attempts[trial.id] < MAX_ATTEMPTS:
            self.submit(trial)
            return []
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        reason = f"its worker died {self._attempts[trial.id]} times, the last time with {how}"
        return [(trial, trials.failed(trial, reason, device=worker.slot.device))]

    def close(self) -> None:
        """End all workers now; what they were doing is lost. Closing twice does no harm."""
        for worker in self._workers:
            worker.process.kill()
            worker.end()
        self._selector.close()
        self._workers.clear()
