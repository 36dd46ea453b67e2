"""The first command of a worker: what it is for, and what its process takes over from the driver."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class WorkerSetup:
    """The parameters of a worker, which hold for all its trials.

    Attributes:
        device: The torch device, such as "cpu" or "cuda:0".
        threads: CPU threads of a trial.
        checkpoint_seconds: Time between checkpoints.
        data_root: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.
        checkpoints: The folder of checkpoints; None writes none.
        models: The folder for finished models of the confirm phase; None writes none.
        plugins: Paths of the plugins, loaded in this order.

    Example:
        >>> from dataclasses import replace
        >>> setup = WorkerSetup("cuda:0", threads=1, checkpoint_seconds=60.0, plugins=("mine.py",))
        >>> replace(setup, device="cuda:1").plugins  # the same campaign in another slot
        ('mine.py',)
    """

    device: str
    threads: int
    checkpoint_seconds: float
    data_root: str | None = None
    checkpoints: Path | None = None
    models: Path | None = None
    plugins: tuple[str, ...] = ()


def first_command(setup: WorkerSetup) -> str:
    """Returns the first line that a worker reads: its setup, and this process's environment and folders.

    Args:
        setup: The parameters of the worker.

    Returns:
        JSON in one line; variables and paths that are no valid text keep their bytes.

    Example:
        >>> take_over(first_command(WorkerSetup("cpu", 1, 60.0, checkpoints=Path("kept")))).checkpoints
        PosixPath('kept')
    """
    folder = None
    with suppress(OSError):  # it has been deleted
        folder = str(Path.cwd())
    process = {"environment": dict(os.environ), "folder": folder, "path": list(map(str, sys.path))}
    return json.dumps({"process": process, "setup": asdict(setup)}, default=str)


def take_over(line: str) -> WorkerSetup:
    """Gives this process the environment, folder and search path of the driver; returns the worker's setup.

    Args:
        line: What `first_command` has returned.

    Returns:
        The setup.

    Example:
        >>> take_over(first_command(WorkerSetup("cpu", threads=2, checkpoint_seconds=60.0))).threads
        2
    """
    told = json.loads(line)
    process, setup = told["process"], told["setup"]
    os.environ.clear()
    os.environ.update(process["environment"])
    sys.path[:] = process["path"]
    if process["folder"] is not None:
        with suppress(OSError):
            os.chdir(process["folder"])
    for name in ("checkpoints", "models"):
        setup[name] = Path(setup[name]) if setup[name] is not None else None
    return WorkerSetup(**{**setup, "plugins": tuple(setup["plugins"])})
