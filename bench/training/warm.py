"""What a process does once and not for each trial: done ahead, in the process that trials are forked from."""

from contextlib import suppress

import torch

from ...datasets.api import registry as datasets
from ...errors import SparsebenchError
from ...methods.api import configure
from ...methods.api import registry as methods
from ..config.trial_spec import Trial
from ..system.environment import versions
from .trial import open_data


def load_ahead() -> None:
    """Loads what the first trial of a process would load: methods, datasets and the versions of packages.

    An installed plugin that does not import is not reported: each trial that looks up a name reports it.

    Example:
        >>> load_ahead()
    """
    versions()
    with suppress(SparsebenchError):
        len(methods), len(datasets)


def open_ahead(trial: str, data_root: str | None, device: str) -> None:
    """Opens the data of a trial and compiles what its method needs, if that is one of sparsebench's own.

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
            if prepare is not None:
                prepare(torch.device(device))
        if is_own(spec):
            configure(spec.method, spec.knobs).warm_up()


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
    return methods[trial.method].__module__.startswith(f"{methods.builtins}.")
