"""What the driver needs of an executor, whatever machines are behind it."""

from typing import NamedTuple, Protocol

from ...records.record import Record
from ..config.trial_spec import Trial

MAX_ATTEMPTS = 3
"""How often a trial is tried whose worker dies under it."""


class Running(NamedTuple):
    """A trial that is out: where, and since when (seconds since the epoch)."""

    device: str
    trial: Trial
    since: float


def gave_up_reason(times: int, how: str) -> str:
    """Why a trial is given up whose workers have ended under it."""
    return f"tried {times} times, at last {how}"


def timeout_reason(limit: float) -> str:
    """Why a trial is given up that has run for more than `limit` seconds."""
    return f"it took longer than the time limit of {limit:g} s"


FinishedTrial = tuple[Trial, Record | None]
"""A trial that came back: with its record, or with None when it was paused and stands in its checkpoint."""


class Executor(Protocol):
    """Takes frozen trials and hands back records, in any order. Made by the driver, used by one thread."""

    @property
    def capacity(self) -> int:
        """How many trials run at once."""

    @property
    def running(self) -> list[Running]:
        """The trials that are out now."""

    def free(self) -> bool:
        """A trial could be taken now."""

    def submit(self, trial: Trial) -> None:
        """Take a trial; only while `free`. It runs on any place, after a lost worker on another one."""

    def wait(self, timeout: float) -> list[FinishedTrial]:
        """What comes back within `timeout` seconds (the first batch of it); empty if nothing does.

        Time limits are watched here: call it every second or so, whether a trial is expected back or not.
        A trial whose worker dies is tried again, `MAX_ATTEMPTS` times in all, then comes back as a failed
        record with the reason, as does one that takes longer than its time limit.
        """

    def forget(self, trial: Trial) -> None:
        """The trial's record is on the disk: its checkpoint is of no use any more."""

    def pause(self) -> None:
        """Ask every running trial for a checkpoint and its end; `wait` then returns each of them."""

    def close(self) -> None:
        """End everything now; what is still running is lost. Closing twice does no harm."""
