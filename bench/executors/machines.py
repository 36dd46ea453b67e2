"""What a campaign runs on, as its options say it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..devices import slots
from .api import Executor
from .local import LocalExecutor

TIME_LIMIT = 24 * 3600.0
LOG, CHECKPOINTS = "workers.log", "checkpoints"


@dataclass(frozen=True)
class Machines:
    """The devices of this machine: `--devices` and `--per-device`. `time_limit` in seconds is for a trial.

    Errors, when it is made: a device that is not there.
    """

    devices: str | None = None
    per_device: int = 1
    time_limit: float | None = TIME_LIMIT

    def __post_init__(self) -> None:
        slots(self.devices, self.per_device)

    def start(self, folder: Path, data_root: str | None, plugins: Sequence[str | Path]) -> Executor:
        """Workers for the campaign of an output folder, which keeps their log and their checkpoints."""
        return LocalExecutor(
            slots(self.devices, self.per_device),
            data_root,
            [str(Path(plugin).resolve()) for plugin in plugins],
            log=folder / LOG,
            checkpoints=folder.resolve() / CHECKPOINTS,
            time_limit=self.time_limit,
        )
