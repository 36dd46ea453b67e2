"""The executor of a Ray cluster: warm workers on its nodes, which may join and leave at any time.

A slot's worker is started when a trial waits for it. All of its calls return at once; `wait` has the answers.
"""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ....errors import SparsebenchError
from ....files import write_atomic
from ....records.record import Record, parse
from ...config.trial_spec import Trial
from ...output_folder.layout import model_path
from ...system.running_clock import RunningClock
from ...training.checkpointing import discard_checkpoint
from ..attempts import MAX_ATTEMPTS, Attempts
from ..base import FinishedTrial, Running
from .client import Call, Cluster, Node, WorkerLost, answer, content
from .messages import WorkerConfig, WorkerReady
from .slots import Host, QueuedTrial, WorkerSlot

SURVEY_SECONDS = 2.0  # between two queries of the cluster's nodes
PATIENCE_SECONDS = 60.0  # for a worker's start, a model's file, and the node that has a trial's checkpoint


@dataclass
class ClusterExecutor:
    """The `Executor` of a Ray cluster, with a slot for each core of a node or each 1/`per_device` of a GPU.

    Workers are started as trials wait for them. Nodes that join are used, and the trials of a node that is
    lost run elsewhere. A node's first worker compares it with this machine: versions, plugins, datasets. A
    node that differs raises `SparsebenchError` if it was there at the start; a later one is left out, with a
    line in `log`. A cluster that cannot be reached or has no slot raises that error when the object is made.

    Attributes:
        config: The config of every worker; its device "auto" becomes "cuda" if a node has a GPU, else "cpu".
        address: The cluster's head, as `Cluster` takes it.
        per_device: Trials that share one GPU; CPU cores are not shared.
        log: A text file that gets a line for each event of the cluster, such as a lost node; None is no log.
        time_limit: Seconds for each attempt at a trial; None is no limit.

    Example:
        >>> from unittest.mock import patch
        >>> nodes = [Node("a1", "node-1", cpus=8, gpus=2), Node("b2", "node-2", cpus=8, gpus=0)]
        >>> with patch(f"{__name__}.Cluster") as cluster:  # a stand-in: no Ray is started
        ...     cluster.return_value.nodes.return_value = nodes
        ...     for device in ("cpu", "auto"):  # 8 + 8 cores; 2 GPUs of 3 slots each
        ...         ClusterExecutor(WorkerConfig(device=device, versions={}), per_device=3).capacity
        16
        6
    """

    config: WorkerConfig
    address: str | None = None
    per_device: int = 1
    log: Path | None = None
    time_limit: float | None = None
    _hosts: dict[str, Host] = field(default_factory=dict)
    _slots: list[WorkerSlot] = field(default_factory=list)
    _queue: list[QueuedTrial] = field(default_factory=list)
    _done: list[FinishedTrial] = field(default_factory=list)
    _attempts: Attempts = field(default_factory=Attempts)
    _ran_on: dict[str, WorkerSlot] = field(default_factory=dict)
    _surveyed: float | None = None
    _clock: RunningClock = field(default_factory=RunningClock)

    def __post_init__(self) -> None:
        self._cluster = Cluster(self.address)
        try:
            if self.config.device == "auto":
                found = "cuda" if any(node.gpus for node in self._cluster.nodes()) else "cpu"
                self.config = self.config.model_copy(update={"device": found})
            self._survey()
            if not self._slots:
                kind = "GPU" if self.config.device == "cuda" else "CPU"
                raise SparsebenchError(
                    f"no node of the Ray cluster has a {kind} to give; start nodes with "
                    f"`ray start --address HOST:PORT --num-{kind.lower()}s N`"
                )
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        return len(self._slots)

    @property
    def running(self) -> list[Running]:
        now = self._clock.now()
        return [Running(s.device, s.trial, now - s.since) for s in self._slots if s.trial is not None]

    def free(self) -> bool:
        out = len(self._queue) + len(self._done) + len(self.running)
        return out < max(1, self.capacity)  # without a node, a trial waits for one

    def submit(self, trial: Trial) -> None:
        self._queue.append(QueuedTrial(trial))
        self._assign()

    def forget(self, trial: Trial) -> None:
        if self.config.folder:
            discard_checkpoint(Path(self.config.folder), trial.id)
        slot = self._ran_on.pop(trial.id, None)
        if slot and slot.worker and slot.opened and not slot.opened.shares:
            slot.worker.ask("forget", trial.id)

    def pause(self) -> None:
        self._attempts.pausing = True
        self._done += [(waiting.trial, None) for waiting in self._queue]
        self._queue.clear()
        for slot in self._slots:
            if slot.worker and slot.trial:
                slot.worker.ask("pause")

    def wait(self, timeout: float) -> list[FinishedTrial]:
        if self._surveyed is None or time.monotonic() - self._surveyed > SURVEY_SECONDS:
            self._survey()
        self._assign()
        calls = {slot.call: slot for slot in self._slots if slot.call is not None}
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
        """Updates the slots to the nodes that are alive: adds new nodes, drops those that are lost."""
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
                self._slots += [
                    WorkerSlot(node.id, self._hosts[node.id], rank, self._clock) for rank in range(room)
                ]
        self._slots.sort(key=lambda slot: slot.rank)  # the first of every node before the second of any

    def _room(self, node: Node) -> int:
        """Returns the number of slots of a node."""
        return node.gpus * self.per_device if self.config.device == "cuda" else node.cpus

    def _leave(self, node: str, reason: str) -> None:
        """Drops a node's slots; their trials run elsewhere."""
        lost = [slot for slot in self._slots if slot.node == node]
        self._slots = [slot for slot in self._slots if slot.node != node]
        for slot in lost:
            self._lose(slot, reason)

    def _refuse(self, slot: WorkerSlot, reason: str) -> None:
        """Drops the node of a slot, which is unfit; raises if it was there at the campaign's start."""
        message = f"node {slot.host.name} cannot run this campaign: {reason}"
        if slot.host.first:
            raise SparsebenchError(message)
        self._note(message)
        self._leave(slot.node, reason)

    def _note(self, line: str) -> None:
        if self.log:
            with suppress(OSError), self.log.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def _assign(self) -> None:
        """Submits queued trials to idle workers, and starts workers for the trials that are left."""
        for slot in self._slots:
            if slot.opened and slot.trial is None:
                waiting = next((w for w in self._queue if self._may(w, slot)), None)
                if waiting is not None:
                    self._queue.remove(waiting)
                    self._attempts.begin(waiting.trial)
                    slot.run(waiting.trial)
        # One starting worker for each queued trial; one that takes long is not counted, as the resources that
        # it needs may be in use. A node's first worker starts alone: it checks the node for the others.
        late = self._clock.now() - PATIENCE_SECONDS
        starting = sum(s.worker is not None and s.opened is None and s.since > late for s in self._slots)
        for slot in self._slots:
            if slot.worker or starting >= len(self._queue):
                continue
            if slot.host.passed or not any(s.worker for s in self._slots if s.node == slot.node):
                slot.start(self.config, self.per_device)
                starting += 1

    def _may(self, waiting: QueuedTrial, slot: WorkerSlot) -> bool:
        """Returns whether a trial may run in a slot: for a while only on the node with its checkpoint."""
        if waiting.near in (None, slot.node) or waiting.near not in self._hosts:
            return True
        return time.monotonic() - waiting.since > PATIENCE_SECONDS

    def _receive(self, slot: WorkerSlot, call: Call) -> None:
        """Handles the answer to a slot's call: of `open` first, then of `run`."""
        slot.call = None
        try:
            said = answer(call)
        except WorkerLost as error:
            self._note(f"a worker on {slot.device} is lost: {error}")
            self._lost(slot, error)
            return
        if slot.opened is None:
            self._greet(slot, WorkerReady.model_validate_json(said))
            return
        word, _, rest = said.partition(" ")
        trial, slot.trial = slot.trial, None
        assert trial
        if word == "paused":
            self._end(slot, trial, None)
        elif word == "record":
            record = parse(rest, f"worker on {slot.device}")
            self._fetch(slot, trial, record)
            self._end(slot, trial, record)
        else:
            how = rest if word == "memory" else f"its worker {said}"
            self._retry(slot, trial, how, slot.alone_has, slot.device)

    def _fetch(self, slot: WorkerSlot, trial: Trial, record: Record) -> None:
        """Copies the finished model from a node that does not see the driver's folder of models."""
        if trial.phase != "confirm" or record.status != "ok" or not slot.worker or not self.config.models:
            return
        if slot.opened is None or slot.opened.shares:
            return
        file = model_path(Path(self.config.models), trial.id)
        try:
            sent = content(slot.worker.ask("model", trial.id), PATIENCE_SECONDS)
            if not sent:
                raise WorkerLost("the node could not keep it")
            write_atomic(file, sent)
        except (WorkerLost, SparsebenchError) as error:
            self._note(f"the model of trial {trial.id} was left on {slot.device}: {error}")

    def _greet(self, slot: WorkerSlot, opened: WorkerReady) -> None:
        """Makes a worker that has started available, or drops its node."""
        if opened.error:
            self._refuse(slot, opened.error)
            return
        slot.opened, slot.host.passed, slot.host.failed_starts = opened, True, 0

    def _lost(self, slot: WorkerSlot, error: WorkerLost) -> None:
        """Handles the death of a worker, in a trial or before it was ready; its node may be lost too."""
        never_ready = slot.opened is None
        if never_ready and "No module named" in str(error):
            self._refuse(slot, "sparsebench does not import there; install it as on the driver's machine")
            return
        self._lose(slot, f"its worker on {slot.device} died")
        self._survey()
        if never_ready and slot.node in self._hosts:
            slot.host.failed_starts += 1
            if slot.host.failed_starts == MAX_ATTEMPTS:
                where = f"; see {self.log}" if self.log else ""
                self._refuse(slot, f"its workers die before they are ready{where}")

    def _lose(self, slot: WorkerSlot, how: str, *, too_late: bool = False) -> None:
        """Ends a slot's worker; the trial of it is tried again or returned as failed."""
        trial, near, device, threads = slot.trial, slot.alone_has, slot.device, self.config.threads
        slot.clear()
        if trial is not None and not too_late:
            self._retry(slot, trial, how, near, device)
        elif trial is not None and (limit := self.time_limit):
            self._end(slot, *self._attempts.timed_out(trial, limit, device=device, threads=threads))

    def _retry(self, slot: WorkerSlot, trial: Trial, how: str, near: str | None, device: str) -> None:
        """Queues a trial once more, unless it has had its attempts or the campaign is pausing."""
        lost = self._attempts.lost(trial, how, device=device, threads=self.config.threads)
        if lost is None:  # first in the queue, for the node that alone has its checkpoint
            self._queue.insert(0, QueuedTrial(trial, near))
        else:
            self._end(slot, *lost)

    def _end(self, slot: WorkerSlot, trial: Trial, record: Record | None) -> None:
        if record is not None:  # else the campaign pauses
            self._attempts.end(trial)
            self._ran_on[trial.id] = slot
        self._done.append((trial, record))

    def _stop_timed_out(self) -> None:
        for slot in self._slots:
            if (
                slot.trial
                and self.time_limit is not None
                and self._clock.now() - slot.since > self.time_limit
            ):
                self._lose(slot, "", too_late=True)

    def close(self) -> None:
        for slot in self._slots:
            slot.clear()
        self._slots.clear()
        self._cluster.close()
