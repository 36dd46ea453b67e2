"""The devices or the cluster that a campaign runs on, as its options choose them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...errors import SparsebenchError, UnknownName
from ..config.suite import Task
from ..output_folder.layout import CHECKPOINTS, LOG, MODELS
from ..system.devices import slots
from ..system.environment import versions
from .base import Executor
from .local.pool import LocalExecutor
from .ray_cluster.actor import mark
from .ray_cluster.messages import Plugin, RequiredDataset, WorkerConfig


@dataclass(frozen=True)
class Resources:
    """The choice of an executor and its devices: this machine's, or those of a Ray cluster's nodes.

    The fields are options of the command line. They are checked when the object is made, which raises
    `SparsebenchError` for a device that this machine does not have, or for Ray where it is not installed.

    Attributes:
        devices: Devices such as "cuda:0,cuda:2" or "cpu:4"; None takes all GPUs, else the CPU. With Ray
            "cpu" or "cuda"; None takes the GPUs if a node has one.
        per_device: Trials that share one GPU.
        time_limit: Seconds for an attempt at a trial, after which it is recorded as failed; None is no limit.
        executor: "local" or "ray".
        address: The Ray cluster's head as "host:port", or "auto" for a cluster that runs on this machine. The
            default is RAY_ADDRESS; without that, a Ray is started on this machine for the campaign.

    Example:
        >>> Resources("cpu:2").executor
        'local'
        >>> Resources("cpu:2", address="10.0.0.1:6379")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: an address is a Ray cluster's: add --executor ray
    """

    devices: str | None = None
    per_device: int = 1
    time_limit: float | None = None
    executor: str = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.executor not in ("local", "ray"):
            raise UnknownName("executor", self.executor, ("local", "ray"))
        if self.executor == "local":
            slots(self.devices, self.per_device)
            if self.address is not None:
                raise SparsebenchError("an address is a Ray cluster's: add --executor ray")
            return
        slots("cpu", self.per_device)  # raises where it is below 1
        if self.devices not in (None, "cpu", "cuda"):
            raise SparsebenchError(
                f"devices = {self.devices!r}: with --executor ray it is cpu or cuda; how many of them a node "
                "gives is said where it is started, with `ray start --num-cpus N --num-gpus N`"
            )
        if find_spec("ray") is None:
            raise SparsebenchError("--executor ray needs Ray: pip install -e '.[ray]' in the clone")

    @property
    def own_device(self) -> str:
        """A device of this machine that is like the trials' devices, for what is tried ahead."""
        if self.executor == "local":
            return slots(self.devices, self.per_device)[0].device
        return "cpu" if self.devices == "cpu" else slots()[0].device

    def start(
        self,
        folder: Path,
        data_root: str | None,
        plugins: Sequence[str | Path],
        tasks: Sequence[Task],
        digests: Mapping[str, str],
        base: str | None = None,
    ) -> Executor:
        """Returns the executor of a campaign, whose workers write to its output folder.

        Args:
            folder: The output folder, which gets their log, checkpoints and finished models.
            data_root: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.
            plugins: Python files with methods and datasets, which each worker loads.
            tasks: The campaign's tasks; a Ray node is checked for their datasets.
            digests: The digest of each task's data, by the task's name.
            base: The folder in which relative paths in arguments are looked for.

        Returns:
            A `LocalExecutor` or a `ClusterExecutor`; close it to end its workers.
        """
        paths = [Path(plugin).resolve() for plugin in plugins]
        log, checkpoints, models = folder / LOG, folder.resolve() / CHECKPOINTS, folder.resolve() / MODELS
        if self.executor == "local":
            return LocalExecutor(
                slots(self.devices, self.per_device), data_root, [str(path) for path in paths],
                log=log, checkpoints=checkpoints, models=models, time_limit=self.time_limit,
            )  # fmt: skip
        from .ray_cluster.executor import ClusterExecutor

        config = WorkerConfig(
            device=self.devices or "auto",
            versions=versions(),
            plugins=[Plugin(str(path), path.read_text(encoding="utf-8")) for path in paths],
            datasets=[
                RequiredDataset(task.dataset, task.data_args, digests[task.name], base) for task in tasks
            ],
            data_root=data_root,
            folder=str(checkpoints),
            mark=mark(checkpoints),
            models=str(models),
        )
        return ClusterExecutor(config, self.address, self.per_device, log, self.time_limit)
