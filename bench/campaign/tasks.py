"""The tasks of a suite before anything runs: their data are opened, their models made and tried."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from ...datasets.api import data_root
from ..config.suite import Suite
from ..measurement.forward import products
from ..measurement.prunable import prunable_set
from ..models.factory import create
from ..training.trial import open_data


@dataclass
class OpenedTasks:
    """What is known of a suite's tasks once their data and models were opened.

    Attributes:
        root: The datasets' folder for the workers; None for the default one.
        digests: The digest of each task's data by the task's name.
        warnings: A sentence for each model of which much is not prunable.

    Example:
        >>> OpenedTasks(None).warnings
        []
    """

    root: str | None
    digests: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def open_tasks(suite: Suite, data: str | Path | None) -> OpenedTasks:
    """Opens (or downloads) each dataset, creates each model once and finds what of it is prunable.

    Args:
        suite: The suite.
        data: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.

    Returns:
        The tasks' data digests, and warnings.

    Raises:
        SparsebenchError: Data, a model or its prunable set that no trial could start with.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> sorted(open_tasks(load_suite("quickstart"), None).digests)
        ['digits-lenet_300_100']
    """
    found = OpenedTasks(
        str(data_root(data)) if data is not None or "SPARSEBENCH_DATA" in os.environ else None
    )
    for task in suite.tasks:
        opened = open_data(task.dataset, found.root, task.data_args)
        model = create(task.model, opened.shape, opened.classes, **task.model_args)
        covered = prunable_set(model, products(model, opened.shape), task.keep_dense)
        if covered.warning:
            found.warnings.append(f"warning: {task.name}: {covered.warning}")
        found.digests[task.name] = opened.digest
    return found
