"""The slots of a cluster's nodes, each for one worker, and the trials that wait for a slot."""

import math
import time
from dataclasses import dataclass, field

from ...config.trial_spec import Trial
from ...system.running_clock import RunningClock
from .client import Call, Worker
from .messages import WorkerConfig, WorkerReady


@dataclass
class Host:
    """A node of the cluster, as its slots share it.

    Attributes:
        name: The node's name in messages and records.
        first: Whether the node was there when the campaign began; an unfit one then ends the campaign.
        passed: Whether a worker of the node has passed the comparison with the driver's machine.
        failed_starts: Workers that have died before they were ready, since the last one that was.

    Example:
        >>> host = Host("node-1", first=True)
        >>> slots = [WorkerSlot("a1", host, rank) for rank in range(2)]
        >>> host.passed = True  # what one slot's worker has found holds for the other
        >>> [slot.host.passed for slot in slots]
        [True, True]
    """

    name: str
    first: bool
    passed: bool = False
    failed_starts: int = 0


@dataclass
class WorkerSlot:
    """A slot of a node, in which one worker at a time lives and runs one trial at a time.

    Attributes:
        node: Ray's id of the node.
        host: The node's state, the same object in all its slots.
        rank: Number of the slot in its node, from 0.
        worker: The worker; None until a trial waits for it.
        call: The pending call of the worker's `open` or `run`; None while it is idle.
        opened: The worker's answer to `open`; None until it is ready.
        trial: The trial that the worker runs.
        clock: The executor's clock.
        since: Start of the pending call, by that clock.

    Example:
        >>> slot = WorkerSlot("a1", Host("node-1", first=True), rank=0)
        >>> slot.device
        'node-1'
        >>> slot.opened = WorkerReady(device="cuda:1")
        >>> slot.device
        'node-1 cuda:1'
    """

    node: str
    host: Host
    rank: int
    clock: RunningClock = field(default_factory=RunningClock)
    worker: Worker | None = None
    call: Call | None = None
    opened: WorkerReady | None = None
    trial: Trial | None = None
    since: float = 0.0

    @property
    def device(self) -> str:
        """The node's name and the worker's device, once that is known."""
        return f"{self.host.name} {self.opened.device}" if self.opened else self.host.name

    @property
    def alone_has(self) -> str | None:
        """The node, where its worker keeps checkpoints that no other node sees; else None."""
        return None if self.opened is None or self.opened.shares else self.node

    def start(self, config: WorkerConfig, per_device: int) -> None:
        """Starts a worker on one CPU core or on 1/`per_device` of a GPU, and calls its `open`."""
        gpu = config.device == "cuda"
        share = math.floor(10_000 / per_device) / 10_000  # rounded down to Ray's resolution: Ray rounds up
        text = config.model_dump_json()
        self.worker = Worker(self.node, cpus=0 if gpu else 1, gpus=share if gpu else 0, config=text)
        self.since = self.clock.now()
        self.call = self.worker.ask("open", not self.host.passed)

    def run(self, trial: Trial) -> None:
        """Starts a trial in the worker, which is idle."""
        assert self.worker
        self.trial, self.since = trial, self.clock.now()
        self.call = self.worker.ask("run", trial.model_dump_json())

    def clear(self) -> None:
        """Kills the worker, if there is one, and empties the slot."""
        if self.worker:
            self.worker.kill()
        self.worker = self.call = self.opened = self.trial = None


@dataclass
class QueuedTrial:
    """A trial that waits for a slot.

    Attributes:
        trial: The trial.
        near: Ray's id of the node that alone has the trial's checkpoint, which is preferred for a while; None
            where every node can resume it or none has to.
        since: When it was queued, in monotonic seconds.

    Example:
        >>> queue = [QueuedTrial(trial)]  # a new trial waits at the end
        >>> queue.insert(0, QueuedTrial(trial, near="a1"))  # one whose worker on node a1 has died comes first
        >>> [waiting.near for waiting in queue]
        ['a1', None]
    """

    trial: Trial
    near: str | None = None
    since: float = field(default_factory=time.monotonic)
