"""The live display: the campaign's standing, redrawn in place."""

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live

from .picture import picture
from .standing import Standing

PAUSE = 0.9  # seconds between two drawings at least: one of 26 × 6 entries takes 20 ms


class Bars:
    """Redraws the picture about once a second; sentences scroll by above it. It has no thread of its own."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True)
        self._drew = 0.0

    def __enter__(self) -> "Bars":
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def show(self, standing: Standing) -> None:
        if time.monotonic() - self._drew < PAUSE and not standing.ended:
            return
        self._drew = time.monotonic()
        size = self.console.size
        self.live.update(picture(standing, size.width, size.height), refresh=True)

    def say(self, message: str) -> None:
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)
