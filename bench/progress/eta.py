"""The estimate of a campaign's remaining time, from the durations of its finished trials."""

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
    """The unfinished trials of one entry on one task.

    Attributes:
        key: The task's name and the entry's label.
        trials: The number of unfinished trials, the running ones included; an expected number while the
            size of the confirm phase is not known.
        abreast: How many of them can run at once: a search asks for one generation at a time.
        running: The seconds that each running trial has run so far.

    Example:
        >>> eta = EtaEstimator()
        >>> eta.learn(record)  # 1.5 s
        >>> eta.left([RemainingWork(key=(record.task, record.entry), trials=8, abreast=2)], places=64)
        6.0
    """

    key: Key
    trials: float
    abreast: int
    running: tuple[float, ...] = ()


@dataclass
class EtaEstimator:
    """The mean seconds per trial, by entry and task.

    Where an entry has no finished trial yet, the mean of its task is used, else the mean of all trials.

    Example:
        >>> eta = EtaEstimator()
        >>> eta.learn(record)  # 1.5 s
        >>> eta.seconds((record.task, "another entry"))
        1.5
        >>> eta.left([RemainingWork(key=(record.task, record.entry), trials=8, abreast=8)], places=4)
        3.0
    """

    _means: dict[tuple[str, ...], _Mean] = field(default_factory=lambda: defaultdict(_Mean))

    def learn(self, record: Record) -> None:
        """Adds the duration of a finished trial. Failures do not count: they end too early or too late."""
        if record.ok and record.seconds > 0:
            for key in ((record.task, record.entry), (record.task,), ()):
                self._means[key].add(record.seconds)

    def seconds(self, key: Key) -> float | None:
        """Returns the expected seconds of a trial; None while no trial has finished."""
        for known in (key, key[:1], ()):
            mean = self._means.get(known)
            if mean is not None:
                return mean.total / mean.count
        return None

    def left(self, jobs: Iterable[RemainingWork], places: int) -> float | None:
        """Returns the seconds until all jobs are done with `places` trials at once; None while none finished.

        The estimate is the larger of two lower bounds: all work divided by the places, and the job that takes
        longest with the trials that it can run at once.
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
