"""Worker processes of the driver, forked by a server process of its own after that has imported torch.

Importing torch takes seconds in a process; the server does it once, while the driver makes its own imports.
It is started by a command, not by `multiprocessing`: so a campaign runs in any process, a daemonic one too,
needs no `__main__` guard, and leaves the caller's settings of `multiprocessing` alone.
"""

import atexit
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import wait
from pathlib import Path
from weakref import WeakSet

from ....errors import SparsebenchError
from .worker_setup import WorkerSetup, first_command

PATIENCE = 2.0  # seconds for a worker that has been told to end, and for news of one that has ended
START = """
import sys
sys.path += [entry for entry in sys.argv[2:] if entry not in sys.path]
from {module} import main
main(int(sys.argv[1]))
"""


class Server:
    """The process that workers are forked from, and the socket to it.

    Example:
        >>> server = Server()
        >>> server.alive
        True
        >>> server.close()
        >>> server.alive
        False
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        code = START.format(module=f"{__package__}.server")
        command = [sys.executable, *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]
        path = [entry for entry in map(str, sys.path) if entry]  # not the working folder
        self._process = subprocess.Popen(
            [*command, "-P", "-c", code, str(theirs.fileno()), *path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True, pass_fds=[theirs.fileno()],
        )  # fmt: skip
        theirs.close()
        self._control, self._lock, self._buffer = ours, threading.Lock(), b""
        self._forked: list[int] = []
        self._codes: dict[int, int] = {}
        self._asked = 0

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def fork(self, commands: int, answers: int, log: int) -> int:
        """Asks for a worker with these descriptors; returns its number, and does not wait for it."""
        with self._lock:
            socket.send_fds(self._control, [b"w"], [commands, answers, log])
            self._asked += 1
            return self._asked - 1

    def worker(self, number: int, timeout: float) -> int | None:
        """Returns the process id of a worker; None where it is not forked within so many seconds."""
        self._listen(lambda: len(self._forked) > number, timeout)
        return self._forked[number] if len(self._forked) > number else None

    def code(self, pid: int, timeout: float) -> int | None:
        """Returns the exit code of a worker, minus the signal; None where it is not known in time."""
        self._listen(lambda: pid in self._codes, timeout)
        return self._codes.get(pid)

    def _listen(self, until: Callable[[], bool], timeout: float) -> None:
        """Takes the server's news until a condition is met, the time is over or the server has ended."""
        end = time.monotonic() + timeout
        while not until():
            with self._lock:  # another thread may have heard it meanwhile
                left = max(0.0, end - time.monotonic())
                news = until() or not wait([self._control], min(left, 0.05)) or self._control.recv(1 << 16)
                if not news:
                    return
                if isinstance(news, bytes):
                    *lines, self._buffer = (self._buffer + news).split(b"\n")
                    for line in lines:
                        self._note(*line.decode().split())
            if time.monotonic() >= end:
                return

    def _note(self, word: str, pid: str, code: str = "") -> None:
        if word == "forked":
            self._forked.append(int(pid))
            self._codes.pop(int(pid), None)  # of an earlier process with this id
        else:
            self._codes[int(pid)] = int(code)

    def close(self) -> None:
        """Ends the process, with all workers and what is below them."""
        self._control.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """Lets go of the server in a process forked from the driver: it is another process's child."""
        self._control.close()
        self._process.returncode = 0


_LOCK = threading.RLock()
_server: Server | None = None


def start_server() -> Server:
    """Returns the server of this process, started unless one runs; does not wait for its imports.

    Call it early: the server imports torch for seconds, and a worker that is asked for waits for it.

    Returns:
        The server, one for all workers of this process.

    Raises:
        SparsebenchError: No process can be started.

    Example:
        >>> start_server() is start_server()
        True
    """
    global _server
    with _LOCK:
        if _server is None or not _server.alive:
            if _server is not None:
                _server.close()
            # A closed standard stream: neither a pipe nor a socket must take its place.
            while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
                pass
            os.close(free)
            with _explained():
                _server = Server()
        return _server


@contextmanager
def _explained() -> Iterator[None]:
    """Raises `SparsebenchError` for what the system refuses when a process is started."""
    try:
        yield
    except OSError as error:
        hint = "; allow more with `ulimit -n`" if error.errno in (errno.EMFILE, errno.ENFILE) else ""
        what = f" {error.filename}" if error.filename else ""
        raise SparsebenchError(f"no worker can be started:{what} {error.strerror}{hint}") from error


class WorkerProcess:
    """A process that runs `worker.main`, forked from the server, with the driver's ends of its two pipes.

    It has the environment, the working folder and the search path of the driver at its start. `stdin` is the
    commands pipe and `stdout` the answers pipe; they are not its standard streams, which go to the log. Where
    no process can be started or the log cannot be written, `SparsebenchError` is raised.

    Args:
        setup: The worker's device, threads, folders and plugins.
        log: The file to whose end its standard output and error go; None discards them.

    Example:
        >>> worker = WorkerProcess(WorkerSetup("cpu", threads=1, checkpoint_seconds=60.0), log=None)
        >>> worker.stdout.readline().strip()
        b'ready'
        >>> worker.kill()
        >>> worker.end()
        0
    """

    def __init__(self, setup: WorkerSetup, log: Path | None) -> None:
        self._server = start_server()
        with _explained(), ExitStack() as stack, ExitStack() as refused:

            def its(descriptor: int) -> int:  # the server has a copy of it, once it is sent
                stack.callback(os.close, descriptor)
                return descriptor

            commands, ours_in = os.pipe()
            self.stdin = refused.enter_context(os.fdopen(ours_in, "wb"))
            ours_out, answers = os.pipe()
            self.stdout = refused.enter_context(os.fdopen(ours_out, "rb", buffering=0))
            lines = os.open(log or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            self._number = self._server.fork(its(commands), its(answers), its(lines))
            refused.pop_all()
        _living.add(self)
        self.send(first_command(setup))

    def send(self, line: str) -> None:
        """Writes a line to the commands pipe; one to a worker that has ended is lost."""
        with suppress(BrokenPipeError, ValueError):
            self.stdin.write(line.encode() + b"\n")
            self.stdin.flush()

    @property
    def pid(self) -> int | None:
        """The process's id; None where the server has ended before it has forked it."""
        return self._server.worker(self._number, timeout=600.0)

    def stop(self) -> None:
        """Tells the process to end: with its trial and all that this has started."""
        with suppress(BrokenPipeError):
            self.stdin.close()

    def kill(self) -> None:
        """Ends the process, by force where it does not end by itself."""
        self.stop()
        pid = self._server.worker(self._number, timeout=0.0)
        if pid is None or self._gone(pid):  # one that is forked later finds that it has no commands
            return
        for send in (os.killpg, os.kill):  # it may not lead its group yet
            with suppress(ProcessLookupError):
                send(pid, signal.SIGKILL)

    def _gone(self, pid: int) -> bool:
        """Returns whether the process ends in time."""
        end = time.monotonic() + PATIENCE
        while self._server.code(pid, 0.05) is None and _exists(pid):
            if time.monotonic() > end:
                return False
        return True

    def end(self) -> int | None:
        """Closes the pipes of a process that has ended or been killed.

        Returns its exit code, or minus the number of its signal; None where nobody knows it.
        """
        self.stop()
        self.stdout.close()
        _living.discard(self)
        pid = self._server.worker(self._number, timeout=0.0)
        return None if pid is None else self._server.code(pid, PATIENCE if self._server.alive else 0.0)


_living: WeakSet[WorkerProcess] = WeakSet()


@atexit.register
def _close() -> None:
    """Ends the server of a driver that exits, and with it the workers."""
    if _server is not None:
        _server.close()


def _forget() -> None:
    """Resets a process forked from the driver: it is not the server's parent, and starts one of its own."""
    global _LOCK, _server
    _LOCK = threading.RLock()  # another thread of the parent may have held it
    if _server is not None:
        _server.forget()
        _server = None
    for worker in list(_living):
        worker.stop()
        worker.stdout.close()
    _living.clear()


os.register_at_fork(after_in_child=_forget)


def _exists(pid: int) -> bool:
    """Returns whether a process has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
