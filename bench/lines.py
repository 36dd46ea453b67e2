"""Plain lines, for a log: what has ended, what went wrong, and now and then how far it is."""

import time

from rich.console import Console

from .standing import Key, Part, Standing, duration

HEARTBEAT = 300.0  # seconds
FOLD = 5  # entries that move on at once are those of an earlier run


class Lines:
    """A line when an entry's search ends and when it is confirmed, and a heartbeat every few minutes."""

    def __init__(self, console: Console, heartbeat: float = HEARTBEAT) -> None:
        self.console, self.heartbeat = console, heartbeat
        self._phases: dict[Key, str] = {}
        self._beat: float | None = None

    def show(self, standing: Standing) -> None:
        if self._beat is None:
            self._beat = time.monotonic()
            self.say(f"{len(standing.parts)} searches, {standing.places} at a time")
        elapsed = duration(time.time() - standing.began)
        moved = [part for part in standing.parts if part.phase != self._phases.get(part.key, "search")]
        self._phases = {part.key: part.phase for part in standing.parts}
        if len(moved) > FOLD:
            confirmed = sum(part.phase == "done" for part in moved)
            searched = len(moved) - confirmed
            self.say(f"{elapsed}  {confirmed} entries confirmed and {searched} searched already")
        else:
            for part in moved:
                self.say(f"{elapsed}  {_moved(part)}")
        if time.monotonic() - self._beat >= self.heartbeat and not standing.ended:
            self._beat = time.monotonic()
            left = standing.seconds_left
            about = "" if left is None else f", about {duration(left)} left"
            self.say(f"{elapsed}  {summary(standing)}{about}")

    def say(self, message: str) -> None:
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)


def _moved(part: Part) -> str:
    what = "confirmed" if part.phase == "done" else "searched, confirming"
    failed = f", {part.failed} failed" if part.failed else ""
    return f"{part.entry} on {part.task}: {what} ({part.finished} trials{failed})"


def summary(standing: Standing) -> str:
    """How far it is, in a line."""
    about = "" if all(part.phase != "search" for part in standing.parts) else "about "
    words = [f"{standing.finished} of {about}{max(standing.planned, standing.finished)} trials"]
    if standing.failed:
        words.append(f"{standing.failed} failed")
    if standing.running:
        words.append(f"{len(standing.running)} running")
    return ", ".join(words)
