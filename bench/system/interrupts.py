"""Signals that stop a campaign.

While trials run, the first signal asks for a pause and the second ends the run; at other times the first one
ends it.
"""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import NoReturn

# Ctrl-C; a cluster's scheduler before it kills the process; a closed terminal.
WATCHED = ("SIGINT", "SIGTERM", "SIGHUP")
CALM = 5.0  # seconds after an end in which further signals are ignored, as they would print tracebacks
START = "stopped before the first trial; the same command continues"
SHOW_CURSOR = "\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """Raised where a signal ends a campaign; the message says at which stage, and how to continue.

    It is a `KeyboardInterrupt`, so that no `except Exception` on the way stops it.

    Example:
        >>> try:
        ...     raise Interrupted(START)
        ... except KeyboardInterrupt as end:
        ...     print(end)
        stopped before the first trial; the same command continues
    """


class Stopped(SystemExit):
    """The end of a process that a signal has stopped; its code is 128 + the signal.

    Example:
        >>> raise Stopped(130)
        Traceback (most recent call last):
        sparsebench.bench.system.interrupts.Stopped: 130
    """


def end_at_once(status: int) -> NoReturn:
    """Ends the process after its exit handlers, without the interpreter's teardown.

    A signal can come while threads of a library still work in native code; one that is torn down there
    aborts the process, whose exit status then says nothing of the signal.

    Args:
        status: The exit status.

    Example:
        >>> import subprocess
        >>> program = f"from {__name__} import end_at_once; end_at_once(130)"
        >>> subprocess.run([sys.executable, "-c", program]).returncode
        130
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a terminal or a pipe that is gone, or closed
            stream.flush()
    os._exit(status)


class Interrupts:
    """Signal handlers of a campaign, installed while this context is open.

    The first signal is recorded in `number`. In a patient stage it raises nothing, so it cannot come between
    a record's arrival and its line on the disk; the second one raises `Interrupted`. In other stages the
    first one raises it. A signal with a foreign handler, or one that is ignored (nohup), is left alone; so
    are all signals outside the main thread.

    Attributes:
        number: The first signal that arrived; None before.
        where: The message of the present stage's `Interrupted`.

    Example:
        >>> with Interrupts() as interrupts, suppress(Interrupted):
        ...     interrupts.number = signal.SIGTERM  # as its handler does for the first signal
        ...     interrupts.stage("stopped while tables were written")
        >>> interrupts.ended, interrupts.where
        (True, 'stopped while tables were written')
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.where, self._patient = START, False
        self._ended: float | None = None
        self._before: dict[int, object] = {}

    @property
    def ended(self) -> bool:
        """Whether a signal has raised `Interrupted`."""
        return self._ended is not None

    def stage(self, where: str, *, patient: bool = False) -> None:
        """Begins a stage; `where` is the message for a signal that ends it.

        Raises `Interrupted` for a signal of the stage before that had no effect: it came too late there, or a
        library swallowed the exception.
        """
        for number in self._before:  # a library may have replaced the handlers: Ray does so when it starts
            signal.signal(number, self._note)
        if self._ended is None:
            self.where, self._patient = where, patient
        if self.number is not None:
            self._end()

    def _end(self) -> NoReturn:
        self._ended = time.monotonic()
        raise Interrupted(self.where)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._ended is not None and time.monotonic() - self._ended < CALM:
            return
        if self.number is None:
            self.number = number
            if self._patient:
                return
        self._end()

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for name in WATCHED:
                number = getattr(signal, name, None)  # Windows has no SIGHUP
                usual = (signal.SIG_DFL, signal.default_int_handler)
                if number is not None and (before := signal.getsignal(number)) in usual:
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def leave(self) -> NoReturn:
        """Raises `Stopped` with 128 + the signal; further signals are ignored."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)
        self._before.clear()
        raise Stopped(128 + (self.number or 0))


_of_command: Interrupts | None = None


@contextmanager
def watch_signals() -> Iterator[Interrupts]:
    """Yields the interrupts of the command that runs in this thread, else new ones.

    Yields:
        The interrupts, installed; those of an enclosing `stoppable` are shared, so a signal is recorded once.

    Example:
        >>> with stoppable(), watch_signals() as outer, watch_signals() as inner:
        ...     outer is inner
        True
        >>> with watch_signals() as outer, watch_signals() as inner:
        ...     outer is inner
        False
    """
    if _of_command is not None and threading.current_thread() is threading.main_thread():
        yield _of_command
        return
    with Interrupts() as made:
        yield made


@contextmanager
def stoppable() -> Iterator[None]:
    """Makes a command end on a signal at any time in one line, without a traceback.

    It prints the stage's message, shows the terminal's cursor and exits with 128 + the signal.

    Yields:
        Nothing; used as a decorator of a command, or around its body.

    Example:
        >>> @stoppable()
        ... def command():
        ...     with watch_signals() as interrupts:
        ...         return interrupts.where
        >>> command()
        'stopped before the first trial; the same command continues'
    """
    global _of_command
    with Interrupts() as interrupts:
        _of_command = interrupts
        try:
            yield
        except (Exception, KeyboardInterrupt):  # an interrupted import may raise another error instead
            if not interrupts.ended:
                raise
            with suppress(OSError):  # the terminal may be gone
                cursor = SHOW_CURSOR if sys.stderr.isatty() else ""
                print(f"{cursor}{interrupts.where}", file=sys.stderr, flush=True)
            interrupts.leave()
        except SystemExit:  # the command exits by itself, perhaps as a signal has paused its trials
            if interrupts.number is None:
                raise
            interrupts.leave()
        finally:
            _of_command = None
