"""What the server of worker processes imports before it forks any; nothing of it runs in the driver.

The server has one thread and touches no device, so that what it forks is as good as a fresh process. What
does not import here fails again in each worker, which has a log.
"""

import atexit
import os
import signal
from contextlib import suppress


def _quiet() -> None:
    """Signals that reach the whole group are the driver's business, and the terminal is the driver's too."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def import_for_trials() -> None:
    """Imports what a trial needs, on one thread: a fork copies no other."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch._dynamo  # noqa: F401 (the first optimizer of a process imports it, in two seconds)

    from .. import execute  # noqa: F401
    from . import worker  # noqa: F401


if os.environ.get("SPARSEBENCH_FORK_SERVER") == "1":
    _quiet()
    with suppress(Exception):
        import_for_trials()
    atexit.register(os._exit, 0)  # with torch the interpreter takes seconds to tidy up; a fork never does it
