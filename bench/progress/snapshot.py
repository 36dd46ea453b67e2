"""How a campaign stands: what a person who watches it wants to know, as plain facts. No torch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ...records.pareto import front
from ...records.record import Record
from ...records.store import latest

Stage = Literal["search", "confirm", "done"]
Key = tuple[str, str]
"""A task's name and an entry's label."""


class _Facts(BaseModel):
    # `status --json` and state.json keep the names that they have had from the beginning.
    model_config = ConfigDict(frozen=True, serialize_by_alias=True)


class FrontSummary(_Facts):
    """A search's front so far. Accuracies are fractions, on validation data; `at_10` is the best of the
    trials with a compression of at least 10, None where there is none."""

    points: int
    best: float
    at_10: float | None
    at_100: float | None


class EntryProgress(_Facts):
    """One entry on one task. `finished` counts the failed too; `planned` grows when the search is done."""

    entry: str
    task: str
    phase: Stage
    planned: int
    finished: int
    failed: int = 0
    front: FrontSummary | None = None

    @property
    def key(self) -> Key:
        return self.task, self.entry


class RunningTrial(_Facts):
    """A trial that is out. `id` is its record's, `trial` its number in the search; `since` in seconds since
    the epoch."""

    id: str
    device: str
    entry: str
    task: str
    phase: str
    trial: int | None
    seed: int
    since: float


class CampaignSnapshot(_Facts):
    """The whole campaign at one moment. `planned` is an estimate while searches run.

    `ended`: its driver has finished, or was stopped in good order. Times in seconds since the epoch.
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
        return sum(part.finished for part in self.entries)

    @property
    def failed(self) -> int:
        return sum(part.failed for part in self.entries)

    @property
    def done(self) -> bool:
        return bool(self.entries) and all(part.phase == "done" for part in self.entries)


def front_summary(records: Iterable[Record]) -> FrontSummary | None:
    """What the records of one search have reached; None before the first result."""
    points = [
        (record.log_compression, record.val_accuracy)
        for record in records
        if record.status == "ok" and record.val_accuracy is not None
    ]
    if not points:
        return None

    def best(decades: float) -> float | None:
        return max((accuracy for x, accuracy in points if x >= decades), default=None)

    return FrontSummary(
        points=len(front(points)), best=max(y for _, y in points), at_10=best(1.0), at_100=best(2.0)
    )


def entries_progress(
    suite: Mapping[str, Any], records: Sequence[Record], *, count_failed: bool = True
) -> tuple[EntryProgress, ...]:
    """How far each entry is on each task, judged by the records alone, in the suite's order.

    A trial that two entries share, or that one asks twice, is one record: the driver counts it as often as it
    was asked, this does not. `suite` is the content of suite.json; when empty, the records say what there is.
    """
    of: dict[Key, list[Record]] = defaultdict(list)
    for record in latest(records):
        if record.phase != "single" and (record.ok or count_failed):
            of[record.task, record.entry].append(record)
    tasks = [f"{task['dataset']}-{task['model']}" for task in suite.get("tasks", [])]
    labels = [entry["label"] for entry in suite.get("entries", [])]
    keys = [(task, label) for task in tasks for label in labels] or list(of)
    budget = suite.get("budget", {})
    return tuple(_part(key, of[key], budget.get("trials"), budget.get("seeds")) for key in keys)


def _part(key: Key, records: Sequence[Record], trials: int | None, seeds: int | None) -> EntryProgress:
    search = [record for record in records if record.phase == "search"]
    confirm = [record for record in records if record.phase == "confirm"]
    points = len({record.confirms for record in confirm})
    wanted = len(search) if trials is None else trials
    planned = wanted + (len(confirm) if seeds is None else points * seeds)
    phase: Stage = "confirm" if points or (search and len(search) >= wanted) else "search"
    if points and len(records) >= planned:
        phase = "done"
    return EntryProgress(
        task=key[0], entry=key[1], phase=phase, planned=max(planned, len(records)), finished=len(records),
        failed=sum(not record.ok for record in records), front=front_summary(search),
    )  # fmt: skip


def duration(seconds: float) -> str:
    """A time as a person says it: 45 s, 12 min, 3.4 h, 2.1 days."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def progress_summary(snapshot: CampaignSnapshot) -> str:
    """How far it is, in a line."""
    about = "" if all(part.phase != "search" for part in snapshot.entries) else "about "
    words = [f"{snapshot.finished} of {about}{max(snapshot.planned, snapshot.finished)} trials"]
    if snapshot.failed:
        words.append(f"{snapshot.failed} failed")
    if snapshot.running:
        words.append(f"{len(snapshot.running)} running")
    return ", ".join(words)
