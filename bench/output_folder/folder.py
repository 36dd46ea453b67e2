"""The output folder of a campaign: one suite, one driver at a time."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ...errors import SparsebenchError
from ...files import write_atomic
from ...records.store import FILE
from ..config.suite import Suite
from .layout import CHECKPOINTS, LOCK, METHODS, MODELS, SUITE
from .suite_diff import suite_changes

OWN = (CHECKPOINTS, MODELS, METHODS, "site", "leaderboard.md")  # files that are written over, folders cleared


class OutputFolder:
    """Opens (or makes) an output folder for one suite, and holds its lock until closed.

    Errors: a folder that cannot be written, that another campaign is using, or that holds another suite's
    records; then the message lists what differs.
    """

    def __init__(
        self, path: str | Path, suite: Suite, digests: Mapping[str, str], *, extend: bool = False
    ) -> None:
        from ...methods.api import registry  # torch, which a report does without
        from ..config.method_docs import describe_method

        self.path, self.extend = Path(path), extend
        self._lock: IO[str] | None = None
        # A summary decides nothing: rewording it must not part a suite from its records.
        self.identity = {
            "suite": suite.model_dump(mode="json", exclude={"summary"}),
            "data": dict(digests),
            "methods": {entry.method: registry[entry.method].version for entry in suite.entries},
        }
        self.described = {entry.method: describe_method(entry.method) for entry in suite.entries}

    def __enter__(self) -> "OutputFolder":
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / LOCK).open("a")
            self._acquire()
            self._check()
            _write_json(self.path / METHODS, self.described)
        except OSError as error:
            self._release()
            raise SparsebenchError(
                f"cannot write to the output folder {str(self.path)!r}: {error.strerror}"
            ) from error
        except BaseException:
            self._release()  # a refused folder must not stay locked for as long as somebody keeps the error
            raise
        return self

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def _acquire(self) -> None:
        try:
            import fcntl
        except ImportError:  # not on Windows: there two drivers on one folder are the user's own care
            return
        assert self._lock is not None
        for patience in (0.1, 0.3, None):  # somebody who asks `in_use` holds it for a moment
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(patience or 0.0)
        raise SparsebenchError(
            f"another campaign is running in {str(self.path)!r}; wait for it, or choose another --out"
        )

    def _check(self) -> None:
        written, records = self.path / SUITE, self.path / FILE
        begun = records.exists() and records.stat().st_size > 0
        if begun and not written.exists():
            raise SparsebenchError(
                f"{str(self.path)!r} holds records of an unknown suite; choose another --out"
            )
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
        raise SparsebenchError(f"{str(self.path)!r} holds another campaign's records ({shown}); {advice}")

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
                f"{str(self.path)!r} holds {foreign!r}, which no campaign wrote; choose another --out"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()


def _write_json(path: Path, content: Any) -> None:
    write_atomic(path, json.dumps(content, indent=1) + "\n")


def in_use(path: Path) -> bool | None:
    """Whether a driver holds the folder's lock, on this machine or (where the file system passes locks on)
    on another; None where that cannot be told."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
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
    """What a folder says of its suite. Errors: the file is not what a campaign writes."""
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
    """Where each task's hypervolume is cut off, as its suite says; empty for a folder of bare records."""
    if not (path / SUITE).is_file():
        return {}
    tasks = read_identity(path)["suite"].get("tasks", [])
    try:
        return {f"{task['dataset']}-{task['model']}": float(task["x_max"]) for task in tasks}
    except (ValueError, KeyError, TypeError) as error:
        raise SparsebenchError(f"{path / SUITE} is damaged: {error!r}") from error
