"""The worker on a node of a Ray cluster: a class that Ray runs as an actor.

Its methods take and return texts, so that no object of sparsebench is pickled between two machines.
"""

import getpass
import hashlib
import os
import secrets
import sys
import tempfile
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

from ....errors import SparsebenchError
from ....files import write_atomic
from ....reasons import reason
from ...output_folder.layout import MARK, MODELS, model_path
from ...system.environment import versions
from ...system.isolation.process_tree import adopt_orphans
from ...training.checkpointing import discard_checkpoint
from ...training.trial import open_data
from ...training.warm import load_ahead
from ..execute import answer_of, prepare_process
from ..trial_process import TrialProcess, empty_input
from ..warm_process import WarmProcess
from .messages import Plugin, RequiredDataset, WorkerConfig, WorkerReady

CHECKED = ("sparsebench", "torch", "timm")  # must have the driver's versions on every node


class TrialActor:
    """A worker, which Ray runs in a process of its own; `pause` and `forget` may be called while `run` runs.

    Args:
        config: The `WorkerConfig` as JSON.

    Example:
        >>> folder = Path("checkpoints")
        >>> config = WorkerConfig(device="cpu", versions=versions(), folder=str(folder), mark=mark(folder))
        >>> actor = TrialActor(config.model_dump_json())  # in this process, without Ray
        >>> actor.open(check_data=True)
        '{"device":"cpu","shares":true,"error":""}'
        >>> actor.pause()
        >>> actor.run(trial.model_dump_json()), (folder / f"{trial.id}.pt").exists()
        ('paused', True)
    """

    def __init__(self, config: str) -> None:
        self.config = WorkerConfig.model_validate_json(config)
        self.asked = threading.Event()
        self.warm = WarmProcess()
        self.process: TrialProcess | None = None
        self.checkpoints: Path | None = None
        self.models: Path | None = None
        self.data_root: str | None = None
        # Ray puts the driver's working folder on the path: in a checkout, `datasets` would be sparsebench's.
        root = Path(__file__).resolve().parents[3]
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != root]

    def open(self, check_data: bool) -> str:
        """Returns a `WorkerReady` as JSON, after comparing this node with the driver's machine.

        Args:
            check_data: Open every dataset and compare its digest, as the first worker of a node does.
        """
        try:
            self._compare()
            prepare_process(threads=1)  # a process that has used several cannot be forked safely
            placed = {_placed(plugin): plugin.path for plugin in self.config.plugins}
            self.warm.load_plugins(placed, placed)
            load_ahead()
            root = self.config.data_root
            self.data_root = root if root and Path(root).is_dir() else None
            for wanted in self.config.datasets if check_data else ():
                self._look_at(wanted)
            shares = self._shares()
            self.checkpoints = Path(self.config.folder) if shares else own_folder() / self.config.mark
            self.models = Path(self.config.models) if shares else self.checkpoints / MODELS
        except (SparsebenchError, OSError) as error:
            return WorkerReady(error=reason(error)).model_dump_json()
        return WorkerReady(device=self._device(), shares=shares).model_dump_json()

    def _compare(self) -> None:
        """Raises `SparsebenchError` for a package whose version differs from the driver's."""
        here, there = versions(), self.config.versions
        for name in CHECKED:
            if here.get(name) != there.get(name):
                raise SparsebenchError(
                    f"it has {name} {here.get(name, 'not installed')}, the driver {there.get(name)}; "
                    "install the same version on every node"
                )

    def _look_at(self, wanted: RequiredDataset) -> None:
        """Raises `SparsebenchError` for a dataset that is missing here or differs from the driver's."""
        found = open_data(wanted.dataset, self.data_root, wanted.args, wanted.base)
        if found.digest != wanted.digest:
            raise SparsebenchError(
                f"its dataset {wanted.dataset!r} differs from the driver's; copy the same files to every node"
            )

    def _shares(self) -> bool:
        """Returns whether this node sees the driver's folder of checkpoints and may write to it."""
        folder = Path(self.config.folder)
        with suppress(OSError):
            return (folder / MARK).read_text(encoding="utf-8") == self.config.mark and os.access(
                folder, os.W_OK
            )
        return False

    def _device(self) -> str:
        """Returns the device's name on the node, for the display, the log and failed records."""
        if self.config.device == "cpu":
            return "cpu"
        return f"cuda:{os.environ.get('CUDA_VISIBLE_DEVICES') or 0}"  # Ray makes only its own GPU visible

    def run(self, trial: str) -> str:
        """Runs a trial, given as JSON, in a process of its own.

        Returns `record <JSON>`, `paused`, `memory <reason>` or `died <how>`.
        """
        device = "cpu" if self.config.device == "cpu" else "cuda:0"
        self.warm.open(trial, self.data_root, device)
        process = self.warm.fork(
            partial(
                answer_of, trial, threads=self.config.threads, device=device, data_root=self.data_root,
                checkpoints=self.checkpoints, models=self.models,
                every_seconds=self.config.checkpoint_seconds,
            )
        )  # fmt: skip
        self.process = process
        try:
            if self.asked.is_set():
                process.pause()
            return process.wait_for_answer()
        finally:
            self.process = None
            process.end()

    def pause(self) -> None:
        """Asks the running trial to end with a checkpoint; later trials of this worker end so too."""
        self.asked.set()
        if (process := self.process) is not None:
            process.pause()

    def model(self, identity: str) -> bytes:
        """Returns the file of a trial's finished model and deletes it here; empty where there is none."""
        assert self.models
        file = model_path(self.models, identity)
        try:
            return file.read_bytes()
        except OSError:
            return b""
        finally:
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def forget(self, identity: str) -> None:
        """Deletes the checkpoint of a trial whose record is on the driver's disk."""
        if self.checkpoints is not None:
            discard_checkpoint(self.checkpoints, identity)


class NodeActor(TrialActor):
    """A `TrialActor` that has a process to itself: its input is empty, and what trials leave is killed.

    Args:
        config: The `WorkerConfig` as JSON.

    Example:
        >>> issubclass(NodeActor, TrialActor)  # made by Ray alone, in the process that it starts for it
        True
    """

    def __init__(self, config: str) -> None:
        empty_input()
        adopt_orphans()
        super().__init__(config)


def mark(folder: Path) -> str:
    """Returns the mark of a folder of checkpoints: a random text in a file, by which nodes recognise it.

    Args:
        folder: The folder of checkpoints; it and its mark file are created where they are missing.

    Returns:
        The content of the mark file. Where it cannot be written, a text that no node will find.

    Example:
        >>> first = mark(Path("checkpoints"))
        >>> mark(Path("checkpoints")) == first == Path("checkpoints/here").read_text()
        True
    """
    file = folder / MARK
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(secrets.token_hex(8), encoding="utf-8")
        return file.read_text(encoding="utf-8")
    return secrets.token_hex(8)


def own_folder() -> Path:
    """Returns the folder of this node's workers for plugins, checkpoints and models; created where missing.

    It lies in the folder of temporary files, and no other user can write to it: its plugins are executed.

    Returns:
        The folder `sparsebench-USER` among the temporary files.

    Raises:
        SparsebenchError: The folder belongs to another user, others may write to it, or it is a link.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.object(tempfile, "tempdir", os.getcwd()):  # in place of /tmp
        ...     own = own_folder()
        >>> own.name == f"sparsebench-{getpass.getuser()}", oct(own.stat().st_mode & 0o777)
        (True, '0o700')
    """
    folder = Path(tempfile.gettempdir()) / f"sparsebench-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022 or folder.is_symlink():
        raise SparsebenchError(f"{folder} belongs to somebody else; set TMPDIR to a folder of your own")
    return folder


def _placed(plugin: Plugin) -> Path:
    """Returns a file with a plugin's text: the driver's path where this node has the same, else a copy."""
    path = Path(plugin.path)
    with suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == plugin.text:
            return path
    folder = own_folder() / "plugins" / hashlib.sha256(plugin.text.encode()).hexdigest()[:16]
    return write_atomic(folder / path.name, plugin.text)  # another worker of this node may be reading it
