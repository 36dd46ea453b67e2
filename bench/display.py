"""What a campaign shows while it runs: live bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .executors.api import Running
from .records import Record
from .studies import Study


class Display(Protocol):
    """Told of everything that happens; decides what a person sees."""

    def start(self, studies: Sequence[Study], slots: int) -> None:
        """The campaign is about to hand out trials."""

    def update(self, study: Study, record: Record | None) -> None:
        """A record has come back, or the study has moved on by itself."""

    def running(self, trials: Sequence[Running]) -> None:
        """The trials that are out now; told at least every second."""

    def say(self, message: str) -> None:
        """One sentence for the person."""


class Silent:
    """Nothing: for notebooks and tests that read the result instead."""

    def start(self, studies: Sequence[Study], slots: int) -> None: ...

    def update(self, study: Study, record: Record | None) -> None: ...

    def running(self, trials: Sequence[Running]) -> None: ...

    def say(self, message: str) -> None: ...


class Lines:
    """A line when an entry's search ends, when it is confirmed, and when a trial fails."""

    def __init__(self, console: Console) -> None:
        self.console, self.began, self._phase = console, time.monotonic(), dict[str, str]()

    def start(self, studies: Sequence[Study], slots: int) -> None:
        self.began = time.monotonic()
        self.console.print(f"{len(studies)} searches on {slots} device slots", highlight=False)

    def update(self, study: Study, record: Record | None) -> None:
        if record is not None and record.status == "failed":
            self.say(f"{study.name}: a trial failed: {record.reason}")
        if self._phase.get(study.name, "search") != study.phase:
            self._phase[study.name] = study.phase
            what = "confirmed" if study.done else "searched, confirming"
            elapsed = time.monotonic() - self.began
            self.say(f"{elapsed:6.0f} s  {study.name}: {what} ({study.finished} trials)")

    def running(self, trials: Sequence[Running]) -> None:
        """Nothing: a log has no use for what is over in a moment."""

    def say(self, message: str) -> None:
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)


class Bars:
    """A bar for each entry on each task, and one for the whole campaign."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self.bars: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def start(self, studies: Sequence[Study], slots: int) -> None:
        for study in studies:
            self.bars[study.name] = self.progress.add_task(study.name, total=study.planned, note="")
            self.update(study, None)

    def update(self, study: Study, record: Record | None) -> None:
        note = study.phase + (f", {study.failed} failed" if study.failed else "")
        self.progress.update(self.bars[study.name], completed=study.finished, total=study.planned, note=note)
        if record is not None and record.status == "failed":
            self.say(f"{study.name}: a trial failed: {record.reason}")

    def running(self, trials: Sequence[Running]) -> None: ...

    def say(self, message: str) -> None:
        self.progress.console.print(message, highlight=False, markup=False, soft_wrap=True)
