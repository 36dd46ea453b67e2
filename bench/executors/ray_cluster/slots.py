"""Room for trials on the nodes of a cluster, and the trials that wait for it."""

import math
import time
from dataclasses import dataclass, field

from ...config.trial_spec import Trial
from .actor import WorkerConfig, WorkerReady
from .client import Call, Worker


@dataclass
class Host:
    """A node. `first` ones were there when the campaign began; `failed_starts` workers were never ready."""

    name: str
    first: bool
    passed: bool = False
    failed_starts: int = 0


@dataclass
class WorkerSlot:
    """Room for one worker. `call` is what it is busy with: to open, or to run `trial`; `since` when."""

    node: str
    host: Host
    rank: int
    worker: Worker | None = None
    call: Call | None = None
    opened: WorkerReady | None = None
    trial: Trial | None = None
    since: float = 0.0

    @property
    def device(self) -> str:
        return f"{self.host.name} {self.opened.device}" if self.opened else self.host.name

    def start(self, setting: WorkerConfig, per_device: int) -> None:
        """Start a worker: on a core, or on the part 1/`per_device` of a GPU."""
        gpu = setting.device == "cuda"
        share = math.floor(10_000 / per_device) / 10_000  # in Ray's steps, which it would round up to
        text = setting.model_dump_json()
        self.worker = Worker(self.node, cpus=0 if gpu else 1, gpus=share if gpu else 0, setting=text)
        self.since = time.time()
        self.call = self.worker.ask("open", not self.host.passed)

    def run(self, trial: Trial) -> None:
        """Give the worker, which is idle, a trial."""
        assert self.worker
        self.trial, self.since = trial, time.time()
        self.call = self.worker.ask("run", trial.model_dump_json())

    def clear(self) -> None:
        """End the worker, dead or alive."""
        if self.worker:
            self.worker.kill()
        self.worker = self.call = self.opened = self.trial = None


@dataclass
class QueuedTrial:
    """A trial without a place; `near` is the node that alone has its checkpoint."""

    trial: Trial
    near: str | None = None
    since: float = field(default_factory=time.time)
