"""The state of a process that code of others may change and on which trainings depend, read and set back.

A trial's own process ends with whatever its method has changed. Two places run code of others in a process
that lives on, and use this module: the import of a plugin, and `sparsebench.train` in a script or a notebook.
"""

import gc
import locale
import logging
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch

from ....registry import registered, set_registered
from .interpreter_settings import interpreter_settings
from .process_tree import children
from .replaced_code import Code
from .torch_settings import Setting, torch_settings

NAMED = 6  # functions at most that a message names


def _threads() -> set[threading.Thread]:
    """The threads of this process but tqdm's monitor, which any progress bar starts, those of torch too."""
    return {thread for thread in threading.enumerate() if thread.name != "tqdm_monitor"}


def _folder() -> str | None:
    with suppress(OSError):
        return os.getcwd()  # noqa: PTH109 (a text, as chdir takes it)
    return None


def _set_folder(folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _set_handlers(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler and handler is not None:
            signal.signal(number, handler)


def _timers() -> list[bool]:
    return [signal.getitimer(kind)[0] > 0 for kind in (0, 1, 2)]


def _set_timers(running: list[bool]) -> None:
    for kind, wanted in enumerate(running):
        if not wanted:
            signal.setitimer(kind, 0)


def _set_environment(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in wanted.items() if os.environ.get(name) != value})


def _limits() -> dict[int, tuple[int, int]]:
    kinds = {value for name, value in vars(resource).items() if name.startswith("RLIMIT_")}
    return {kind: resource.getrlimit(kind) for kind in sorted(kinds)}


def _set_limits(wanted: Mapping[int, tuple[int, int]]) -> None:
    for kind, limits in wanted.items():
        if resource.getrlimit(kind) != limits:
            resource.setrlimit(kind, limits)


def _set_collector(value: tuple[bool, tuple[int, int, int]]) -> None:
    (gc.enable if value[0] else gc.disable)()
    gc.set_threshold(*value[1])


def _attributes(*places: tuple[Any, str]) -> tuple[Callable[[], list[Any]], Callable[[list[Any]], None]]:
    """Returns functions that read and set some attributes together; a list is set in place."""

    def read() -> list[Any]:
        values = [getattr(owner, name) for owner, name in places]
        return [list(value) if isinstance(value, list) else value for value in values]

    def write(values: list[Any]) -> None:
        for (owner, name), value in zip(places, values, strict=True):
            if isinstance(value, list):
                getattr(owner, name)[:] = value
            else:
                setattr(owner, name, value)

    return read, write


def process_settings() -> Iterator[Setting]:
    """Yields what a process has once, and no import of a library changes as a matter of course.

    Yields:
        The settings.

    Example:
        >>> all(setting.get() == setting.get() for setting in process_settings())
        True
    """
    yield Setting("the working folder", _folder, _set_folder)
    yield Setting("the file mode mask", _umask, os.umask)
    yield Setting("signal handlers", _handlers, _set_handlers)
    yield Setting("timers", _timers, _set_timers)
    yield Setting(
        "the locale", lambda: locale.setlocale(locale.LC_ALL), lambda v: locale.setlocale(locale.LC_ALL, v)
    )
    yield Setting("the garbage collector", lambda: (gc.isenabled(), gc.get_threshold()), _set_collector)
    yield Setting("resource limits", _limits, _set_limits)
    yield Setting("standard streams", *_attributes((sys, "stdin"), (sys, "stdout"), (sys, "stderr")))
    yield Setting("the folder of temporary files", *_attributes((tempfile, "tempdir")))
    yield from interpreter_settings()


def import_settings() -> Iterator[Setting]:
    """Yields what the import of a library may change as a matter of course.

    Yields:
        The settings.

    Example:
        >>> "the environment" in [setting.name for setting in import_settings()]
        True
    """
    yield Setting("the environment", lambda: dict(os.environ), _set_environment)
    yield Setting("the time zone", lambda: (time.timezone, time.tzname), lambda value: time.tzset())
    paths = ((sys, "path"), (sys, "meta_path"), (sys, "path_hooks"))
    yield Setting("the search path of modules", *_attributes(*paths))
    hooks = [(sys, name) for name in ("excepthook", "unraisablehook", "displayhook")]
    yield Setting("exception hooks", *_attributes(*hooks, (threading, "excepthook")))
    yield Setting("the sockets' timeout", socket.getdefaulttimeout, socket.setdefaulttimeout)
    yield Setting("registered names", registered, set_registered)
    logs = ((logging.root, "level"), (logging.root, "handlers"), (logging.root.manager, "disable"))
    yield Setting("logging", *_attributes(*logs))


class ProcessState:
    """The state of this process now, to which it can be set back later.

    Args:
        imports: Whether what imports change as a matter of course belongs to it.

    Example:
        >>> state = ProcessState()
        >>> torch.set_default_dtype(torch.float64)
        >>> torch.nn.functional.relu = abs
        >>> state.restore()
        ['the default dtype', 'torch.nn.functional.relu']
        >>> torch.get_default_dtype(), state.restore()
        (torch.float32, [])
    """

    def __init__(self, *, imports: bool = True) -> None:
        more = import_settings() if imports else ()
        self._values = [(one, one.get()) for one in (*torch_settings(), *process_settings(), *more)]
        self._code = Code()
        self._threads, self._children = _threads(), children()

    def restore(self) -> list[str]:
        """Sets the process back, and returns what had changed; what cannot be set back is marked."""
        changed = []
        for setting, before in self._values:
            with suppress(Exception):
                if setting.get() == before:
                    continue
            changed.append(setting.name if _set(setting, before) else f"{setting.name} (still so)")
        functions = self._code.restore()
        changed += functions[:NAMED]
        if len(functions) > NAMED:
            changed.append(f"{len(functions) - NAMED} more functions")
        if any(thread.is_alive() for thread in _threads() - self._threads):
            changed.append("threads that run (still so)")
        if children() - self._children:
            changed.append("processes that it has started (still so)")
        return changed


def _set(setting: Setting, value: Any) -> bool:
    """Sets a setting; returns whether it then has the value."""
    with suppress(Exception):
        setting.set(value)
        return bool(setting.get() == value)
    return False


def seed_generators(seed: int) -> None:
    """Seeds the generators of torch, of numpy and of Python, whichever a method draws from.

    Args:
        seed: 0 to 2³².

    Example:
        >>> seed_generators(0)
        >>> first = random.random(), float(torch.rand(1))
        >>> seed_generators(0)
        >>> first == (random.random(), float(torch.rand(1)))
        True
    """
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (the generator that others' code uses)
    random.seed(seed)


def _draws() -> tuple[Any, ...]:
    """Returns the states of the process's random generators; a GPU's where one is in use."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), gpus  # noqa: NPY002


def _set_draws(states: tuple[Any, ...]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
    if states[3]:
        torch.cuda.set_rng_state_all(states[3])


@contextmanager
def kept_state(say: Callable[[str], None], who: str, *, imports: bool = True) -> Iterator[None]:
    """Sets the process back to its present state at the end, and tells what had changed.

    Random generators and filters of warnings are set back without a word.

    Args:
        say: Called with a sentence, where something has changed.
        who: The subject of that sentence, such as "the method 'mine'".
        imports: Whether what imports change as a matter of course is set back too.

    Yields:
        Nothing.

    Example:
        >>> with kept_state(print, "the method 'mine'"):
        ...     _ = torch.set_grad_enabled(False)
        the method 'mine' has changed the process, which is set back: gradients
        >>> torch.is_grad_enabled()
        True
    """
    state = ProcessState(imports=imports)
    draws = _draws()
    try:
        with warnings.catch_warnings():
            yield
    finally:
        changed = state.restore()
        _set_draws(draws)
        if changed:
            say(f"{who} has changed the process, which is set back: {', '.join(changed)}")
