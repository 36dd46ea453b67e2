"""A warm worker on a node of a cluster. Texts go in and come out, so that nothing of ours is pickled."""

import getpass
import hashlib
import os
import secrets
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from ....errors import SparsebenchError
from ....files import write_atomic
from ....registry import load_plugin
from ...config.trial_spec import Trial
from ...output_folder.layout import MODELS, model_path
from ...system.environment import versions
from ...training.checkpointing import EVERY_SECONDS, TrialPaused, discard_checkpoint
from ...training.trial import open_data
from ..execute import OutOfMemory, execute_trial, prepare_process

CHECKED = ("sparsebench", "torch", "timm")
MARK = "here"


class Plugin(NamedTuple):
    """A plugin file of the driver's machine, as its path there and its text."""

    path: str
    text: str


class RequiredDataset(NamedTuple):
    """A dataset that the campaign needs, with the digest that the driver has found."""

    dataset: str
    args: dict[str, Any]
    digest: str


class WorkerConfig(BaseModel):
    """What a worker has to know of its campaign.

    `device` is `cpu`, `cuda` or `auto`. `folder` is the campaign's folder of checkpoints on the driver's
    machine, with the content of its `mark`: a node that reads the same sees the same folder. `models` is
    its folder of finished models there; a node that does not share it hands them over.
    """

    device: str
    versions: dict[str, str]
    plugins: list[Plugin] = []
    datasets: list[RequiredDataset] = []
    data_root: str | None = None
    folder: str = ""
    mark: str = ""
    models: str = ""
    threads: int = 1
    checkpoint_seconds: float = EVERY_SECONDS


class WorkerReady(BaseModel):
    """What a worker answers when it has started: its device, or in `error` why it is of no use here."""

    device: str = ""
    shares: bool = False
    error: str = ""


class TrialActor:
    """Lives in a process of its own; `pause` and `forget` may be called beside `run`."""

    def __init__(self, setting: str) -> None:
        self.setting = WorkerConfig.model_validate_json(setting)
        self.asked = threading.Event()
        self.checkpoints: Path | None = None
        self.models: Path | None = None
        self.data_root: str | None = None
        # Ray puts the driver's working folder on the path: in a checkout, `datasets` would be ours.
        root = Path(__file__).resolve().parents[3]
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != root]

    def open(self, check_data: bool) -> str:
        """Compare this node with the driver's machine and get ready; `check_data` opens every dataset."""
        try:
            self._compare()
            for plugin in self.setting.plugins:
                load_plugin(_placed(plugin))
            # The folder that the driver names, where this node has it, else the node's own.
            root = self.setting.data_root
            self.data_root = root if root and Path(root).is_dir() else None
            for wanted in self.setting.datasets if check_data else ():
                self._look_at(wanted)
            shares = self._shares()
            self.checkpoints = Path(self.setting.folder) if shares else own_folder() / self.setting.mark
            self.models = Path(self.setting.models) if shares else self.checkpoints / MODELS
        except (SparsebenchError, OSError) as error:
            return WorkerReady(error=str(error)).model_dump_json()
        return WorkerReady(device=self._device(), shares=shares).model_dump_json()

    def _compare(self) -> None:
        here, there = versions(), self.setting.versions
        for name in CHECKED:
            if here.get(name) != there.get(name):
                raise SparsebenchError(
                    f"it has {name} {here.get(name, 'not installed')}, the driver {there.get(name)}; "
                    "install the same version on every node"
                )

    def _look_at(self, wanted: RequiredDataset) -> None:
        found = open_data(wanted.dataset, self.data_root, wanted.args)
        if found.digest != wanted.digest:
            raise SparsebenchError(
                f"its dataset {wanted.dataset!r} differs from the driver's; copy the same files to every node"
            )

    def _shares(self) -> bool:
        folder = Path(self.setting.folder)
        with suppress(OSError):
            return (folder / MARK).read_text(encoding="utf-8") == self.setting.mark and os.access(
                folder, os.W_OK
            )
        return False

    def _device(self) -> str:
        if self.setting.device == "cpu":
            return "cpu"
        return f"cuda:{os.environ.get('CUDA_VISIBLE_DEVICES') or 0}"  # Ray shows a worker its own GPU alone

    def run(self, trial: str) -> str:
        """`record <JSON>`, `paused` or `memory <reason>`, for a trial as JSON."""
        prepare_process(self.setting.threads)  # here: it holds for the thread that trains
        try:
            record = execute_trial(
                Trial.model_validate_json(trial),
                device="cpu" if self.setting.device == "cpu" else "cuda:0",
                data_root=self.data_root,
                checkpoints=self.checkpoints,
                models=self.models,
                every_seconds=self.setting.checkpoint_seconds,
                asked=self.asked.is_set,
            )
        except TrialPaused:
            return "paused"
        except OutOfMemory as error:
            return f"memory {error}"
        return f"record {record.to_json()}"

    def pause(self) -> None:
        """End with a checkpoint; a campaign that pauses has no more trials for this worker."""
        self.asked.set()

    def model(self, identity: str) -> bytes:
        """The file of a finished model, which is removed here; empty where there is none."""
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
        """The trial's record is on the driver's disk."""
        if self.checkpoints is not None:
            discard_checkpoint(self.checkpoints, identity)


def mark(folder: Path) -> str:
    """What a folder of checkpoints is known by; made once. A disk that takes none: what no node will find."""
    file = folder / MARK
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(secrets.token_hex(8), encoding="utf-8")
        return file.read_text(encoding="utf-8")
    return secrets.token_hex(8)


def own_folder() -> Path:
    """A folder on this machine that belongs to this user alone; what lies in it may be run."""
    folder = Path(tempfile.gettempdir()) / f"sparsebench-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022 or folder.is_symlink():
        raise SparsebenchError(f"{folder} belongs to somebody else; set TMPDIR to a folder of your own")
    return folder


def _placed(plugin: Plugin) -> Path:
    """The driver's file where this node has it too, else a copy of its text."""
    path = Path(plugin.path)
    with suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == plugin.text:
            return path
    folder = own_folder() / "plugins" / hashlib.sha256(plugin.text.encode()).hexdigest()[:16]
    return write_atomic(folder / path.name, plugin.text)  # another worker of this node may be reading it
