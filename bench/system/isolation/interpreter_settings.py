"""Settings of the Python interpreter, of numpy and of the system's process, which a process has once."""

import decimal
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .torch_settings import Setting

DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


def _decimal() -> dict[str, Any]:
    context = decimal.getcontext()
    return {name: getattr(context, name) for name in DECIMAL} | {"traps": dict(context.traps)}


def _set_decimal(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(decimal.getcontext(), name, value)


def _numpy() -> list[dict[str, Any]]:
    return [dict(np.geterr()), {"size": np.getbufsize()}, dict(np.get_printoptions())]


def _set_numpy(values: list[dict[str, Any]]) -> None:
    np.seterr(**values[0])
    np.setbufsize(**values[1])
    np.set_printoptions(**values[2])


def _tracers() -> tuple[Any, ...]:
    return sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()


def _set_tracers(functions: tuple[Any, ...]) -> None:
    for put, function in zip(
        (sys.settrace, sys.setprofile, threading.settrace, threading.setprofile), functions, strict=True
    ):
        put(function)


def interpreter_settings() -> Iterator[Setting]:
    """Yields the settings that no import of a library changes as a matter of course.

    Yields:
        The settings.

    Example:
        >>> all(setting.get() == setting.get() for setting in interpreter_settings())
        True
    """
    yield Setting("functions that trace", _tracers, _set_tracers)
    yield Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit)
    yield Setting("the switch interval", sys.getswitchinterval, sys.setswitchinterval)
    yield Setting("the most digits of a number", sys.get_int_max_str_digits, sys.set_int_max_str_digits)
    yield Setting("the stack of new threads", threading.stack_size, threading.stack_size)
    yield Setting("decimal's context", _decimal, _set_decimal)
    yield Setting("numpy's settings", _numpy, _set_numpy)
    yield Setting(
        "blocked signals",
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda value: signal.pthread_sigmask(signal.SIG_SETMASK, value),
    )
    yield Setting(
        "the priority",
        lambda: os.getpriority(os.PRIO_PROCESS, 0),
        lambda value: os.setpriority(os.PRIO_PROCESS, 0, value),
    )
    if hasattr(os, "sched_setaffinity"):
        yield Setting(
            "the processor's cores",
            lambda: os.sched_getaffinity(0),
            lambda value: os.sched_setaffinity(0, value),
        )
