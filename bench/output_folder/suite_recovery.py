"""Whether the records of a folder that has lost its suite.json are those of a given suite."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ...methods.api import registry
from ...records.record import Record
from ...records.schema_1 import recorded_arguments
from ..config.search_space import DECAY_BUDGET, free_knobs, full_knobs, settle_recipe, split_settings
from ..config.seeds import seed_of
from ..config.suite import Entry, Suite, Task


def suite_mismatch(records: Iterable[Record], suite: Suite, digests: Mapping[str, str]) -> str | None:
    """Returns why records cannot be those of a suite: its tasks, entries, fixed settings, seeds and data.

    What records do not hold is not compared: the size of a generation, where the hypervolume is cut off.

    Args:
        records: The records of the folder; those of single trials are left out.
        suite: The suite.
        digests: The digest of each task's data, by the task's name.

    Returns:
        The first contradiction as a phrase; None where all records fit.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> suite_mismatch([record], load_suite("quickstart"), {})
        "they are of the suite 'synthetic'"
    """
    tasks = {task.name: task for task in suite.tasks}
    entries = {entry.label: entry for entry in suite.entries}
    expected: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        if record.phase == "single":
            continue
        if record.suite != suite.name:
            return f"they are of the suite {record.suite!r}"
        task, entry = tasks.get(record.task), entries.get(record.entry)
        if task is None:
            return f"they have the task {record.task!r}"
        if entry is None:
            return f"they have the entry {record.entry!r}"
        key = (task.name, entry.label)
        if key not in expected:
            expected[key] = _expected(task, entry, digests.get(task.name, ""))
        for name, wanted in expected[key].items():
            if (there := _recorded(record, name)) != wanted:
                return f"{entry.label} on {task.name}: {name} is {there!r} there, {wanted!r} in the suite"
        for problem in _beyond_budget(record, suite):
            return f"{entry.label} on {task.name}: {problem}"
    return None


def _expected(task: Task, entry: Entry, digest: str) -> dict[str, Any]:
    """Returns what every record of an entry on a task has in common, by name."""
    cls = registry[entry.method]
    free = {*free_knobs(task.recipe, cls, entry.knobs)}
    free |= {"lam"} if DECAY_BUDGET in {*free, *entry.knobs} else set()  # which follows from it
    given = {name: value for name, value in entry.knobs.items() if not isinstance(value, dict)}
    fixed = {name: value for name, value in given.items() if name != DECAY_BUDGET}
    knobs, rest = split_settings(cls, fixed)
    recipe = settle_recipe(task.recipe, cls, rest).model_dump(mode="json")
    settings = {f"recipe.{name}": value for name, value in recipe.items() if name not in free}
    settings |= {
        f"knobs.{name}": value for name, value in full_knobs(entry.method, knobs).items() if name not in free
    }
    return {
        "data_digest": digest, "method": entry.method, "method_version": cls.version,
        "model_args": task.model_args, "dataset_args": task.data_args, "keep_dense": task.keep_dense,
        **settings,
    }  # fmt: skip


def _recorded(record: Record, name: str) -> Any:
    """Returns the value of a record under a name of `_expected`."""
    part, _, setting = name.partition(".")
    if setting:
        return getattr(record, part).get(setting)
    return getattr(recorded_arguments(record) if part in ("dataset_args", "keep_dense") else record, part)


def _beyond_budget(record: Record, suite: Suite) -> Iterator[str]:
    """Yields what the suite's seeds and number of trials do not allow."""
    budget, number = suite.budget, record.trial or 0
    if record.compressions != budget.compressions:
        yield f"the common compressions are {[*record.compressions]}"
    if record.replicate >= budget.searches:
        yield f"there is a search number {record.replicate + 1}"
    known = partial(seed_of, suite.seed, record.replicate)
    if record.phase == "search" and (number >= budget.trials or record.seed != known("search", number)):
        yield f"the search has trial {record.trial} with seed {record.seed}"
    if record.phase == "confirm" and record.seed not in (known("confirm", k) for k in range(budget.seeds)):
        yield f"a training is confirmed with seed {record.seed}"
