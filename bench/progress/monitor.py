"""Who watches a campaign: displays are shown how it stands; here that is kept for all of them."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from ...records.record import Record
from .eta import EtaEstimator, RemainingWork
from .snapshot import CampaignSnapshot, EntryProgress, Key, RunningTrial, entries_progress, front_summary

if TYPE_CHECKING:
    from ..executors.base import Running
    from ..search.study import Study

PAUSE = 0.4  # seconds between two looks at most


class Display(Protocol):
    """Shows how a campaign stands. It decides nothing, and may be told more often than it wants to show."""

    def show(self, snapshot: CampaignSnapshot) -> None:
        """How things stand now; about twice a second, and at the end."""

    def say(self, message: str) -> None:
        """One sentence for the person; from any thread."""


class ProgressMonitor:
    """What the driver tells of its studies, made into a snapshot for every display.

    A display that cannot write any more (its terminal is gone) is left out from then on.
    """

    def __init__(self, *displays: Display | None) -> None:
        self.displays = [display for display in displays if display is not None]
        self.studies: Sequence[Study] = ()
        self.capacity, self.began, self.pace = 0, time.time(), EtaEstimator()
        self._parts: dict[Key, EntryProgress] = {}
        self._before: dict[Key, int] = {}
        self._out: tuple[RunningTrial, ...] = ()
        self._complaints: set[tuple[str, str]] = set()
        self._shown = 0.0

    def __enter__(self) -> "ProgressMonitor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.studies:
            self._out = ()
            self._show(ended=True)

    def start(self, studies: Sequence["Study"], places: int) -> None:
        """The campaign is about to hand out trials."""
        self.studies, self.capacity = studies, places
        stored = [record for record in studies[0].store if record.ok] if studies else []
        for record in stored:
            self.pace.learn(record)
        self._before = {part.key: part.finished for part in entries_progress({}, stored)}
        self._show()

    def update(self, study: "Study", record: Record | None) -> None:
        """A record has come back, or the study has moved on by itself."""
        if record is not None:
            self.pace.learn(record)
            complaint = (study.name, record.reason or "")
            if not record.ok and complaint not in self._complaints:
                self._complaints.add(complaint)
                self.say(f"{study.name}: a trial failed: {record.reason}")
        if study.done and all(one.done for one in self.studies):
            self._out = ()
            self._show()

    def running(self, trials: Sequence["Running"]) -> None:
        """The trials that are out now; told at least every second."""
        if time.monotonic() - self._shown < PAUSE:
            return
        self._out = tuple(
            RunningTrial(
                id=one.trial.id, device=one.device, entry=one.trial.entry, task=one.trial.task,
                phase=one.trial.phase, trial=one.trial.number, seed=one.trial.seed, since=one.since,
            )
            for one in trials
        )  # fmt: skip
        self._show()

    def say(self, message: str) -> None:
        """One sentence for the person."""
        self._each(lambda display: display.say(message))

    def _show(self, *, ended: bool = False) -> None:
        self._shown = time.monotonic()
        snapshot = self._standing(ended)
        self._each(lambda display: display.show(snapshot))

    def _each(self, tell: Callable[[Display], None]) -> None:
        for display in list(self.displays):
            try:
                tell(display)
            except OSError:  # a view, not the truth
                self.displays.remove(display)

    def _standing(self, ended: bool) -> CampaignSnapshot:
        parts = tuple(self._part(study) for study in self.studies)
        came_to = defaultdict(list)
        for study in self.studies:
            if study.phase != "search":
                came_to[study.task.name].append(study.planned - study.suite.budget.trials)
        ahead = [self._ahead(study, came_to[study.task.name]) for study in self.studies]
        since: dict[Key, list[float]] = defaultdict(list)
        now = time.time()
        for one in self._out:
            since[one.task, one.entry].append(now - one.since)
        jobs = [
            RemainingWork(
                part.key, max(0, part.planned - part.finished) + more, study.suite.budget.generation,
                tuple(since[part.key]),
            )
            for study, part, more in zip(self.studies, parts, ahead, strict=True)
        ]  # fmt: skip
        return CampaignSnapshot(
            suite=self.studies[0].suite.name if self.studies else "",
            began=self.began, capacity=self.capacity, entries=parts, running=self._out, ended=ended,
            planned=round(sum(part.planned for part in parts) + sum(ahead)),
            seconds_left=self.pace.left(jobs, self.capacity),
        )  # fmt: skip

    def _part(self, study: "Study") -> EntryProgress:
        key = (study.task.name, study.entry.label)
        # What lies on the disk from an earlier run counts before the study comes to it again.
        finished = max(study.finished, self._before.get(key, 0))
        planned = max(study.planned, finished)
        old = self._parts.get(key)
        facts = (study.phase, planned, finished, study.failed)
        if old is None or (old.phase, old.planned, old.finished, old.failed) != facts:
            found = study.found.values() or study.stored.values()
            self._parts[key] = EntryProgress(
                task=key[0], entry=key[1], phase=study.phase, planned=planned, finished=finished,  # type: ignore[arg-type]
                failed=study.failed, front=front_summary(found),
            )  # fmt: skip
        return self._parts[key]

    def _ahead(self, study: "Study", came_to: Sequence[int]) -> float:
        """The confirming trials that a search is going to ask for.

        Its front so far once half the search is over, until then what other searches of the task came to, or
        as many points as the budget admits.
        """
        if study.phase != "search":
            return 0.0
        budget, part = study.suite.budget, self._parts[study.task.name, study.entry.label]
        if part.front is not None and 2 * part.finished >= budget.trials:
            return float(budget.seeds * min(part.front.points, budget.points))
        return sum(came_to) / len(came_to) if came_to else float(budget.seeds * budget.points)
