"""The snapshot of a campaign: progress of each entry, running trials and fronts, as data. No torch."""

import math
from collections.abc import Iterable
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ...learning import chance_of, learned
from ...records.pareto import front
from ...records.record import Record
from .outcomes import TrialOutcome

Stage = Literal["search", "confirm", "done"]
Key = tuple[str, str]
"""The name of a task and the label of an entry."""


class _Facts(BaseModel):
    # In JSON (`status --json`, state.json) fields have the names of the first version, through aliases.
    model_config = ConfigDict(frozen=True, serialize_by_alias=True)


class FrontSummary(_Facts):
    """The front of an entry's searches so far, in four numbers. Accuracies are fractions, on validation data.

    Attributes:
        points: The number of points on the front of accuracy against compression, of networks that learned.
        best: The best accuracy of all trials.
        at_10: The best accuracy of the trials with a compression of at least 10; None without such a trial.
        at_100: The same for a compression of at least 100.

    Example:
        >>> front_summary(r for r in records if r.entry == "dwf-3" and r.phase == "search")
        FrontSummary(points=3, best=0.976..., at_10=0.969..., at_100=0.704...)
    """

    points: int
    best: float
    at_10: float | None
    at_100: float | None


class EntryProgress(_Facts):
    """The progress of one entry on one task.

    Attributes:
        entry: The entry's label.
        task: The task's name.
        phase: `search`, `confirm` or `done`.
        planned: The number of trials; it grows when the search ends and its points are to be confirmed.
        finished: The number of finished trials, the failed ones included.
        failed: The number of failed trials.
        shared: The number of finished trials whose record is that of another trial of the same identity; None
            where the driver did not count them.
        front: The front of the search; None before the first result.

    Example:
        >>> one = EntryProgress(entry="dwf-3", task="mnist-lenet5", phase="search", planned=16, finished=4)
        >>> one.key
        ('mnist-lenet5', 'dwf-3')
    """

    entry: str
    task: str
    phase: Stage
    planned: int
    finished: int
    failed: int = 0
    shared: int | None = None
    front: FrontSummary | None = None

    @property
    def key(self) -> Key:
        """The task's name and the entry's label."""
        return self.task, self.entry


class RunningTrial(_Facts):
    """A trial that is running.

    Attributes:
        id: The id of its future record.
        device: Where it runs, such as `cpu` or `cuda:0`.
        entry: The entry's label.
        task: The task's name.
        phase: `search` or `confirm`.
        trial: Its number in the search; None for a confirming trial.
        seed: The seed.
        since: When it was started, in seconds since the epoch.

    Example:
        >>> from sparsebench.bench.progress.live_table import running_label
        >>> running_label(RunningTrial(id="3f9a", device="cpu", entry="dwf-3", task="mnist-lenet5",
        ...                            phase="search", trial=7, seed=0, since=0.0))
        'dwf-3 on mnist-lenet5: search, trial 7'
    """

    id: str
    device: str
    entry: str
    task: str
    phase: str
    trial: int | None
    seed: int
    since: float


class CampaignSnapshot(_Facts):
    """The state of a whole campaign at one moment.

    Attributes:
        suite: The suite's name.
        began: When the driver started, in seconds since the epoch.
        capacity: How many trials run at once.
        entries: The progress of each entry on each task, in the suite's order.
        running: The trials that are running.
        planned: The number of trials; an estimate while searches run.
        seconds_left: The estimated remaining time; None while it is not known.
        ended: Whether the driver has finished, or was stopped and wrote its last state.

    Example:
        >>> one = EntryProgress(entry="dwf-3", task="mnist-lenet5", phase="search", planned=16, finished=4)
        >>> snapshot = CampaignSnapshot(suite="mine", began=0.0, capacity=2, entries=(one, one), planned=32)
        >>> snapshot.finished, snapshot.done
        (8, False)
    """

    suite: str
    began: float
    capacity: int = Field(validation_alias=AliasChoices("capacity", "places"), serialization_alias="places")
    entries: tuple[EntryProgress, ...] = Field(
        validation_alias=AliasChoices("entries", "parts"), serialization_alias="parts"
    )
    running: tuple[RunningTrial, ...] = ()
    planned: int = 0
    seconds_left: float | None = None
    ended: bool = False

    @property
    def finished(self) -> int:
        """The number of finished trials, the failed ones included."""
        return sum(one.finished for one in self.entries)

    @property
    def failed(self) -> int:
        """The number of failed trials."""
        return sum(one.failed for one in self.entries)

    @property
    def done(self) -> bool:
        """Whether every entry is searched and confirmed."""
        return bool(self.entries) and all(one.phase == "done" for one in self.entries)


def front_summary(records: Iterable[Record | TrialOutcome]) -> FrontSummary | None:
    """Returns a summary of the front of an entry's searches, by their points at the common compressions.

    Args:
        records: The records of the searches; failed and diverged ones are left out. Those of versions without
            common compressions have a point each, of their own.

    Returns:
        The summary; None before the first result.

    Example:
        >>> front_summary([record.model_copy(update={"compression": 20.0, "val_accuracy": 0.9})])
        FrontSummary(points=1, best=0.9, at_10=0.9, at_100=None)
    """
    found = [r for r in records if r.status == "ok" and r.val_accuracy is not None]
    if not found:
        return None
    # Only the best at each compression can be on a front. Networks that learned nothing are on none, and
    # still have an accuracy to show.
    highest = dict[float, tuple[float, float]]()
    for r in found:
        chance = chance_of(r, "validation") or 0.0
        for compression, accuracy in _places(r):
            if accuracy >= highest.get(compression, (0.0,))[0]:
                highest[compression] = accuracy, chance
    points = [
        (math.log10(c), accuracy) for c, (accuracy, chance) in highest.items() if learned(accuracy, chance)
    ]

    def best(decades: float) -> float | None:
        return max((accuracy for x, accuracy in points if x >= decades), default=None)

    return FrontSummary(
        points=len(front(points)),
        best=max(r.val_accuracy or 0.0 for r in found),
        at_10=best(1.0),
        at_100=best(2.0),
    )


def _places(record: Record | TrialOutcome) -> list[tuple[float, float]]:
    """Returns compression and validation accuracy of a record's points."""
    if record.at_compressions:
        return [(point.at, point.val_accuracy) for point in record.at_compressions]
    return [(record.compression or 1.0, record.val_accuracy or 0.0)]


def duration(seconds: float) -> str:
    """Returns a duration in words, with two digits or so.

    Args:
        seconds: The duration; a negative one counts as 0.

    Returns:
        The duration in s, min, h or days.

    Example:
        >>> [duration(seconds) for seconds in (45, 720, 12_240, 181_440)]
        ['45 s', '12 min', '3.4 h', '2.1 days']
    """
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def progress_summary(snapshot: CampaignSnapshot) -> str:
    """Returns the progress of a campaign in a line.

    Args:
        snapshot: The campaign.

    Returns:
        The numbers of finished, failed and running trials. The total is "about" while searches run: how many
        points they will confirm is not known.

    Example:
        >>> one = EntryProgress(entry="dwf-3", task="mnist-lenet5", phase="search", planned=16, finished=4)
        >>> progress_summary(CampaignSnapshot(suite="mine", began=0, capacity=2, entries=(one,), planned=28))
        '4 of about 28 trials'
    """
    about = "" if all(one.phase != "search" for one in snapshot.entries) else "about "
    words = [f"{snapshot.finished} of {about}{max(snapshot.planned, snapshot.finished)} trials"]
    if snapshot.failed:
        words.append(f"{snapshot.failed} failed")
    if snapshot.running:
        words.append(f"{len(snapshot.running)} running")
    return ", ".join(words)
