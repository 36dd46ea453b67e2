"""Warm workers on the nodes of a cluster, which come and go."""

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ....errors import SparsebenchError
from ....files import write_atomic
from ....records.record import Record, parse
from ...config.trial_spec import Trial
from ...output_folder.layout import model_path
from ...training import trial as trials
from ...training.checkpointing import discard_checkpoint
from ..base import MAX_ATTEMPTS, FinishedTrial, Running, gave_up_reason, timeout_reason
from .actor import WorkerConfig, WorkerReady
from .client import Call, Cluster, Node, WorkerLost, answer, content
from .slots import Host, QueuedTrial, WorkerSlot

SURVEY_SECONDS = 2.0  # between two looks at which nodes there are
PATIENCE_SECONDS = 60.0  # for a worker to start, and for the node that has a trial's checkpoint


@dataclass
class ClusterExecutor:
    """Runs trials in warm workers, one for each place: a node's CPU, or the part 1/`per_device` of its GPU.

    Workers are started as trials wait for them. Nodes that join are used, and the trials of a node that is
    lost run elsewhere. A node's first worker compares it with this machine: versions, plugins, datasets. A
    node that differs is an error if it was there at the start; a later one is left out, with a line in `log`.
    `time_limit` in seconds holds for each attempt of a trial.
    """

    setting: WorkerConfig
    address: str | None = None
    per_device: int = 1
    log: Path | None = None
    time_limit: float | None = None
    _hosts: dict[str, Host] = field(default_factory=dict)
    _places: list[WorkerSlot] = field(default_factory=list)
    _queue: list[QueuedTrial] = field(default_factory=list)
    _done: list[FinishedTrial] = field(default_factory=list)
    _attempts: Counter[str] = field(default_factory=Counter)
    _ran_on: dict[str, WorkerSlot] = field(default_factory=dict)
    _surveyed: float | None = None
    _pausing: bool = False

    def __post_init__(self) -> None:
        self._cluster = Cluster(self.address)
        try:
            if self.setting.device == "auto":
                found = "cuda" if any(node.gpus for node in self._cluster.nodes()) else "cpu"
                self.setting = self.setting.model_copy(update={"device": found})
            self._survey()
            if not self._places:
                kind = "GPU" if self.setting.device == "cuda" else "CPU"
                raise SparsebenchError(
                    f"no node of the Ray cluster has a {kind} to give; start nodes with "
                    f"`ray start --address HOST:PORT --num-{kind.lower()}s N`"
                )
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        return len(self._places)

    @property
    def running(self) -> list[Running]:
        return [Running(p.device, p.trial, p.since) for p in self._places if p.trial is not None]

    def free(self) -> bool:
        out = len(self._queue) + len(self._done) + len(self.running)
        return out < max(1, self.capacity)  # without a node, a trial waits for one

    def submit(self, trial: Trial) -> None:
        self._queue.append(QueuedTrial(trial))
        self._assign()

    def forget(self, trial: Trial) -> None:
        if self.setting.folder:
            discard_checkpoint(Path(self.setting.folder), trial.id)
        place = self._ran_on.pop(trial.id, None)
        if place and place.worker and place.opened and not place.opened.shares:
            place.worker.ask("forget", trial.id)

    def pause(self) -> None:
        self._pausing = True
        self._done += [(waiting.trial, None) for waiting in self._queue]
        self._queue.clear()
        for place in self._places:
            if place.worker and place.trial:
                place.worker.ask("pause")

    def wait(self, timeout: float) -> list[FinishedTrial]:
        if self._surveyed is None or time.monotonic() - self._surveyed > SURVEY_SECONDS:
            self._survey()
        self._assign()
        calls = {place.call: place for place in self._places if place.call is not None}
        if calls:
            for call in self._cluster.wait(list(calls), 0 if self._done else timeout):
                if calls[call].call is call:  # not if its node was given up a moment ago
                    self._receive(calls[call], call)
        elif not self._done:
            time.sleep(timeout)
        self._stop_timed_out()
        self._assign()
        done, self._done = self._done, []
        return done

    def _survey(self) -> None:
        """See which nodes are there now: take in those that have joined, let go of those that are gone."""
        first = self._surveyed is None
        self._surveyed = time.monotonic()
        nodes = self._cluster.nodes()
        for gone in self._hosts.keys() - {node.id for node in nodes}:
            host = self._hosts.pop(gone)
            self._note(f"node {host.name} is gone")
            self._leave(gone, f"its node {host.name} was lost")
        for node in nodes:
            if node.id not in self._hosts:
                self._hosts[node.id] = Host(node.name, first)
                room = self._room(node)
                self._note(f"node {node.name} has room for {room} trial{'s' if room != 1 else ''}")
                self._places += [WorkerSlot(node.id, self._hosts[node.id], rank) for rank in range(room)]
        self._places.sort(key=lambda place: place.rank)  # the first of every node before the second of any

    def _room(self, node: Node) -> int:
        return node.gpus * self.per_device if self.setting.device == "cuda" else node.cpus

    def _leave(self, node: str, reason: str) -> None:
        lost = [place for place in self._places if place.node == node]
        self._places = [place for place in self._places if place.node != node]
        for place in lost:
            self._lose(place, reason)

    def _refuse(self, place: WorkerSlot, reason: str) -> None:
        message = f"node {place.host.name} cannot run this campaign: {reason}"
        if place.host.first:
            raise SparsebenchError(message)
        self._note(message)
        self._leave(place.node, reason)

    def _note(self, line: str) -> None:
        if self.log:
            with suppress(OSError), self.log.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def _assign(self) -> None:
        """Give waiting trials to idle workers, and start workers for those that are left."""
        for place in self._places:
            if place.opened and place.trial is None:
                waiting = next((w for w in self._queue if self._may(w, place)), None)
                if waiting is not None:
                    self._queue.remove(waiting)
                    self._run(place, waiting.trial)
        late = time.time() - PATIENCE_SECONDS  # others may hold what a worker needs: try another place
        starting = sum(p.worker is not None and p.opened is None and p.since > late for p in self._places)
        for place in self._places:
            if place.worker or starting >= len(self._queue):
                continue
            if place.host.passed or not any(p.worker for p in self._places if p.node == place.node):
                place.start(self.setting, self.per_device)
                starting += 1

    def _may(self, waiting: QueuedTrial, place: WorkerSlot) -> bool:
        if waiting.near in (None, place.node) or waiting.near not in self._hosts:
            return True
        return time.time() - waiting.since > PATIENCE_SECONDS

    def _run(self, place: WorkerSlot, trial: Trial) -> None:
        self._attempts[trial.id] += 1
        place.run(trial)

    def _receive(self, place: WorkerSlot, call: Call) -> None:
        place.call = None
        try:
            said = answer(call)
        except WorkerLost as error:
            self._note(f"a worker on {place.device} is lost: {error}")
            self._lost(place, error)
            return
        if place.opened is None:
            self._greet(place, WorkerReady.model_validate_json(said))
            return
        word, _, rest = said.partition(" ")
        assert place.trial
        if word == "memory":  # what is left of the trial goes with the process
            self._lose(place, rest)
            return
        trial, place.trial = place.trial, None
        if word == "paused":
            self._done.append((trial, None))
        else:
            record = parse(rest, f"worker on {place.device}")
            self._fetch(place, trial, record)
            self._end(place, trial, record)

    def _fetch(self, place: WorkerSlot, trial: Trial, record: Record) -> None:
        """Bring the finished model here from a node that does not share the folder of models."""
        if trial.phase != "confirm" or record.status != "ok" or not place.worker or not self.setting.models:
            return
        if place.opened is None or place.opened.shares:
            return
        file = model_path(Path(self.setting.models), trial.id)
        try:
            sent = content(place.worker.ask("model", trial.id), PATIENCE_SECONDS)
            if not sent:
                raise WorkerLost("the node could not keep it")
            write_atomic(file, sent)
        except (WorkerLost, SparsebenchError) as error:
            self._note(f"the model of trial {trial.id} was left on {place.device}: {error}")

    def _greet(self, place: WorkerSlot, opened: WorkerReady) -> None:
        if opened.error:
            self._refuse(place, opened.error)
            return
        place.opened, place.host.passed, place.host.failed_starts = opened, True, 0

    def _lost(self, place: WorkerSlot, error: WorkerLost) -> None:
        """A worker has died under a trial or before it was ready; perhaps because its node has."""
        failed_starts = place.opened is None
        if failed_starts and "No module named" in str(error):
            self._refuse(place, "sparsebench does not import there; install it as on the driver's machine")
            return
        self._lose(place, f"its worker on {place.device} died")
        self._survey()
        if failed_starts and place.node in self._hosts:
            place.host.failed_starts += 1
            if place.host.failed_starts == MAX_ATTEMPTS:
                where = f"; see {self.log}" if self.log else ""
                self._refuse(place, f"its workers die before they are ready{where}")

    def _lose(self, place: WorkerSlot, how: str, *, again: bool = True) -> None:
        """End a place's worker, and run its trial again or record that it can't be run."""
        trial, opened, device = place.trial, place.opened, place.device
        place.clear()
        if trial is None:
            return
        times = self._attempts[trial.id]
        if again and self._pausing:
            self._done.append((trial, None))
        elif again and times < MAX_ATTEMPTS:
            self._queue.insert(0, QueuedTrial(trial, None if opened is None or opened.shares else place.node))
        else:
            reason = gave_up_reason(times, how) if again else how
            threads = self.setting.threads
            self._end(place, trial, trials.failed(trial, reason, device=device, threads=threads))

    def _end(self, place: WorkerSlot, trial: Trial, record: Record) -> None:
        self._attempts.pop(trial.id)
        self._ran_on[trial.id] = place
        self._done.append((trial, record))

    def _stop_timed_out(self) -> None:
        for place in self._places:
            if place.trial and self.time_limit is not None and time.time() - place.since > self.time_limit:
                self._lose(place, timeout_reason(self.time_limit), again=False)

    def close(self) -> None:
        for place in self._places:
            place.clear()
        self._places.clear()
        self._cluster.close()
