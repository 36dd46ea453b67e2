"""The output folder of a campaign: one suite, one driver at a time."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..errors import SparsebenchError
from .records import FILE
from .suite import Suite

SUITE = "suite.json"
LOCK = ".lock"


class Folder:
    """Opens (or makes) an output folder for one suite, and holds its lock until closed.

    Errors: a folder that cannot be written, that another campaign is using, or that holds another suite's
    records; then the message lists what differs.
    """

    def __init__(self, path: str | Path, suite: Suite, digests: Mapping[str, str]) -> None:
        from ..methods.api import registry  # torch, which a report does without

        self.path = Path(path)
        self._lock: IO[str] | None = None
        # A summary decides nothing: rewording it must not part a suite from its records.
        self.identity = {
            "suite": suite.model_dump(mode="json", exclude={"summary"}),
            "data": dict(digests),
            "methods": {entry.method: registry[entry.method].version for entry in suite.entries},
        }

    def __enter__(self) -> "Folder":
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / LOCK).open("a")
            self._acquire()
            self._check()
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
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SparsebenchError(
                f"another campaign is running in {str(self.path)!r}; wait for it, or choose another --out"
            ) from None

    def _check(self) -> None:
        written, records = self.path / SUITE, self.path / FILE
        begun = records.exists() and records.stat().st_size > 0
        if not begun or not written.exists():
            if begun:
                raise SparsebenchError(
                    f"{str(self.path)!r} holds records of an unknown suite; choose another --out"
                )
            temporary = written.with_suffix(".tmp")
            temporary.write_text(json.dumps(self.identity, indent=1) + "\n", encoding="utf-8")
            temporary.replace(written)
            return
        before = read_identity(self.path)
        differences = list(_differences(before, self.identity))
        if differences:
            shown = "; ".join(differences[:4]) + ("; …" if len(differences) > 4 else "")
            raise SparsebenchError(
                f"{str(self.path)!r} holds another campaign's records ({shown}); choose another --out"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()


def read_identity(path: Path) -> dict[str, Any]:
    """What a folder says of its suite. Errors: the file is not what a campaign writes."""
    try:
        content = json.loads((path / SUITE).read_text(encoding="utf-8"))
        return {part: dict(content[part]) for part in ("suite", "data", "methods")}
    except (ValueError, KeyError, TypeError) as error:
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


def _differences(before: Any, now: Any, where: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from _differences(before.get(key), now.get(key), f"{where}.{key}".lstrip("."))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(old, new, f"{where}.{index}")
    elif before != now:
        yield f"{where}: {_short(before)} there, {_short(now)} now"


def _short(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return f"[{', '.join(str(v.get('label') or v.get('dataset') or '…') for v in value)}]"
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "…"
