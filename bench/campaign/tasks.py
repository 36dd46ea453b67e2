"""The tasks of a campaign, opened before anything is written: data, models and where these start."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...datasets.api import data_root
from ...errors import SparsebenchError
from ...records.lines import records_file
from ...records.selection import columns, select
from ..config.ignored import ignored
from ..config.suite import Suite
from ..executors.rehearsal import TaskData
from ..measurement.curve import check_compressions
from ..measurement.forward import products
from ..measurement.prunable import prunable_set
from ..models.factory import create
from ..models.start_file import located_start, start_digest
from ..search.study import TaskFacts
from ..training.trial import open_data


@dataclass(frozen=True)
class OpenedTasks:
    """What a campaign needs to know of its tasks.

    Attributes:
        root: The folder of datasets for the workers; None for the default one.
        base: The folder in which relative paths in arguments are looked for.
        digests: The digest of each task's data, by the task's name.
        starts: The digest of the file that the weights start from, by the name of the tasks that have one.
        notes: What there is to tell of data and models, in sentences.
        sizes: The dataset of each task in numbers, by the task's name.

    Example:
        >>> OpenedTasks(None, "/suites", {"digits-lenet5": "d1915"}, {}, ()).digests
        {'digits-lenet5': 'd1915'}
    """

    root: str | None
    base: str
    digests: dict[str, str]
    starts: dict[str, str]
    notes: Sequence[str]
    sizes: dict[str, TaskData] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, TaskFacts]:
        """What the searches need to know of each task's data, by the task's name."""
        return {
            name: TaskFacts(digest, self.sizes[name].images, self.starts.get(name))
            for name, digest in self.digests.items()
        }


def open_tasks(suite: Suite, data: str | Path | None, base: Path) -> OpenedTasks:
    """Returns the tasks of a suite, each dataset opened (or downloaded) and each model created once,
    to find what of it is prunable.

    Args:
        suite: The suite, as it will run.
        data: The folder of datasets that the user named; None where none was.
        base: The folder in which relative paths in arguments are looked for.

    Returns:
        What the campaign needs to know of them.

    Raises:
        SparsebenchError: Data, a model, its start file or its prunable set that no trial could start with.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> sorted(open_tasks(load_suite("quickstart"), None, Path()).digests)
        ['digits-lenet_300_100']
    """
    root = str(data_root(data)) if data is not None or "SPARSEBENCH_DATA" in os.environ else None
    digests, starts, notes = dict[str, str](), dict[str, str](), dict.fromkeys(ignored(suite))
    sizes = dict[str, TaskData]()
    for task in suite.tasks:
        opened = open_data(task.dataset, root, task.data_args, base)
        if (start := start_digest(task.model_args, base)) is not None:
            starts[task.name] = start
        model = create(task.model, opened.shape, opened.classes, **located_start(task.model_args, base))
        covered = prunable_set(model, products(model, opened.shape), task.keep_dense)
        check_compressions(suite.budget.compressions, covered.size, task.name)
        if covered.warning:
            notes[f"warning: {task.name}: {covered.warning}"] = None
        digests[task.name] = opened.digest
        sizes[task.name] = TaskData(opened.shape, opened.classes, len(opened.train))
        notes |= dict.fromkeys(f"note on {task.dataset}: {note}" for note in opened.notes)
    return OpenedTasks(root, str(base), digests, starts, list(notes), sizes)


def begun_tasks(folder: Path, tasks: Collection[str]) -> set[str]:
    """Returns the tasks that have a result in an output folder.

    Args:
        folder: The output folder, with or without records.
        tasks: The names of the campaign's tasks.

    Returns:
        Names of tasks.

    Example:
        >>> begun_tasks(folder, ["made_up-net", "digits-lenet5"])
        {'made_up-net'}
    """
    found: set[str] = set()
    try:
        for one in select(records_file(folder), columns("dataset", "model", "status")):
            dataset, model, status = one.value
            if status == "ok":
                found.add(f"{dataset}-{model}")
            if found >= set(tasks):
                break
    except SparsebenchError:  # no records yet, or damaged ones, which are reported where they are needed
        return found
    return found
