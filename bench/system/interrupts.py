"""How a campaign is stopped: while trials run the first signal asks, the second ends it; else the first."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import NoReturn

# Ctrl-C; a cluster's scheduler before it kills; a terminal that was closed.
WATCHED = ("SIGINT", "SIGTERM", "SIGHUP")
CALM = 5.0  # seconds in which an end is not disturbed by further signals: they would be tracebacks
START = "stopped before the first trial; the same command continues"
SHOW_CURSOR = "\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """A signal has ended a campaign; the text says where it stood, and how it goes on."""


class Interrupts:
    """While open, the first of these signals is kept in `number`, and ends what goes on with `Interrupted`.

    In a patient stage the first one raises nothing, so it cannot come between a record's arrival and its line
    on the disk; the second does. A signal that somebody else handles or ignores (nohup) is left to them; so
    are all of them outside the main thread.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.where, self._patient = START, False
        self._ended: float | None = None
        self._before: dict[int, object] = {}

    @property
    def ended(self) -> bool:
        """Whether a signal has ended what went on."""
        return self._ended is not None

    def stage(self, where: str, *, patient: bool = False) -> None:
        """What goes on from now on; `where` is what to say when it is ended.

        Errors: `Interrupted` by a signal of the stage before, which nobody has acted on: noted too late
        there, or swallowed by a library.
        """
        for number in self._before:  # a library may have put its own in their place: Ray does, once started
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
                number = getattr(signal, name, None)  # not every system has all
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
        """End the process with 128 + the signal; a further one changes nothing any more."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)
        self._before.clear()
        sys.exit(128 + (self.number or 0))


_of_command: Interrupts | None = None


@contextmanager
def watch_signals() -> Iterator[Interrupts]:
    """The interrupts of the command that runs in this thread, else new ones."""
    if _of_command is not None and threading.current_thread() is threading.main_thread():
        yield _of_command
        return
    with Interrupts() as made:
        yield made


@contextmanager
def stoppable() -> Iterator[None]:
    """For a command: a signal at any time ends it in one line, with the cursor shown and 128 + the signal."""
    global _of_command
    with Interrupts() as interrupts:
        _of_command = interrupts
        try:
            yield
        except (Exception, KeyboardInterrupt):  # an import that is interrupted may make another error of it
            if not interrupts.ended:
                raise
            with suppress(OSError):  # the terminal may be gone
                cursor = SHOW_CURSOR if sys.stderr.isatty() else ""
                print(f"{cursor}{interrupts.where}", file=sys.stderr, flush=True)
            interrupts.leave()
        except SystemExit:  # stopped in good order
            if interrupts.number is None:
                raise
            interrupts.leave()
        finally:
            _of_command = None
