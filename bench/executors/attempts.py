"""How often the trials that are out have been tried, and what becomes of one whose worker has ended."""

from collections import Counter
from dataclasses import dataclass, field

from ..config.trial_spec import Trial
from ..training.trial import failed
from .base import FinishedTrial

MAX_ATTEMPTS = 3
"""How often a trial is tried whose worker dies under it."""


@dataclass
class Attempts:
    """The attempts of the trials that an executor has taken and not returned.

    Attributes:
        pausing: The campaign pauses: a trial whose worker ends returns without a record, and is not retried.

    Example:
        >>> attempts = Attempts()
        >>> for _ in range(MAX_ATTEMPTS):
        ...     attempts.begin(trial)
        ...     lost = attempts.lost(trial, "its worker died with signal 9", device="cpu", threads=1)
        >>> lost[1].reason
        'tried 3 times, at last its worker died with signal 9'
    """

    pausing: bool = False
    _counts: Counter[str] = field(default_factory=Counter)

    def begin(self, trial: Trial) -> None:
        """Counts an attempt, which starts now."""
        self._counts[trial.id] += 1

    def of(self, trial: Trial) -> int:
        """Returns the attempts of a trial so far; 0 once it has been returned."""
        return self._counts[trial.id]

    def end(self, trial: Trial) -> None:
        """Forgets a trial that is returned to the driver."""
        self._counts.pop(trial.id, None)

    def lost(self, trial: Trial, how: str, *, device: str, threads: int) -> FinishedTrial | None:
        """Decides about a trial whose worker has ended: None to try it again, else what is returned."""
        if self.pausing:
            return trial, None
        if self._counts[trial.id] < MAX_ATTEMPTS:
            return None
        reason = f"tried {self._counts[trial.id]} times, at last {how}"
        return self.give_up(trial, reason, device=device, threads=threads)

    def timed_out(self, trial: Trial, limit: float, *, device: str, threads: int) -> FinishedTrial:
        """Gives up a trial that has run for more than `limit` seconds."""
        return self.give_up(
            trial, f"it took longer than the time limit of {limit:g} s", device=device, threads=threads
        )

    def give_up(self, trial: Trial, reason: str, *, device: str, threads: int) -> FinishedTrial:
        """Returns a trial as failed, for a reason that another attempt would not change."""
        self.end(trial)
        return trial, failed(trial, reason, device=device, threads=threads)
