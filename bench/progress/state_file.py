"""The file state.json of an output folder: where its driver runs, and the campaign's snapshot. No torch."""

import os
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
from ...parsing import parse_json
from ..output_folder.layout import SUITE
from ..system.urls import HIDDEN, without_logins
from .snapshot import CampaignSnapshot

FILE = "state.json"
PAUSE = 1.0  # seconds between two writes at least
KEPT = 5  # messages


class State(BaseModel):
    """The content of state.json, as the driver last wrote it. Times are in seconds since the epoch.

    Attributes:
        pid: The driver's process.
        host: The machine that it runs on.
        cwd: Its working folder.
        command: The command that started it; None where it was started from Python.
        plugins: The plugin files, as absolute paths.
        suite: The hash of the suite.json that the state belongs to.
        written: When the state was written.
        said: The last messages, each with its time.
        snapshot: The campaign; None until the driver has its first snapshot.

    Example:
        >>> _ = StateFile(folder)
        >>> read_state(folder).pid == os.getpid()
        True
    """

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
    """A display that writes each snapshot to state.json, at most once a second.

    Readers see a whole file at any time. An error of the disk is ignored: it must not stop the campaign.

    Args:
        folder: The output folder. A first state, without a snapshot, is written at once.
        plugins: The plugin files of the campaign.

    Example:
        >>> from sparsebench.bench.progress.status import status
        >>> snapshot = status(folder).snapshot
        >>> StateFile(folder).show(snapshot)
        >>> read_state(folder).snapshot == snapshot
        True
    """

    def __init__(self, folder: Path, plugins: Sequence[str | Path] = ()) -> None:
        self.folder, self._wrote = folder, 0.0
        self._plugins = tuple(str(Path(path).resolve()) for path in plugins)
        self._said: deque[tuple[float, str]] = deque(maxlen=KEPT)
        self._suite, self._command = suite_hash(folder), command_line()
        self._write(None)

    def show(self, snapshot: CampaignSnapshot) -> None:
        """Writes the snapshot, unless one was written within the last second; the last one always."""
        if snapshot.ended or snapshot.done or time.monotonic() - self._wrote >= PAUSE:
            self._write(snapshot)

    def say(self, message: str) -> None:
        """Adds a message to the next state that is written; the last five stay."""
        self._said.append((time.time(), message))

    def _write(self, snapshot: CampaignSnapshot | None) -> None:
        self._wrote = time.monotonic()
        if not self.folder.is_dir():  # gone: writing would make it anew
            return
        # A full disk; a working directory that is gone, or whose name is no text.
        with suppress(SparsebenchError, OSError, ValueError):
            text = self._state(snapshot).model_dump_json() + "\n"
            write_atomic(self.folder / FILE, text, private="://" in (self._command or ""))

    def _state(self, snapshot: CampaignSnapshot | None) -> State:
        return State(
            pid=os.getpid(), host=socket.gethostname(), cwd=str(Path.cwd()), command=self._command,
            plugins=self._plugins, suite=self._suite, written=time.time(), said=tuple(self._said),
            snapshot=snapshot,
        )  # fmt: skip


def suite_hash(folder: Path) -> str:
    """Returns the hash of a folder's suite.json: a state with another one is from before an extension.

    Args:
        folder: The output folder.

    Returns:
        The first 16 hex digits of its SHA-256; empty where the file cannot be read.

    Example:
        >>> _ = (folder / "suite.json").write_text("{}")
        >>> suite_hash(folder)
        '44136fa355b3678a'
    """
    try:
        return sha256((folder / SUITE).read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def command_line() -> str | None:
    """Returns the command that started this process, without the logins in its addresses.

    Returns:
        The command, quoted for a shell; None where the process is not the command line of sparsebench.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.object(sys, "argv", ["sparsebench", "run", "--storage", "mysql://me:secret@host/x"]):
        ...     command_line()
        'sparsebench run --storage mysql://…@host/x'
    """
    if Path(sys.argv[0]).stem != "sparsebench":
        return None
    words = [word.replace(HIDDEN, "%HIDDEN%") for word in without_logins(sys.argv[1:])]  # needs no quotes
    return shlex.join(["sparsebench", *words]).replace("%HIDDEN%", HIDDEN)


def read_state(folder: Path) -> State | None:
    """Returns the state that a driver has written.

    Args:
        folder: The output folder.

    Returns:
        The state; None where there is no state.json, as in a folder of merged records.

    Raises:
        SparsebenchError: The file cannot be read, or is damaged.

    Example:
        >>> read_state(folder) is None
        True
        >>> _ = StateFile(folder)
        >>> read_state(folder).snapshot is None  # the campaign has not started a trial yet
        True
    """
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SparsebenchError(f"{folder / FILE} cannot be read: {error}") from error
    try:
        return State.model_validate(parse_json(text, f"{folder / FILE} is damaged"))
    except ValidationError as error:
        raise SparsebenchError(f"{folder / FILE} is damaged: {error.errors()[0]['msg']}") from error
