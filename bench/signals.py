"""How a campaign is stopped: the first signal asks, the second ends it."""

import signal
import threading
from types import FrameType, TracebackType

# Ctrl-C; a cluster's scheduler before it kills; a terminal that was closed.
WATCHED = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupts:
    """While open, the first of these signals is noted in `number`, and the second raises KeyboardInterrupt.

    The first one raises nothing, so it cannot come between a record's arrival and its line on the disk. A
    signal that somebody else handles or ignores (nohup) is left to them; so are all of them outside the main
    thread.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for name in WATCHED:
                number = getattr(signal, name, None)  # not every system has all
                usual = (signal.SIG_DFL, signal.default_int_handler)
                if number is not None and (before := signal.getsignal(number)) in usual:
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]
