"""How long what is left of a campaign will take, judged by the trials that have finished."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...records.record import Record
from .snapshot import Key


@dataclass
class _Mean:
    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total, self.count = self.total + value, self.count + 1


@dataclass(frozen=True)
class RemainingWork:
    """What is left of an entry on a task: trials (those that run counted), how many of them can run at once,
    and for how many seconds each of the running ones has run."""

    key: Key
    trials: float
    abreast: int
    running: tuple[float, ...] = ()


@dataclass
class EtaEstimator:
    """Seconds a trial, by entry and task; where an entry has none yet its task's mean, then everyone's."""

    _means: dict[tuple[str, ...], _Mean] = field(default_factory=lambda: defaultdict(_Mean))

    def learn(self, record: Record) -> None:
        """A trial that came to an end. Failures do not count: they are over too soon, or too late."""
        if record.ok and record.seconds > 0:
            for key in ((record.task, record.entry), (record.task,), ()):
                self._means[key].add(record.seconds)

    def seconds(self, key: Key) -> float | None:
        """The expected seconds of a trial; None while nothing has finished."""
        for known in (key, key[:1], ()):
            mean = self._means.get(known)
            if mean is not None:
                return mean.total / mean.count
        return None

    def left(self, jobs: Iterable[RemainingWork], places: int) -> float | None:
        """Seconds until all jobs are done on so many places; None while nothing has finished.

        The work over the places, or the job that takes longest by itself where that is more.
        """
        works, longest = 0.0, 0.0
        for job in jobs:
            each = self.seconds(job.key)
            if each is None:
                return None
            work = each * job.trials - sum(min(seconds, each) for seconds in job.running)
            works += max(0.0, work)
            longest = max(longest, work / max(1, min(places, job.abreast)))
        return max(works / max(1, places), longest)
