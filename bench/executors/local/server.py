"""The process that workers are forked from: it imports what a trial needs, once, and then only forks.

It has one thread and touches no device, so that a process forked from it equals a fresh one. The driver
(fork_server.py) starts it in a session of its own: no signal of a terminal reaches it.

    driver ── one byte with three descriptors (commands, answers, log) ──> forks a worker (worker.py)
           <── `forked <pid>`, and `ended <pid> <exit code>` ────────────

When the driver's end of the socket closes, the server kills every process below it and ends.
"""

import gc
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from typing import NoReturn

from ...system.isolation.process_tree import adopt_orphans, kill_strays


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
    from ...training.warm import load_ahead
    from . import worker  # noqa: F401

    load_ahead()


def main(descriptor: int) -> NoReturn:
    """Serves the driver until it ends; a whole process.

    An import that fails is not reported: it fails again in each worker, which has a log.

    Args:
        descriptor: The server's end of the control socket.
    """
    control = socket.socket(fileno=descriptor)
    imported = threading.Event()
    watch = threading.Thread(target=_end_with_driver, args=(control, imported), daemon=True)
    watch.start()
    with suppress(Exception):
        import_for_trials()
    imported.set()
    watch.join()  # a process with one thread can be forked safely
    gc.collect()
    gc.freeze()  # no collection in a worker writes to the pages that all share
    with suppress(ConnectionError):
        _serve(control)
    kill_strays()
    os._exit(0)  # skips the interpreter's shutdown, which takes seconds with torch


def _end_with_driver(control: socket.socket, imported: threading.Event) -> None:
    """Ends this process if the driver ends while this process imports, which takes seconds."""
    while not imported.wait(0.2):
        with suppress(BlockingIOError):
            if not control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                os._exit(0)


def _serve(control: socket.socket) -> None:
    """Forks a worker at each request and reports its end; returns when the driver has ended."""
    adopt_orphans()
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(woken)
    workers: set[int] = set()
    while True:
        ready = wait([control, wake])
        if wake in ready:
            os.read(wake, 512)
            for pid, status in [os.waitpid(worker, os.WNOHANG) for worker in workers]:
                if pid:
                    workers.remove(pid)
                    control.sendall(f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())
            kill_strays(workers)  # what a worker that was killed has left
        if control in ready:
            request, descriptors, _, _ = socket.recv_fds(control, 1, 3)
            if not request:
                return
            pid = os.fork()
            if pid == 0:
                _become_worker((control.fileno(), wake, woken), descriptors)
            workers.add(pid)
            control.sendall(f"forked {pid}\n".encode())
            for descriptor in descriptors:
                os.close(descriptor)


def _become_worker(of_server: Sequence[int], descriptors: Sequence[int]) -> NoReturn:
    """Runs a worker in the process that has just been forked, and ends it."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in of_server:
            os.close(descriptor)
        from .worker import main as work

        work(*descriptors)
        status = 0
    except BaseException:
        with suppress(Exception):
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(status)
