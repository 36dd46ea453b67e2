"""What a driver leaves for others to read: where it runs and how its campaign stands. No torch."""

import os
import re
import shlex
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from ...errors import SparsebenchError
from ...files import write_atomic
from ..output_folder.layout import SUITE
from .snapshot import CampaignSnapshot

FILE = "state.json"
PAUSE = 1.0  # seconds between two writings at least
KEPT = 5  # sentences


class State(BaseModel):
    """The driver's last words. `suite` is the hash of the folder's suite.json that they belong to; `command`
    is None where the driver was not started by the command line; `plugins` are whole paths; times in seconds
    since the epoch."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    pid: int
    host: str
    cwd: str
    command: str | None
    plugins: tuple[str, ...] = ()
    suite: str
    written: float
    said: tuple[tuple[float, str], ...] = ()
    snapshot: CampaignSnapshot | None = Field(
        None, validation_alias=AliasChoices("snapshot", "standing"), serialization_alias="standing"
    )


class StateFile:
    """A display that keeps DIR/state.json up to date, always whole. A full disk costs only the view."""

    def __init__(self, folder: Path, plugins: Sequence[str | Path] = ()) -> None:
        self.folder, self._wrote = folder, 0.0
        self._plugins = tuple(str(Path(path).resolve()) for path in plugins)
        self._said: deque[tuple[float, str]] = deque(maxlen=KEPT)
        self._suite, self._command = suite_hash(folder), command_line()
        self._write(None)

    def show(self, snapshot: CampaignSnapshot) -> None:
        if snapshot.ended or snapshot.done or time.monotonic() - self._wrote >= PAUSE:
            self._write(snapshot)

    def say(self, message: str) -> None:
        self._said.append((time.time(), message))

    def _write(self, snapshot: CampaignSnapshot | None) -> None:
        self._wrote = time.monotonic()
        # A full disk; a working directory that is gone, or whose name is no text.
        with suppress(SparsebenchError, OSError, ValueError):
            write_atomic(self.folder / FILE, self._state(snapshot).model_dump_json() + "\n")

    def _state(self, snapshot: CampaignSnapshot | None) -> State:
        return State(
            pid=os.getpid(), host=socket.gethostname(), cwd=str(Path.cwd()), command=self._command,
            plugins=self._plugins, suite=self._suite, written=time.time(), said=tuple(self._said),
            snapshot=snapshot,
        )  # fmt: skip


def suite_hash(folder: Path) -> str:
    """Which suite.json the folder has now; empty where there is none."""
    try:
        return sha256((folder / SUITE).read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def command_line() -> str | None:
    """The command that started this process, without the logins in its addresses; None if it is not ours."""
    if Path(sys.argv[0]).stem != "sparsebench":
        return None
    return re.sub(r"://[^/@\s]+@", "://…@", shlex.join(["sparsebench", *sys.argv[1:]]))


def read_state(folder: Path) -> State | None:
    """The state that a driver has left; None where there is none. Errors: it is damaged."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SparsebenchError(f"{folder / FILE} cannot be read: {error}") from error
    try:
        return State.model_validate_json(text)
    except ValidationError as error:
        raise SparsebenchError(f"{folder / FILE} is damaged: {error.errors()[0]['msg']}") from error
