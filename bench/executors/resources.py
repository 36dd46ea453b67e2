"""What a campaign runs on, as its options say it."""

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
from .ray_cluster.actor import Plugin, RequiredDataset, WorkerConfig, mark


@dataclass(frozen=True)
class Resources:
    """This machine's devices, or those of a Ray cluster's nodes: `--executor`, `--devices`, `--per-device`.

    On a cluster `devices` is `cpu` or `cuda`, by default the GPUs if a node has one; `address` is `host:port`
    or `auto`, else RAY_ADDRESS, else a Ray of our own. `time_limit` in seconds is for a trial. Errors, when
    it is made: a device that is not there, Ray that is not installed.
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
        slots("cpu", self.per_device)  # at least one
        if self.devices not in (None, "cpu", "cuda"):
            raise SparsebenchError(
                f"devices = {self.devices!r}: with --executor ray it is cpu or cuda; how many of them a node "
                "gives is said where it is started, with `ray start --num-cpus N --num-gpus N`"
            )
        if find_spec("ray") is None:
            raise SparsebenchError("--executor ray needs Ray: pip install -e '.[ray]' in the clone")

    def start(
        self,
        folder: Path,
        data_root: str | None,
        plugins: Sequence[str | Path],
        tasks: Sequence[Task],
        digests: Mapping[str, str],
    ) -> Executor:
        """Workers for the campaign of an output folder, which keeps their log, checkpoints and models.

        `digests` has each task's data, by the task's name.
        """
        paths = [Path(plugin).resolve() for plugin in plugins]
        log, checkpoints, models = folder / LOG, folder.resolve() / CHECKPOINTS, folder.resolve() / MODELS
        if self.executor == "local":
            return LocalExecutor(
                slots(self.devices, self.per_device), data_root, [str(path) for path in paths],
                log=log, checkpoints=checkpoints, models=models, time_limit=self.time_limit,
            )  # fmt: skip
        from .ray_cluster.executor import ClusterExecutor

        setting = WorkerConfig(
            device=self.devices or "auto",
            versions=versions(),
            plugins=[Plugin(str(path), path.read_text(encoding="utf-8")) for path in paths],
            datasets=[RequiredDataset(task.dataset, task.data_args, digests[task.name]) for task in tasks],
            data_root=data_root,
            folder=str(checkpoints),
            mark=mark(checkpoints),
            models=str(models),
        )
        return ClusterExecutor(setting, self.address, self.per_device, log, self.time_limit)
