"""The progress display for logs: a line per finished search, messages, and a summary every five minutes."""

import time

from rich.console import Console

from .snapshot import CampaignSnapshot, EntryProgress, Key, duration, progress_summary

HEARTBEAT = 300.0  # seconds
FOLD = 5  # more entries than this that change at once were finished in an earlier run: one line for all


class LogLines:
    """A display that prints a line when an entry's search ends and when it is confirmed.

    Between them it prints a summary with the remaining time, every `heartbeat` seconds.

    Args:
        console: The console to print on.
        heartbeat: Seconds between two summaries.

    Example:
        >>> from rich.console import Console
        >>> from sparsebench.bench.progress.status import status
        >>> LogLines(Console()).show(status(folder).snapshot.model_copy(update={"capacity": 2}))
        entries: 3, tasks: 1, trials at a time: 2
        ... s  dense on made_up-net: confirmed (16 trials)
        ... s  magnitude on made_up-net: confirmed (16 trials)
        ... s  dwf-3 on made_up-net: confirmed (16 trials)
    """

    def __init__(self, console: Console, heartbeat: float = HEARTBEAT) -> None:
        self.console, self.heartbeat = console, heartbeat
        self._phases: dict[Key, str] = {}
        self._beat: float | None = None

    def show(self, snapshot: CampaignSnapshot) -> None:
        """Prints what has changed since the last call, and the summary when it is due."""
        if self._beat is None:
            self._beat = time.monotonic()
            entries, tasks = ({getattr(one, name) for one in snapshot.entries} for name in ("entry", "task"))
            places = snapshot.capacity
            self.say(f"entries: {len(entries)}, tasks: {len(tasks)}, trials at a time: {places}")
        elapsed = duration(time.time() - snapshot.began)
        moved = [one for one in snapshot.entries if one.phase != self._phases.get(one.key, "search")]
        self._phases = {one.key: one.phase for one in snapshot.entries}
        if len(moved) > FOLD:
            confirmed = sum(one.phase == "done" for one in moved)
            searched = len(moved) - confirmed
            self.say(f"{elapsed}  {confirmed} entries confirmed and {searched} searched already")
        else:
            for one in moved:
                self.say(f"{elapsed}  {_moved(one)}")
        if time.monotonic() - self._beat >= self.heartbeat and not snapshot.ended:
            self._beat = time.monotonic()
            left = snapshot.seconds_left
            about = "" if left is None else f", about {duration(left)} left"
            self.say(f"{elapsed}  {progress_summary(snapshot)}{about}")

    def say(self, message: str) -> None:
        """Prints a message."""
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)


def _moved(one: EntryProgress) -> str:
    what = "confirmed" if one.phase == "done" else "searched, confirming"
    failed = f", {one.failed} failed" if one.failed else ""
    return f"{one.entry} on {one.task}: {what} ({one.finished} trials{failed})"
