"""The protocol of executors: what the driver needs of one, whatever machines are behind it."""

from typing import NamedTuple, Protocol

from ...records.record import Record
from ..config.trial_spec import Trial

FinishedTrial = tuple[Trial, Record | None]
"""A trial that came back: with its record, or with None when it was paused and stands in its checkpoint."""


class Running(NamedTuple):
    """A trial that runs now.

    Attributes:
        device: The device as people name it: `cpu`, `cuda:0`, `node-1 cpu`.
        trial: The trial.
        seconds: How long it has run.

    Example:
        >>> Running("cuda:0", trial, seconds=0.0).trial.method
        'dense'
    """

    device: str
    trial: Trial
    seconds: float


class Executor(Protocol):
    """Takes frozen trials and returns records, in any order. The driver makes it and uses it from one thread.

    Example:
        >>> def records_of(executor: Executor, trials: list[Trial]) -> list[Record | None]:
        ...     found, waiting = [], list(trials)
        ...     while waiting or executor.running:
        ...         while waiting and executor.free():
        ...             executor.submit(waiting.pop(0))
        ...         found += [record for _, record in executor.wait(timeout=1.0)]
        ...     return found
    """

    @property
    def capacity(self) -> int:
        """How many trials run at once."""

    @property
    def running(self) -> list[Running]:
        """The trials that run now."""

    def free(self) -> bool:
        """Returns whether a trial could be taken now."""

    def submit(self, trial: Trial) -> None:
        """Takes a trial; only while `free`. It runs on any slot, after a lost worker on another one."""

    def wait(self, timeout: float) -> list[FinishedTrial]:
        """Returns what comes back within `timeout` seconds (the first batch of it); empty if nothing does.

        Time limits are watched here: call it every second or so, whether a trial is expected back or not.
        A trial whose worker dies is tried again, `MAX_ATTEMPTS` times in all, then comes back as a failed
        record with the reason, as does one that takes longer than its time limit.
        """

    def forget(self, trial: Trial) -> None:
        """Deletes the checkpoint of a trial whose record is on the disk."""

    def pause(self) -> None:
        """Asks every running trial for a checkpoint and its end; `wait` then returns each of them."""

    def close(self) -> None:
        """Ends everything now; what is still running is lost. Closing twice does no harm."""
