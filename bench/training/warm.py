"""What a process does once and not for each trial: done ahead, in the process that trials are forked from."""

from contextlib import suppress
from typing import Any

import torch
from torch import nn

from ...datasets.api import registry as datasets
from ...methods.api import configure
from ...methods.api import registry as methods
from ...registry import Registry
from ..config.trial_spec import Trial
from ..measurement.graph.trace import traced
from ..system.environment import versions
from .trial import open_data


def load_ahead() -> None:
    """Loads what the first trial of a process would load: methods, datasets and the versions of packages.

    Plugins are not among it, for their import may leave a process that cannot be forked.

    Example:
        >>> load_ahead()
    """
    import torch._dynamo  # noqa: F401 (the first optimizer imports it: in two seconds, and with new variables)

    versions()
    methods.load_builtins()
    datasets.load_builtins()


def open_ahead(trial: str, data_root: str | None, device: str) -> None:
    """Opens the data of a trial, compiles what its method needs, if that is one of sparsebench's own, and
    imports what finds the channels of a network, where it removes them.

    An error is not reported: it comes again in the trial's process, as the reason of its record.

    Args:
        trial: The trial as JSON.
        data_root: The folder of datasets, as `open_data` takes it.
        device: The torch device of the trial. Only for the CPU something is computed: a process that has used
            a GPU cannot be forked.

    Example:
        >>> open_ahead(trial.model_dump_json(), None, "cpu")
    """
    with suppress(Exception):
        spec = Trial.model_validate_json(trial)
        data = open_data(spec.dataset, data_root, spec.dataset_args, spec.base)
        if device != "cpu":
            return
        tests = () if spec.phase == "search" else (data.test,)
        for split in (data.train, data.valid, *tests):
            prepare = getattr(split, "prepare", None)  # of splits in memory
            if prepare is not None and _is_of(datasets, type(split).__module__):
                prepare(torch.device(device))
        if is_own(spec):
            configure(spec.method, spec.knobs).warm_up()
        if spec.granularity == "channels":  # the first recorded pass imports a thousand modules
            traced(nn.Sequential(nn.Flatten(), nn.Linear(1, 1)), (1, 1, 1))


def is_own(trial: Trial) -> bool:
    """Returns whether a trial's method is one of sparsebench's own, not a plugin's.

    Args:
        trial: The trial; its method is registered.

    Returns:
        True where the method's class is defined in the package `methods`.

    Example:
        >>> is_own(trial)
        True
    """
    return _is_of(methods, methods[trial.method].__module__)


def data_of_others(trial: str) -> str:
    """Returns a name for the data of a trial whose dataset is not one of sparsebench's own, else "".

    Args:
        trial: The trial as JSON.

    Returns:
        The dataset's name and arguments; empty too where it is not registered.

    Example:
        >>> data_of_others(trial.model_dump_json())
        ''
    """
    with suppress(Exception):
        spec = Trial.model_validate_json(trial)
        if not _is_of(datasets, datasets[spec.dataset].open.__module__):
            args = ", ".join(f"{name}={value!r}" for name, value in sorted(spec.dataset_args.items()))
            return f"{spec.dataset}({args})"
    return ""


def _is_of(registry: Registry[Any], module: str) -> bool:
    """Returns whether a module is one of a registry's built-in ones."""
    return module.startswith(f"{registry.builtins}.")
