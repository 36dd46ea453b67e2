"""The tasks of a campaign, opened before anything is written: data, models and where these start."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...datasets.api import data_root
from ..config.suite import Suite
from ..measurement.forward import products
from ..measurement.prunable import prunable_set
from ..models.factory import create
from ..models.start_file import located_start, start_digest
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

    Example:
        >>> OpenedTasks(None, "/suites", {"digits-lenet5": "d1915"}, {}, ()).digests
        {'digits-lenet5': 'd1915'}
    """

    root: str | None
    base: str
    digests: dict[str, str]
    starts: dict[str, str]
    notes: Sequence[str]


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
    digests, starts, notes = dict[str, str](), dict[str, str](), dict[str, None]()
    for task in suite.tasks:
        opened = open_data(task.dataset, root, task.data_args, base)
        if (start := start_digest(task.model_args, base)) is not None:
            starts[task.name] = start
        model = create(task.model, opened.shape, opened.classes, **located_start(task.model_args, base))
        covered = prunable_set(model, products(model, opened.shape), task.keep_dense)
        if covered.warning:
            notes[f"warning: {task.name}: {covered.warning}"] = None
        digests[task.name] = opened.digest
        notes |= dict.fromkeys(f"note on {task.dataset}: {note}" for note in opened.notes)
    return OpenedTasks(root, str(base), digests, starts, list(notes))
