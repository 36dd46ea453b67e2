"""Worker processes of the driver, forked by the standard library's fork server after it has imported torch.

Importing torch takes seconds in a process; the server does it once, while the driver makes its own imports.
"""

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from weakref import WeakSet

from ....errors import SparsebenchError
from .worker import WorkerSetup, main

UNKNOWN = 255  # the standard library's exit code where the server has ended, and with it the process's code
# The server's environment: preload.py acts on the first; the second leaves the working folder off its path.
SERVER = {"SPARSEBENCH_FORK_SERVER": "1", "PYTHONSAFEPATH": "1"}
_CONTEXT = multiprocessing.get_context("forkserver")
_LOCK = threading.RLock()  # around what changes this process for a moment: its environment, its main module


def start_server() -> None:
    """Starts the server that workers are forked from, unless one runs; returns at once.

    Call it early: the server imports torch for seconds, and a worker that is started meanwhile waits for it.

    Example:
        >>> start_server()
        >>> pid = forkserver._forkserver._forkserver_pid
        >>> start_server()
        >>> forkserver._forkserver._forkserver_pid == pid  # one server for all workers of this process
        True
    """
    while (
        free := os.open(os.devnull, os.O_RDWR)
    ) <= 2:  # a closed standard stream: a pipe must not take its place
        pass
    os.close(free)
    _CONTEXT.set_forkserver_preload([f"{__package__}.preload"])
    with _LOCK, _environment(SERVER), _main_hidden():
        forkserver.ensure_running()


class WorkerProcess:
    """A process that runs `worker.main`, forked from the server, with the ends of its two pipes.

    It has the environment, the working folder and the search path of the driver at its start, and leads a
    process group, so that the processes that it has forked or started end with it. `stdin` is the commands
    pipe and `stdout` the answers pipe; they are not its standard streams, which go to the log. Where the
    server has ended meanwhile, `SparsebenchError` is raised.

    Args:
        setup: The worker's device, threads, folders and plugins.
        log: The file to whose end its standard output and error go; None discards them.

    Example:
        >>> worker = WorkerProcess(WorkerSetup("cpu", threads=1, checkpoint_seconds=60.0), log=None)
        >>> worker.stdout.readline().strip()
        b'ready'
        >>> worker.stdin.close()  # the worker exits where the commands end
        >>> worker.end()
        0
    """

    def __init__(self, setup: WorkerSetup, log: Path | None) -> None:
        start_server()
        # The process, which inherits its ends of the pipes.
        commands, ours_in = _CONTEXT.Pipe(duplex=False)
        ours_out, answers = _CONTEXT.Pipe(duplex=False)
        told = (commands, answers, str((log or Path(os.devnull)).absolute()), dict(os.environ), setup)
        self._process = _CONTEXT.Process(target=main, args=told)
        try:
            with _LOCK, _main_hidden():
                self._process.start()
        except (EOFError, OSError) as error:
            raise SparsebenchError("the process that workers are forked from has ended") from error
        finally:
            commands.close()
            answers.close()
        # The driver's ends.
        self.stdin = os.fdopen(_taken(ours_in), "wb")
        self.stdout = os.fdopen(_taken(ours_out), "rb", buffering=0)
        _living.add(self)

    @property
    def pid(self) -> int:
        """The process's id, which is that of its group too."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is known to have ended; does not wait."""
        code = self._process.exitcode
        return code is not None and (code != UNKNOWN or not _exists(self.pid))

    def kill(self) -> None:
        """Kills the process and its group: all processes that it has forked or started."""
        for send in (os.killpg, os.kill):  # it may not lead its group yet
            with suppress(ProcessLookupError):
                send(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Waits for the process, which has died or been killed; kills its group and closes its pipes.

        Returns its exit code, or minus the number of its signal; that of SIGKILL where it is unknown.
        """
        self._process.join()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        for stream in (self.stdin, self.stdout):
            with suppress(BrokenPipeError):
                stream.close()
        _living.discard(self)
        code = self._process.exitcode
        return -signal.SIGKILL if code is None or code == UNKNOWN else code


_living: WeakSet[WorkerProcess] = WeakSet()


@atexit.register  # before the standard library waits for its processes, as it was registered later
def _kill_living() -> None:
    """Kills the workers of a driver that exits without ending them."""
    for process in list(_living):
        process.kill()


def _forget() -> None:
    """Resets a process forked from the driver: it is not the server's parent, and starts one of its own."""
    global _LOCK
    _LOCK = threading.RLock()  # another thread of the parent may have held it
    forkserver._forkserver.__init__()  # type: ignore[misc]
    _living.clear()


os.register_at_fork(after_in_child=_forget)


def _taken(connection: Connection) -> int:
    """Returns a descriptor of a connection's pipe and closes the connection.

    The protocol is lines, which may arrive in parts; a `Connection` would frame messages of its own.
    """
    descriptor = os.dup(connection.fileno())
    connection.close()
    return descriptor


def _exists(pid: int) -> bool:
    """Returns whether a process has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables and restores them."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Replaces the main module by an empty one, and restores it.

    The standard library would run the driver's script in each worker, which would need a `__main__` guard.
    """
    main_module = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main_module
