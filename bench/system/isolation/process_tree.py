"""The processes below this one: they end with it, and what they leave is found. On Linux; else nothing."""

import ctypes
import os
import signal
import sys
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36

_adopting = 0  # the process that called `adopt_orphans`


@cache
def _libc() -> Any:
    """Returns the C library; None where it has no prctl."""
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent() -> None:
    """Lets the kernel kill this process as soon as the thread that has forked it ends.

    Example:
        >>> end_with_parent()  # of a process that is meant to
    """
    if _libc() is not None:
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Makes this process the parent of all processes below it whose own parent ends.

    So a process that a trial has started and detached (a new session, a second fork) is still found.

    Example:
        >>> child = os.fork()
        >>> if child == 0:
        ...     adopt_orphans()  # of a process that is meant to
        ...     os._exit(0)
        >>> os.waitpid(child, 0)[1]
        0
    """
    global _adopting
    if _libc() is not None:
        _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _adopting = os.getpid()


def children() -> set[int]:
    """Returns the ids of this process's children, ended ones that nobody has waited for included.

    Returns:
        The ids; empty where the system does not list them.

    Example:
        >>> child = os.fork()
        >>> if child == 0:
        ...     os._exit(0)
        >>> child in children() or sys.platform != "linux"
        True
        >>> os.waitpid(child, 0)[0] == child
        True
    """
    found: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found.update(map(int, file.read_text().split()))
    return found


def kill_strays(known: Collection[int] = ()) -> None:
    """Kills all children that are not known, and then those that are inherited from them.

    Does nothing in a process that has not called `adopt_orphans`. All of its own children must be known.

    Args:
        known: The ids of the children that stay.

    Example:
        >>> kill_strays()  # in a process that has adopted nothing
    """
    spared = set(known)
    while _adopting == os.getpid() and (strays := children() - spared):
        for stray in strays:
            try:
                os.kill(stray, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:  # of another user: a program with the set-user-ID bit
                spared.add(stray)
        for stray in strays - spared:
            with suppress(OSError):
                os.waitpid(stray, 0)
