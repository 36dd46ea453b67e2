"""Plain lines, for a log: what has ended, what went wrong, and now and then how far it is."""

import time

from rich.console import Console

from .snapshot import CampaignSnapshot, EntryProgress, Key, duration, progress_summary

HEARTBEAT = 300.0  # seconds
FOLD = 5  # entries that move on at once are those of an earlier run


class LogLines:
    """A line when an entry's search ends and when it is confirmed, and a heartbeat every few minutes."""

    def __init__(self, console: Console, heartbeat: float = HEARTBEAT) -> None:
        self.console, self.heartbeat = console, heartbeat
        self._phases: dict[Key, str] = {}
        self._beat: float | None = None

    def show(self, snapshot: CampaignSnapshot) -> None:
        if self._beat is None:
            self._beat = time.monotonic()
            self.say(f"{len(snapshot.entries)} searches, {snapshot.capacity} at a time")
        elapsed = duration(time.time() - snapshot.began)
        moved = [part for part in snapshot.entries if part.phase != self._phases.get(part.key, "search")]
        self._phases = {part.key: part.phase for part in snapshot.entries}
        if len(moved) > FOLD:
            confirmed = sum(part.phase == "done" for part in moved)
            searched = len(moved) - confirmed
            self.say(f"{elapsed}  {confirmed} entries confirmed and {searched} searched already")
        else:
            for part in moved:
                self.say(f"{elapsed}  {_moved(part)}")
        if time.monotonic() - self._beat >= self.heartbeat and not snapshot.ended:
            self._beat = time.monotonic()
            left = snapshot.seconds_left
            about = "" if left is None else f", about {duration(left)} left"
            self.say(f"{elapsed}  {progress_summary(snapshot)}{about}")

    def say(self, message: str) -> None:
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)


def _moved(part: EntryProgress) -> str:
    what = "confirmed" if part.phase == "done" else "searched, confirming"
    failed = f", {part.failed} failed" if part.failed else ""
    return f"{part.entry} on {part.task}: {what} ({part.finished} trials{failed})"
