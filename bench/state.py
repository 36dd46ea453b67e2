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

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import SparsebenchError
from .folder import SUITE
from .standing import Standing

FILE = "state.json"
PAUSE = 1.0  # seconds between two writings at least
KEPT = 5  # sentences


class State(BaseModel):
    """The driver's last words. `suite` is the hash of the folder's suite.json that they belong to; `command`
    is None where the driver was not started by the command line; `plugins` are whole paths; times in seconds
    since the epoch."""

    model_config = ConfigDict(frozen=True)

    pid: int
    host: str
    cwd: str
    command: str | None
    plugins: tuple[str, ...] = ()
    suite: str
    written: float
    said: tuple[tuple[float, str], ...] = ()
    standing: Standing | None = None


class StateFile:
    """A display that keeps DIR/state.json up to date, always whole. A full disk costs only the view."""

    def __init__(self, folder: Path, plugins: Sequence[str | Path] = ()) -> None:
        self.folder, self._wrote = folder, 0.0
        self._plugins = tuple(str(Path(path).resolve()) for path in plugins)
        self._said: deque[tuple[float, str]] = deque(maxlen=KEPT)
        self._suite, self._command = suite_hash(folder), command_line()
        self._write(None)

    def show(self, standing: Standing) -> None:
        if standing.ended or standing.done or time.monotonic() - self._wrote >= PAUSE:
            self._write(standing)

    def say(self, message: str) -> None:
        self._said.append((time.time(), message))

    def _write(self, standing: Standing | None) -> None:
        self._wrote = time.monotonic()
        temporary = self.folder / f"{FILE}.tmp"
        try:
            temporary.write_text(self._state(standing).model_dump_json() + "\n", encoding="utf-8")
            temporary.replace(self.folder / FILE)
        except (OSError, ValueError):  # a full disk; a working directory that is gone, or no text
            with suppress(OSError):
                temporary.unlink()

    def _state(self, standing: Standing | None) -> State:
        return State(
            pid=os.getpid(), host=socket.gethostname(), cwd=str(Path.cwd()), command=self._command,
            plugins=self._plugins, suite=self._suite, written=time.time(), said=tuple(self._said),
            standing=standing,
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
