"""A process for each trial, forked from a warm one that opens data and never runs a method's code.

    warm process (a local worker, a Ray actor)             trial process
      fork    ── the trial, in the memory that is copied ──>  runs it in a session of its own
      pause   ── a byte of shared memory ──────────────────>  looked at between two steps
      answer  <── a pipe: one line ────────────────────────  and ends

Whatever a method does to its process (settings of torch, patched functions, signals, threads, memory) ends
with that process: the next trial starts from the warm one as it was.
"""

import contextlib
import mmap
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import NoReturn

from ..system.isolation.process_tree import children, end_with_parent, kill_strays

UNKNOWN = -1  # the status of a process that has ended, where the system has kept none
POLL_SECONDS = 0.05  # between two looks at a process that the system cannot be waited for with others

Run = Callable[[Callable[[], bool]], str]
"""Runs a trial, and returns one line; it is given `asked`, which returns whether to pause."""


class TrialProcess:
    """A process forked from this one, which runs a trial and ends.

    Its standard input is empty, it has no terminal, and SIGTERM and SIGHUP ask it to pause. Fork it from a
    process in which no operator of torch has used more than one thread, and no GPU.

    Args:
        run: Runs a trial there; what it raises ends the process.
        closing: Descriptors of this process that the new one must not hold.

    Example:
        >>> def until_asked(asked):
        ...     while not asked():
        ...         pass
        ...     return "paused"
        >>> process = TrialProcess(until_asked)
        >>> process.pause()
        >>> process.wait_for_answer()
        'paused'
        >>> process.end()
        >>> process = TrialProcess(lambda asked: os._exit(7))
        >>> process.wait_for_answer()
        'died with exit code 7'
        >>> process.end()
    """

    def __init__(self, run: Run, closing: tuple[int, ...] = ()) -> None:
        self._flag = mmap.mmap(-1, 1)
        self._outbox, outbox = os.pipe()
        self._buffer = b""
        self._status: int | None = None
        self._sentinel: int | None = None
        _flush()
        self._others = children()
        warm = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            for descriptor in (self._outbox, *closing):
                with contextlib.suppress(OSError):  # another thread of the warm process may have closed it
                    os.close(descriptor)
            _be_trial(run, self._flag, outbox, warm)
        os.close(outbox)
        os.set_blocking(self._outbox, False)
        with contextlib.suppress(AttributeError, OSError):  # neither macOS nor an old kernel has it
            self._sentinel = os.pidfd_open(self.pid)

    def pause(self) -> None:
        """Asks the trial to pause."""
        self._flag[0] = 1

    @property
    def watched(self) -> list[int]:
        """The descriptors of which one is readable when `answer` may have something new."""
        return [self._outbox] if self._sentinel is None else [self._outbox, self._sentinel]

    @property
    def patience(self) -> float | None:
        """Seconds after which to look at `answer` without that; None where it need not be."""
        return POLL_SECONDS if self._sentinel is None else None

    @property
    def ended(self) -> bool:
        """Whether the process has ended; does not wait."""
        if self._status is None:
            self._status = self._wait(os.WNOHANG)
        return self._status is not None

    def answer(self) -> str | None:
        """Returns the answer to the trial, `died with ...` where the process has ended instead, else None."""
        ended = self.ended  # before the pipe is read: what it has written is there
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._outbox, 1 << 20):
                self._buffer += chunk
        if b"\n" in self._buffer:
            return self._buffer.partition(b"\n")[0].decode("utf-8", "replace")
        if not ended:
            return None
        code = self._status
        return died(None if code is None or code == UNKNOWN else os.waitstatus_to_exitcode(code))

    def wait_for_answer(self) -> str:
        """Returns the answer to the trial, for which it waits, like `answer`."""
        while (said := self.answer()) is None:
            wait(self.watched, self.patience)
        return said

    def end(self) -> None:
        """Kills the process with its session's processes and all that it has left, and forgets it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):  # it may not lead its group yet
                os.kill(self.pid, signal.SIGKILL)
            self._status = self._wait(0)
        kill_strays(self._others)
        for descriptor in (self._outbox, self._sentinel):
            if descriptor is not None:
                os.close(descriptor)

    def _wait(self, options: int) -> int | None:
        """Returns the process's status as the system gives it; None where it runs."""
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:  # where SIGCHLD is ignored, the system keeps no status
            return UNKNOWN
        return status if pid else None


def write_all(descriptor: int, text: bytes) -> None:
    """Writes a text to a pipe, whole: a signal may cut a write short.

    Args:
        descriptor: The pipe's end.
        text: The bytes.

    Example:
        >>> there, here = os.pipe()
        >>> write_all(here, b"ready")
        >>> os.read(there, 16)
        b'ready'
    """
    while text:
        text = text[os.write(descriptor, text) :]


def _be_trial(run: Run, flag: mmap.mmap, outbox: int, warm: int) -> NoReturn:
    """Runs the trial in the process that has just been forked, and ends it."""
    status = 1
    try:
        # A session of its own, without a terminal; it ends with the warm process.
        end_with_parent()
        os.setsid()
        empty_input()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which pauses its workers
        for number in (signal.SIGTERM, signal.SIGHUP):  # from a scheduler: write a checkpoint
            signal.signal(number, lambda number, frame: flag.__setitem__(0, 1))
        # The trial. `asked` looks at the parent too, where the kernel does not end this process with it.
        said = run(lambda: flag[0] != 0 or os.getppid() != warm)
        _flush()
        write_all(outbox, f"{said}\n".encode())
        status = 0
    except SystemExit as leave:  # of a method
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:
        with contextlib.suppress(Exception):
            traceback.print_exc()
    finally:
        _flush()
        os._exit(status & 0xFF)  # without waiting for threads and exit handlers of a method


def died(code: int | None) -> str:
    """Returns how a process has ended, in words.

    Args:
        code: Its exit code, or minus the number of its signal; None where that is unknown.

    Returns:
        Words that follow its name.

    Example:
        >>> died(7), died(-9), died(None)
        ('died with exit code 7', 'died with signal 9', 'died')
    """
    if code is None:
        return "died"
    return f"died with signal {-code}" if code < 0 else f"died with exit code {code}"


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed or replaced by a method, or on a full disk
            stream.flush()


def empty_input() -> None:
    """Makes the standard input of this process empty: nothing may wait there for somebody to type.

    Example:
        >>> child = os.fork()
        >>> if child == 0:
        ...     empty_input()
        ...     os._exit(len(os.read(0, 1)))
        >>> os.waitpid(child, 0)[1]
        0
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    if nothing != 0:
        os.dup2(nothing, 0)
        os.close(nothing)
    sys.stdin = os.fdopen(0, encoding="utf-8", errors="replace", closefd=False)
