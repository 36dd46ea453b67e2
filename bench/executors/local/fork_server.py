"""Worker processes for the driver: forked by the standard library's server from one that has imported torch.

Importing torch takes seconds a process; the server pays them once, while the driver imports for itself.
"""

import atexit
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from weakref import WeakSet

from ....errors import SparsebenchError
from .worker import WorkerSetup, main

UNKNOWN = 255  # the standard library's exit code where the server is gone and nobody can say
SERVER = {"SPARSEBENCH_FORK_SERVER": "1", "PYTHONSAFEPATH": "1"}
_CONTEXT = multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Starts the server that workers are forked from, where none runs.

    Call it early: it imports torch for seconds, and a worker that is started meanwhile waits for it.
    """
    _CONTEXT.set_forkserver_preload([f"{__package__}.preload"])
    with _environment(SERVER), _main_hidden():
        forkserver.ensure_running()


class WorkerProcess:
    """A process that runs `worker.main`, forked from the server: commands go in, answers come out.

    It has the environment, the working folder and the search path of the driver at its start, and leads a
    process group, so that what it has forked or started ends with it.
    """

    def __init__(self, setup: WorkerSetup, log: Path | None) -> None:
        """Starts the process; what it prints goes to the end of `log`. Errors: the server ends."""
        start_server()
        commands, ours_in = _CONTEXT.Pipe(duplex=False)
        ours_out, answers = _CONTEXT.Pipe(duplex=False)
        told = (commands, answers, str((log or Path(os.devnull)).absolute()), dict(os.environ), setup)
        self._process = _CONTEXT.Process(target=main, args=told)
        try:
            with _main_hidden():
                self._process.start()
        except (EOFError, OSError) as error:
            raise SparsebenchError("the process that workers are forked from has ended") from error
        finally:
            commands.close()
            answers.close()
        self.stdin = os.fdopen(_taken(ours_in), "wb")
        self.stdout = os.fdopen(_taken(ours_out), "rb", buffering=0)
        _living.add(self)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is known to have ended; asking does not wait."""
        code = self._process.exitcode
        return code is not None and (code != UNKNOWN or not _exists(self.pid))

    def kill(self) -> None:
        """Kills the process and all that it has forked or started: its group."""
        for send in (os.killpg, os.kill):  # it may not lead its group yet
            with suppress(ProcessLookupError):
                send(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Waits for the process, which has died or been killed, ends its group and closes its pipes.

        Returns its exit code, or minus its signal; that of SIGKILL where nobody can say.
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
    for process in list(_living):
        process.kill()


def _forget() -> None:
    """A forked process is not the parent of the server, and starts one of its own."""
    forkserver._forkserver.__init__()  # type: ignore[misc]
    _living.clear()


os.register_at_fork(after_in_child=_forget)


def _taken(connection: Connection) -> int:
    """The descriptor of a connection, which is closed: the protocol is lines, of which a part may come."""
    descriptor = os.dup(connection.fileno())
    connection.close()
    return descriptor


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
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
    """The standard library would run the driver's script in each worker: a script needs no guard."""
    main_module = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main_module
