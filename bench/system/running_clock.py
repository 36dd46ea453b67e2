"""A clock of the time in which this process runs, for limits on what runs beside it."""

import time

STANDSTILL = 30.0
"""Seconds between two looks at the clock from which on the process counts as having stood still."""


class RunningClock:
    """A clock that neither a change of the wall clock nor a standstill of this process moves.

    It counts monotonic time, which on Linux and macOS stands still while the machine is suspended. A process
    that looks at it every second and is stopped (Ctrl-Z, SIGSTOP, a frozen container, a paused virtual
    machine) finds a gap of more than `STANDSTILL` when it goes on, and the gap is left out.

    Example:
        >>> clock = RunningClock()
        >>> before = clock.now()
        >>> clock._looked -= 3600  # as if the process had been stopped for an hour
        >>> clock.now() - before < 1
        True
    """

    def __init__(self) -> None:
        self._looked, self._stood = time.monotonic(), 0.0

    def now(self) -> float:
        """Returns the seconds that have counted, from an arbitrary start; call it every few seconds."""
        now = time.monotonic()
        if now - self._looked > STANDSTILL:
            self._stood += now - self._looked
        self._looked = now
        return now - self._stood
