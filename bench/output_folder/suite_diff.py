"""What differs between the suite that a folder was begun with and the one it is to be continued with."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...start_file import start_paths, with_start_paths

MAY_GROW = {"suite.budget.trials", "suite.budget.seeds", "suite.budget.searches"}
MAY_GAIN = {"suite.entries", "suite.tasks", "data", "starts", "methods"}
MISSING = object()


@dataclass(frozen=True)
class Change:
    """One value that differs between two identities.

    Attributes:
        where: The path of the value, as in `suite.budget.trials`.
        before: The value that the folder was begun with; `MISSING` where there was none.
        now: The value that it is to be continued with; `MISSING` where there is none.
        adds: The change adds to the campaign, so all records of the folder stay valid.

    Example:
        >>> print(Change("suite.seed", 0, 5, adds=False))
        suite.seed: 0 there, 5 now
    """

    where: str
    before: Any
    now: Any
    adds: bool

    def __str__(self) -> str:
        if self.before is MISSING:
            return f"{self.where} is new"
        if self.now is MISSING:
            return f"{self.where} is gone"
        return f"{self.where}: {_short(self.before)} there, {_short(self.now)} now"


def suite_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Returns all changes from one identity of a folder to another.

    Args:
        before: What the folder's suite.json holds: `suite`, `data` and `methods`.
        now: The same of the suite that is to run.

    Returns:
        One change a value, in the order of `before`; entries are compared by label, tasks by name.

    Example:
        >>> before = {"suite": {"budget": {"trials": 16}}, "data": {}, "methods": {}}
        >>> now = {"suite": {"budget": {"trials": 32}}, "data": {}, "methods": {}}
        >>> [(change.where, change.adds) for change in suite_changes(before, now)]
        [('suite.budget.trials', True)]
    """
    return list(_changes(_named(before), _named(now), ""))


def _named(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Entries by label and tasks by name, so that one more does not shift the others."""
    suite, tasks = dict(identity["suite"]), dict[str, Any]()
    suite["entries"] = _by(suite.get("entries", []), "label")
    # A start is its file's content, wherever that lies.
    starts = dict(identity.get("starts", {}))
    for name, task in _by(suite.get("tasks", []), "dataset", "model").items():
        args = task.get("model_args", {})
        if start_paths(args):
            starts.setdefault(name, "not recorded")
        moved = with_start_paths(args, lambda path: None)
        tasks[name] = {**task, "model_args": moved} if "model_args" in task else task
    suite["tasks"] = tasks
    return {**identity, "suite": suite, "starts": starts}


def _by(items: Sequence[Mapping[str, Any]], *keys: str) -> dict[str, Any]:
    return {"-".join(str(item.get(key)) for key in keys): item for item in items}


def _changes(before: Any, now: Any, where: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *(key for key in now if key not in before)]:
            inner = f"{where}.{key}".lstrip(".")
            if key not in before:
                yield Change(inner, MISSING, now[key], where in MAY_GAIN)
            else:
                yield from _changes(before[key], now.get(key, MISSING), inner)
    elif before != now:
        grows = where in MAY_GROW and isinstance(now, int) and now > before
        yield Change(where, before, now, grows)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "…"
