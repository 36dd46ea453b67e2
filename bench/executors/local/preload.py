"""The imports of the fork server, made before it forks the first worker; nothing of it runs in the driver.

The server has one thread and touches no device, so that a process forked from it equals a fresh one. An
import that fails here is not reported: it fails again in each worker, which has a log.
"""

import atexit
import os
import signal
from contextlib import suppress


def _quiet() -> None:
    """Ignores signals to the whole process group, which the driver handles, and leaves the terminal to it.

    The driver's own use of multiprocessing may fork from this server too. So each process that it forks gets
    back what was here before: signal handlers, standard streams and OMP_NUM_THREADS.
    """
    server = os.getpid()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGHUP)}
    threads = os.environ.get("OMP_NUM_THREADS")
    streams = {}
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        with suppress(OSError):  # the driver was started without it
            streams[stream] = os.dup(stream)
        os.dup2(nowhere, stream)
    if nowhere > 2:
        os.close(nowhere)

    def restore() -> None:
        if os.getppid() != server:  # a process that a worker forks keeps what the worker has
            return
        for number, handler in before.items():
            signal.signal(number, handler)
        for stream, copy in streams.items():
            os.dup2(copy, stream)
            os.close(copy)
        os.environ.pop("OMP_NUM_THREADS")
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads

    os.register_at_fork(after_in_child=restore)


def import_for_trials() -> None:
    """Imports the modules that a trial needs, with one thread: a fork copies no other.

    It sets OMP_NUM_THREADS to 1 in this process; each worker sets its own number.

    Example:
        >>> import sys
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ):  # restores the variable
        ...     import_for_trials()
        >>> {"torch", "torch._dynamo", "sparsebench.bench.training.loop"} <= set(sys.modules)
        True
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch._dynamo  # noqa: F401 (the first optimizer of a process imports it, in two seconds)

    from .. import execute  # noqa: F401
    from . import worker  # noqa: F401


if os.environ.get("SPARSEBENCH_FORK_SERVER") == "1":
    interrupt = signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # while it imports; then the server does so itself
    _quiet()
    with suppress(Exception):
        import_for_trials()
    signal.signal(signal.SIGINT, interrupt)
    atexit.register(os._exit, 0)  # skips the interpreter's shutdown, which takes seconds with torch
