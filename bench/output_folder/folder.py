"""The output folder of a campaign: one suite, one driver at a time."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from ...errors import SparsebenchError
from ...files import write_atomic
from ...records.store import FILE
from ..config.suite import Suite
from .layout import CHECKPOINTS, LOCK, METHODS, MODELS, SUITE
from .suite_diff import suite_changes

LOCK_SECONDS = 0.4
OWN = (CHECKPOINTS, MODELS, METHODS, "site", "leaderboard.md")  # files that are written over, folders cleared


class OutputFolder:
    """An output folder, opened (or made) for one suite, and locked until it is closed.

    Args:
        path: The folder.
        suite: The suite that is to run.
        digests: The digest of each task's data, by the task's name.
        extend: Accept a suite that has gained entries, tasks, trials or seeds since the folder was begun.

    Raises:
        SparsebenchError: On entering: the folder cannot be written, another campaign uses it, it holds files
            that no campaign wrote, or records of another suite; then the message lists what differs.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> suite = load_suite("quickstart")
        >>> with OutputFolder("run", suite, {task.name: "0" * 16 for task in suite.tasks}):
        ...     in_use(Path("run"))
        True
        >>> in_use(Path("run"))
        False
    """

    def __init__(
        self, path: str | Path, suite: Suite, digests: Mapping[str, str], *, extend: bool = False
    ) -> None:
        from ...methods.api import registry  # torch, which a report does without
        from ..config.method_docs import describe_method

        self.path, self.extend = Path(path), extend
        self._lock = FileLock(self.path / LOCK)
        # A summary decides nothing: rewording it must not part a suite from its records.
        self.identity = {
            "suite": suite.model_dump(mode="json", exclude={"summary"}),
            "data": dict(digests),
            "methods": {entry.method: registry[entry.method].version for entry in suite.entries},
        }
        self.method_docs = {entry.method: describe_method(entry.method) for entry in suite.entries}

    def __enter__(self) -> "OutputFolder":
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._acquire()
            self._check()
            _write_json(self.path / METHODS, self.method_docs)
        except OSError as error:
            self._lock.release()
            raise SparsebenchError(
                f"cannot write to the output folder {str(self.path)!r}: {error.strerror}"
            ) from error
        except BaseException:
            self._lock.release()  # also while somebody keeps the error
            raise
        return self

    def _acquire(self) -> None:
        """Takes the lock; `in_use` asks for it for a moment, so a short wait comes before the refusal."""
        try:
            self._lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise SparsebenchError(
                f"another campaign is running in {str(self.path)!r}; wait for it, or choose another --out"
            ) from None

    def _check(self) -> None:
        written, records = self.path / SUITE, self.path / FILE
        begun = records.exists() and records.stat().st_size > 0
        if begun and not written.exists():
            raise SparsebenchError(f"{str(self.path)!r} has records but no suite.json; choose another --out")
        if not begun:
            self._check_foreign()
            _write_json(written, self.identity)
            return
        found = suite_changes(read_identity(self.path), self.identity)
        if not found:
            return
        additions = all(change.adds for change in found)
        if additions and self.extend:
            _write_json(written, self.identity)
            return
        shown = "; ".join(str(change) for change in found[:4]) + ("; …" if len(found) > 4 else "")
        advice = "continue it with --extend, or choose another --out" if additions else "choose another --out"
        raise SparsebenchError(f"{str(self.path)!r} holds records of another suite ({shown}); {advice}")

    def _check_foreign(self) -> None:
        """Without records: what a campaign would overwrite or clear away must be a campaign's."""
        if (self.path / SUITE).exists():
            try:
                read_identity(self.path)
                return
            except SparsebenchError:
                foreign = SUITE
        else:
            foreign = next((name for name in OWN if (self.path / name).exists()), "")
        if foreign:
            raise SparsebenchError(
                f"{str(self.path)!r} holds {foreign!r}, which sparsebench did not write; choose another --out"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


def _write_json(path: Path, content: Any) -> None:
    write_atomic(path, json.dumps(content, indent=1) + "\n")


def in_use(path: Path) -> bool | None:
    """Returns whether a driver holds the folder's lock.

    Args:
        path: An output folder.

    Returns:
        True where a driver runs, on this machine or (where the file system passes locks on) on another; None
        where that cannot be told, as for a lock that may not be read.

    Example:
        >>> in_use(Path("nowhere"))
        False
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        return None
    try:
        # A shared lock on a file that is only read: two that ask at once, or may not write, are answered too.
        with (path / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def read_identity(path: Path) -> dict[str, Any]:
    """Returns what the suite.json of a folder holds.

    Args:
        path: An output folder.

    Returns:
        `suite` (as JSON), `data` (digests by task) and `methods` (versions by name).

    Raises:
        SparsebenchError: The file is not what a campaign writes.

    Example:
        >>> content = {"suite": {"name": "s"}, "data": {}, "methods": {"dwf": 1}}
        >>> _ = Path(SUITE).write_text(json.dumps(content))
        >>> read_identity(Path())["methods"]
        {'dwf': 1}
    """
    try:
        content = json.loads((path / SUITE).read_text(encoding="utf-8"))
        found = {part: dict(content[part]) for part in ("suite", "data", "methods")}
        for part in ("entries", "tasks"):
            found["suite"][part] = [dict(item) for item in found["suite"].get(part, [])]
        return found
    except KeyError as error:
        raise SparsebenchError(f"{path / SUITE} is damaged: it has no {error}") from error
    except (ValueError, TypeError) as error:
        raise SparsebenchError(f"{path / SUITE} is damaged: {error}") from error


def x_max(path: Path) -> dict[str, float]:
    """Returns where the hypervolume of each task is cut off, as the folder's suite says.

    Args:
        path: An output folder.

    Returns:
        log10 of the compression by the task's name; empty for a folder of records without a suite.

    Raises:
        SparsebenchError: The suite.json is damaged.

    Example:
        >>> task = {"dataset": "digits", "model": "lenet5", "x_max": 2.5}
        >>> content = {"suite": {"tasks": [task]}, "data": {}, "methods": {}}
        >>> _ = Path(SUITE).write_text(json.dumps(content))
        >>> x_max(Path())
        {'digits-lenet5': 2.5}
    """
    if not (path / SUITE).is_file():
        return {}
    tasks = read_identity(path)["suite"].get("tasks", [])
    try:
        return {f"{task['dataset']}-{task['model']}": float(task["x_max"]) for task in tasks}
    except (ValueError, KeyError, TypeError) as error:
        raise SparsebenchError(f"{path / SUITE} is damaged: {error!r}") from error
