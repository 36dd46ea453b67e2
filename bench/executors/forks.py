"""Workers for the driver: processes forked from one that has imported what they need.

Importing torch takes seconds a process; here one process pays them, while the driver imports for itself.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MESSAGE_BYTES = 1 << 10


@dataclass
class Fork:
    """A worker process, used as one of `subprocess` would be."""

    server: "Forks"
    number: int
    stdin: BinaryIO
    stdout: BinaryIO

    @property
    def pid(self) -> int | None:
        """None once it has ended."""
        return self.server.pid(self.number)

    @property
    def ended(self) -> bool:
        """Whether it is known to have ended; asking does not wait."""
        return self.server.ended(self.number)

    def kill(self) -> None:
        """The process and all that it has forked or started: its group."""
        if (pid := self.pid) is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def end(self) -> int:
        """Wait for the process, which has died or been killed, and close its pipes; returns its exit code."""
        code = self.server.code(self.number)
        for stream in (self.stdin, self.stdout):
            with suppress(BrokenPipeError):
                stream.close()
        return code


class Forks:
    """The server that forks, and what it has said. Its environment and folder are those of this moment."""

    def __init__(self) -> None:
        self._made_in = dict(os.environ), Path.cwd()
        self._said: dict[tuple[str, int], int] = {}
        self._count = 0
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{__package__}.forkserver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1"},  # a fork copies one thread only
            )
        weakref.finalize(self, _end, self._socket, self._process)

    @property
    def usable(self) -> bool:
        """Whether a worker from here is one that a command of this moment would start."""
        return self._process.poll() is None and self._made_in == (dict(os.environ), Path.cwd())

    def start(self, arguments: Sequence[str], log: Path | None) -> Fork:
        """A worker with these arguments; what it says aside goes to the end of `log`.

        Errors: `ChildProcessError` when the server is gone; `OSError` when the log cannot be opened.
        """
        self._count += 1
        aside = os.open(log or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        their_in, our_out = os.pipe()
        our_in, their_out = os.pipe()
        fork = Fork(self, self._count, os.fdopen(our_out, "wb"), os.fdopen(our_in, "rb", buffering=0))
        message = json.dumps([self._count, list(arguments)]).encode()
        try:
            socket.send_fds(self._socket, [message], [their_in, their_out, aside])
        except OSError as error:
            fork.stdin.close()
            fork.stdout.close()
            raise ChildProcessError("the process that workers are forked from is gone") from error
        finally:
            for end in (their_in, their_out, aside):
                os.close(end)
        return fork

    def pid(self, number: int) -> int | None:
        """Of a worker that runs: None once it has ended, or when it was never forked."""
        if self.ended(number):
            return None
        while ("started", number) not in self._said and self._hear():
            pass
        return self._said.get(("started", number))

    def ended(self, number: int) -> bool:
        """Whether the server has said that a worker has ended."""
        while self._hear(socket.MSG_DONTWAIT):
            pass
        return ("ended", number) in self._said

    def code(self, number: int) -> int:
        """A worker's exit code or minus its signal, once it has ended; SIGKILL where nobody can say."""
        while ("ended", number) not in self._said and self._hear():
            pass
        return self._said.get(("ended", number), -signal.SIGKILL)

    def _hear(self, how: int = 0) -> bool:
        """One message of the server; False when there is none, now or for ever."""
        try:
            message = self._socket.recv(MESSAGE_BYTES, how)
        except (BlockingIOError, ConnectionResetError):
            return False
        if message:
            word, number, value = message.decode().split()
            self._said[word, int(number)] = int(value)
        return bool(message)


def _end(server: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    server.close()
    process.kill()  # it may still be importing
    process.wait()


_latest: Forks | None = None


def forks() -> Forks:
    """This process's server. Ask early: it imports for seconds, and workers asked for meanwhile wait."""
    global _latest
    if _latest is None or not _latest.usable:
        _latest = Forks()
    return _latest


def _forget() -> None:
    global _latest
    _latest = None


os.register_at_fork(after_in_child=_forget)  # a process has a server of its own
