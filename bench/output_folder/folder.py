"""The output folder of a campaign: one suite, one driver at a time."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Any

from ...errors import SparsebenchError
from ...files import set_aside, write_atomic
from ...parsing import parse_json
from ...records.log import place_of
from ...records.store import FILE, latest, load_records
from ..config.suite import Suite
from .campaign_id import take_campaign_id
from .layout import CAMPAIGN, CHECKPOINTS, LOCK, METHODS, MODELS, SUITE
from .lock import FolderLock
from .suite_diff import suite_changes

# Files that are written over, folders that are cleared.
OWN = (
    CHECKPOINTS, MODELS, METHODS, "state.json", "site",
    *(f"leaderboard.{suffix}" for suffix in ("md", "csv", "json", "tex")), "pairs.csv",
)  # fmt: skip


class OutputFolder:
    """An output folder, opened (or made) for one suite, and locked until it is closed.

    Args:
        path: The folder.
        suite: The suite that is to run.
        digests: The digest of each task's data, by the task's name.
        starts: The digest of the file that the weights start from, by the name of the tasks that have one.
        base: The folder in which relative paths of the suite are looked for.
        extend: Accept a suite that has gained entries, tasks, trials or seeds since the folder was begun.

    Attributes:
        notes: Sentences for the user on what was missing, damaged or there before.
        campaign: The identity of the campaign, once entered.

    Raises:
        SparsebenchError: On entering: the folder cannot be written, another campaign uses it, it holds files
            that no campaign wrote, or records of another suite; then the message lists what differs.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> suite = load_suite("quickstart")
        >>> with OutputFolder("run", suite, {task.name: "0" * 16 for task in suite.tasks}):
        ...     read_identity(Path("run"))["suite"]["name"]
        'quickstart'
    """

    def __init__(
        self,
        path: str | Path,
        suite: Suite,
        digests: Mapping[str, str],
        starts: Mapping[str, str] | None = None,
        base: str | None = None,
        *,
        extend: bool = False,
    ) -> None:
        from ...methods.api import registry  # torch, which a report does without
        from ..config.method_docs import describe_method

        self.path, self.suite, self.base, self.extend = Path(path), suite, base, extend
        self.notes: list[str] = []
        self._lock, self._place = FolderLock(self.path), place_of(self.path)
        # A summary decides nothing: rewording it must not part a suite from its records.
        self.identity = {
            "suite": suite.model_dump(mode="json", exclude={"summary"}),
            "data": dict(digests),
            **({"starts": dict(starts)} if starts else {}),
            "methods": {entry.method: registry[entry.method].version for entry in suite.entries},
        }
        self.method_docs = {entry.method: describe_method(entry.method) for entry in suite.entries}

    def __enter__(self) -> "OutputFolder":
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._place = place_of(self.path)
            self._check()
            taken, notice = take_campaign_id(self.path)
            self.campaign = taken.model_copy(update={"base": self.base or taken.base})
            self.notes += [notice] if notice else []
            self.restore()
        except OSError as error:
            self._lock.release()
            raise SparsebenchError(
                f"cannot write to the output folder {str(self.path)!r}: {error.strerror}"
            ) from error
        except BaseException:
            self._lock.release()  # also while somebody keeps the error
            raise
        return self

    def restore(self) -> None:
        """Writes suite.json, methods.json and campaign.json, where they are missing or other than they should
        be; what lies in their place is set aside, unless it is an older file of that kind.

        Raises:
            SparsebenchError: They cannot be written.
        """
        if place_of(self.path) != self._place:  # moved or deleted: this is another folder
            return
        campaign = self.campaign.model_dump()
        for name, content in ((SUITE, self.identity), (METHODS, self.method_docs), (CAMPAIGN, campaign)):
            path, text = self.path / name, _json(content)
            if path.is_file() and path.read_bytes() == text.encode():
                continue
            if path.is_dir() or (name == SUITE and path.is_file() and not _is_identity(self.path)):
                self.notes.append(f"{str(path)!r} was damaged: it is now {set_aside(path).name!r}")
            write_atomic(path, text)

    def _check(self) -> None:
        records = self.path / FILE
        begun = records.exists() and records.stat().st_size > 0
        if not begun:
            self._check_foreign()
            return
        if not _is_identity(self.path):
            self._check_records()
            return
        there = read_identity(self.path)
        budget = there["suite"].get("budget")
        if isinstance(budget, dict) and not budget.get("compressions"):
            raise self._older()
        found = suite_changes(there, self.identity)
        additions = all(change.adds for change in found)
        if not found or (additions and self.extend):
            return
        shown = "; ".join(str(change) for change in found[:4]) + ("; …" if len(found) > 4 else "")
        advice = "continue it with --extend, or choose another --out" if additions else "choose another --out"
        raise SparsebenchError(f"{str(self.path)!r} holds records of another suite ({shown}); {advice}")

    def _older(self) -> SparsebenchError:
        return SparsebenchError(
            f"{str(self.path)!r} was begun by a version without common compressions: it can be reported and "
            "merged with others of its kind, and not continued; choose another --out"
        )

    def _check_records(self) -> None:
        """Without a suite.json that can be read: the records must be those of the suite that is to run."""
        from .suite_recovery import suite_mismatch  # imports torch

        records = latest(load_records(self.path))
        if any(record.phase != "single" and not record.compressions for record in records):
            raise self._older()
        digests = self.identity["data"]
        wrong = suite_mismatch(records, self.suite, digests) if records else "there is none among them"
        lost = "a damaged suite.json" if (self.path / SUITE).exists() else "no suite.json"
        if wrong:
            raise SparsebenchError(
                f"{str(self.path)!r} has {lost}, and its records are not those of this suite: {wrong}; give "
                "the suite that it was begun with, which writes the file again, or choose another --out"
            )
        self.notes.append(
            f"{str(self.path)!r} had {lost}: it is written again, as its {len(records)} records are those of "
            "this suite"
        )

    def _check_foreign(self) -> None:
        """Without records: what a campaign would overwrite or clear away must be a campaign's."""
        if _is_identity(self.path):
            return
        if foreign := next((name for name in (SUITE, *OWN) if (self.path / name).exists()), ""):
            raise SparsebenchError(
                f"{str(self.path)!r} holds {foreign!r}, which sparsebench did not write; choose another --out"
            )
        if others := [path.name for path in self.path.iterdir() if path.name not in (LOCK, FILE)]:
            self.notes.append(
                f"{str(self.path)!r} is not empty: its {len(others)} other files and folders stay as they are"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(SparsebenchError, OSError):
            self.restore()  # what others deleted meanwhile
        self._lock.release()


def _json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"


def _is_identity(path: Path) -> bool:
    """Whether a folder has a suite.json that can be read."""
    try:
        read_identity(path)
    except (SparsebenchError, OSError):
        return False
    return True


def read_identity(path: Path) -> dict[str, Any]:
    """Returns what the suite.json of a folder holds.

    Args:
        path: An output folder.

    Returns:
        `suite` (as JSON), `data` (digests by task), `methods` (versions by name) and, where weights start
        from files, `starts` (digests by task).

    Raises:
        SparsebenchError: The file is not what a campaign writes, or cannot be read.

    Example:
        >>> content = {"suite": {"name": "s"}, "data": {}, "methods": {"dwf": 1}}
        >>> _ = Path(SUITE).write_text(json.dumps(content))
        >>> read_identity(Path())["methods"]
        {'dwf': 1}
    """
    try:
        content = parse_json((path / SUITE).read_bytes(), f"{path / SUITE} is damaged")
        found = {part: dict(content[part]) for part in ("suite", "data", "methods")}
        if "starts" in content:
            found["starts"] = dict(content["starts"])
        for part in ("entries", "tasks"):
            found["suite"][part] = [dict(item) for item in found["suite"].get(part, [])]
        return found
    except (KeyError, ValueError, TypeError, RecursionError, IsADirectoryError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise SparsebenchError(
            f"{path / SUITE} is damaged: {what}; `sparsebench run SUITE --out {quote(str(path))}` writes it "
            "again, with the suite that the folder was begun with"
        ) from error
    except OSError as error:
        raise SparsebenchError(f"{path / SUITE} cannot be read: {error.strerror}") from error


def points_budget(path: Path) -> int | None:
    """Returns the number of points of each entry on each task that the folder's suite has confirmed.

    Args:
        path: An output folder.

    Returns:
        The budget; None for a folder of records without a suite, or whose suite does not say.

    Raises:
        SparsebenchError: The suite.json is damaged.

    Example:
        >>> content = {"suite": {"budget": {"points": 4}}, "data": {}, "methods": {}}
        >>> _ = Path(SUITE).write_text(json.dumps(content))
        >>> points_budget(Path())
        4
    """
    if not (path / SUITE).exists():
        return None
    budget = read_identity(path)["suite"].get("budget")
    points = budget.get("points") if isinstance(budget, dict) else None
    return points if isinstance(points, int) else None


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
    if not (path / SUITE).exists():
        return {}
    tasks = read_identity(path)["suite"].get("tasks", [])
    try:
        return {f"{task['dataset']}-{task['model']}": float(task["x_max"]) for task in tasks}
    except (ValueError, KeyError, TypeError) as error:
        raise SparsebenchError(f"{path / SUITE} is damaged: {error!r}") from error
