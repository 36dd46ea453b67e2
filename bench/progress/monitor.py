"""The monitor of a campaign: collects its progress from the driver and passes snapshots to the displays."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from ...records.record import Record
from .eta import EtaEstimator, RemainingWork
from .recorded import entries_progress
from .snapshot import CampaignSnapshot, EntryProgress, Key, RunningTrial, Stage, front_summary

if TYPE_CHECKING:
    from ..executors.base import Running
    from ..search.study import Study

PAUSE = 0.4  # seconds between two snapshots of the running trials at least
LONGEST_PAUSE = 5.0
SHARE = 0.05  # of the driver's time, for displays
STAGES: tuple[Stage, ...] = ("search", "confirm", "done")


class Display(Protocol):
    """The protocol of progress displays: what the monitor calls while a campaign runs.

    A display decides nothing about the campaign, and may skip snapshots.

    Example:
        >>> class Messages:
        ...     def show(self, snapshot): ...
        ...     def say(self, message): print(message)
        >>> ProgressMonitor(Messages()).say("MLflow does not answer")
        MLflow does not answer
    """

    def show(self, snapshot: CampaignSnapshot) -> None:
        """Shows a snapshot; called about twice a second, and at the end."""

    def say(self, message: str) -> None:
        """Shows a message of one sentence; called from any thread."""


class ProgressMonitor:
    """Makes snapshots from the driver's studies and running trials, and passes them to the displays.

    It is a context manager: on leaving, the displays get a last snapshot, marked as ended. A display that
    cannot write any more (its terminal is gone) is dropped.

    Args:
        displays: The displays; None is skipped.

    Example:
        >>> from rich.console import Console
        >>> from sparsebench.bench.progress.log_lines import LogLines
        >>> with ProgressMonitor(LogLines(Console()), None) as monitor:
        ...     monitor.start([], places=2)  # the driver passes its studies
        ...     monitor.say("MLflow does not answer")
        entries: 0, tasks: 0, trials at a time: 2
        MLflow does not answer
    """

    def __init__(self, *displays: Display | None) -> None:
        self.displays = [display for display in displays if display is not None]
        self.studies: Sequence[Study] = ()
        self.capacity, self.pace = 0, EtaEstimator()
        self._began = time.monotonic()  # the wall clock may be set meanwhile
        self._entries: dict[Key, EntryProgress] = {}
        self._before: dict[Key, int] = {}
        self._out: tuple[RunningTrial, ...] = ()
        self._complaints: set[tuple[str, str]] = set()
        self._next = 0.0

    def __enter__(self) -> "ProgressMonitor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.studies:
            self._out = ()
            self._show(ended=True)

    def start(self, studies: Sequence["Study"], places: int) -> None:
        """Begins the display of a campaign, with the finished records of an earlier run of it.

        Args:
            studies: All studies of the campaign, in the suite's order.
            places: How many trials run at once.
        """
        self.studies, self.capacity = studies, places
        stored = [record for record in studies[0].store if record.ok] if studies else []
        for record in stored:
            self.pace.learn(record)
        self._before = {one.key: one.finished for one in entries_progress({}, stored)}
        self._show()

    def update(self, study: "Study", record: Record | None) -> None:
        """Takes a new record of a study into account, or (None) a change of its phase without a record.

        Of the failures of a study, each reason is one message.
        """
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
        """Takes the trials that run now, and shows a snapshot; the driver calls it at least every second."""
        if time.monotonic() < self._next:
            return
        self._out = tuple(
            RunningTrial(
                id=one.trial.id, device=one.device, entry=one.trial.entry, task=one.trial.task,
                phase=one.trial.phase, trial=one.trial.number, seed=one.trial.seed,
                since=time.time() - one.seconds,
            )
            for one in trials
        )  # fmt: skip
        self._show()

    def say(self, message: str) -> None:
        """Passes a message of one sentence to the displays."""
        self._each(lambda display: display.say(message))

    def _show(self, *, ended: bool = False) -> None:
        began = time.monotonic()
        snapshot = self._snapshot(ended)
        self._each(lambda display: display.show(snapshot))
        # Of thousands of entries a snapshot takes long: the displays get a share of the driver's time.
        shown = time.monotonic()
        self._next = began + max(PAUSE, min(LONGEST_PAUSE, (shown - began) / SHARE))

    def _each(self, tell: Callable[[Display], None]) -> None:
        for display in list(self.displays):
            try:
                tell(display)
            except OSError:  # the display is lost, the campaign goes on
                self.displays.remove(display)

    def _snapshot(self, ended: bool) -> CampaignSnapshot:
        of: dict[Key, list[Study]] = defaultdict(list)  # several of a key where a suite has several searches
        for study in self.studies:
            of[study.task.name, study.entry.label].append(study)
        entries = {key: self._entry(key, own) for key, own in of.items()}
        # The confirming trials that are expected of unfinished searches.
        came_to = defaultdict(list)
        for study in self.studies:
            if study.phase != "search":
                came_to[study.task.name].append(study.planned - study.suite.budget.trials)
        ahead = {key: sum(self._ahead(study, came_to[key[0]]) for study in own) for key, own in of.items()}
        # The remaining work of each entry.
        since: dict[Key, list[float]] = defaultdict(list)
        now = time.time()
        for one in self._out:
            since[one.task, one.entry].append(now - one.since)
        jobs = [
            RemainingWork(
                key, max(0, one.planned - one.finished) + ahead[key],
                of[key][0].suite.budget.generation * len(of[key]), tuple(since[key]),
            )
            for key, one in entries.items()
        ]  # fmt: skip
        return CampaignSnapshot(
            suite=self.studies[0].suite.name if self.studies else "",
            began=now - (time.monotonic() - self._began),
            capacity=self.capacity, entries=tuple(entries.values()), running=self._out, ended=ended,
            planned=round(sum(one.planned for one in entries.values()) + sum(ahead.values())),
            seconds_left=self.pace.left(jobs, self.capacity),
        )  # fmt: skip

    def _entry(self, key: Key, own: Sequence["Study"]) -> EntryProgress:
        """Returns the progress of an entry; made anew only where it has changed, since fronts take time."""
        # Records of an earlier run count before the study has asked for their trials again.
        finished = max(sum(study.finished for study in own), self._before.get(key, 0))
        planned = max(sum(study.planned for study in own), finished)
        phase = next(stage for stage in STAGES if any(study.phase == stage for study in own))
        failed, shared = sum(study.failed for study in own), sum(study.shared for study in own)
        old = self._entries.get(key)
        facts = (phase, planned, finished, failed, shared)
        if old is None or (old.phase, old.planned, old.finished, old.failed, old.shared) != facts:
            found = chain.from_iterable(study.found.values() or study.stored.values() for study in own)
            self._entries[key] = EntryProgress(
                task=key[0], entry=key[1], phase=phase, planned=planned, finished=finished,
                failed=failed, shared=shared, front=front_summary(found),
            )  # fmt: skip
        return self._entries[key]

    def _ahead(self, study: "Study", came_to: Sequence[int]) -> float:
        """Returns the expected number of confirming trials that a search will ask for.

        Once half the search is over it is the seeds times the trainings that it would choose now; before
        that, the mean of the finished searches of the task (`came_to`), or else the most that there can be.
        """
        if study.phase != "search":
            return 0.0
        budget = study.suite.budget
        if 2 * study.finished >= budget.trials:
            return float(budget.seeds * len(study.chosen()))
        return sum(came_to) / len(came_to) if came_to else budget.most_confirmations / budget.searches
