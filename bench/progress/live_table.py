"""The live display of a terminal: entries and their progress, each task's leaders, what runs where."""

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .snapshot import CampaignSnapshot, EntryProgress, RunningTrial, duration, progress_summary

LEADERS = 4
ROWS = 3  # of what runs, and of tasks, however small the terminal is


def campaign_table(snapshot: CampaignSnapshot, width: int, height: int | None = None) -> Group:
    """The whole picture; with a height it fits there: the active entries first, the others folded."""
    room = height - 1 if height else 10_000
    tasks = list(dict.fromkeys(part.task for part in snapshot.entries))
    shares = max(ROWS, room // 4) if height else room
    blocks: list[RenderableType] = [headline(snapshot)]
    room -= 3
    running = running_table(snapshot.running, shares, width) if snapshot.running else None
    room -= min(len(snapshot.running), shares) + 2 if running else 0
    leaders = None
    if len(tasks) > 1 or len(snapshot.entries) > room - 2:
        leaders = leader_table(snapshot, tasks, shares, width)
        room -= min(len(tasks), shares) + 2
    blocks += [Text(), entry_table(snapshot, width, max(1, room - 2), alone=len(tasks) == 1)]
    for table in (leaders, running):
        blocks += [Text(), table] if table else []
    return Group(*blocks)


def headline(snapshot: CampaignSnapshot) -> Text:
    """How far the campaign is; while it runs a second line says for how long it has and will."""
    lines = [Text.assemble((snapshot.suite, "bold"), f"  {progress_summary(snapshot)}")]
    if not snapshot.ended and not snapshot.done:
        left = snapshot.seconds_left
        times = [f"{duration(time.time() - snapshot.began)} so far"]
        times.append("time left: not known yet" if left is None else f"about {duration(left)} left")
        lines.append(Text(", ".join(times)))
    return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)


def entry_table(
    snapshot: CampaignSnapshot, width: int, rows: int, *, alone: bool, bars: bool = True
) -> Group:
    """A row for each entry on each task. What does not fit is counted in a last line."""
    busy = {(now.task, now.entry) for now in snapshot.running}
    ranks = {part.key: _rank(part, part.key in busy) for part in snapshot.entries}
    shown = sorted(snapshot.entries, key=lambda part: ranks[part.key])
    folded = shown[rows - 1 :] if len(shown) > rows else []
    shown = shown[: rows - 1] if folded else shown
    columns = _columns(width, alone=alone, bars=bars)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        left = name in ("entry", "task", "", "state")
        least = None if left else len(name)
        table.add_column(
            name, justify="left" if left else "right", no_wrap=True, overflow="ellipsis", min_width=least
        )
    for part in shown:
        cells = _cells(part, part.key in busy, min(24, width // 8))
        style = "dim" if part.phase == "done" and len(ranks) > 1 and len(busy) else ""
        table.add_row(*(cells[name] for name in columns), style=style)
    if not folded:
        return Group(table)
    return Group(table, Text(_fold(folded, ranks), style="dim", no_wrap=True, overflow="ellipsis"))


def _rank(part: EntryProgress, busy: bool) -> int:
    """Active ones, then the finished, then those that wait."""
    if busy or (part.finished and part.phase != "done"):
        return 0
    return 1 if part.phase == "done" else 2


def _fold(parts: Sequence[EntryProgress], ranks: dict[tuple[str, str], int]) -> str:
    counts = [sum(ranks[part.key] == rank for part in parts) for rank in range(3)]
    words = ("active", "done", "waiting")
    return "… " + ", ".join(f"{n} more {word}" for n, word in zip(counts, words, strict=True) if n)


def _columns(width: int, *, alone: bool, bars: bool) -> list[str]:
    """What a terminal of that width has room for, in order."""
    wanted = [
        ("entry", 0), ("task", 60 if not alone else 10_000), ("", 70 if bars else 10_000), ("trials", 0),
        ("state", 50), ("front", 100), ("best val", 84), ("≥10× val", 40), ("≥100× val", 96),
    ]  # fmt: skip
    return [name for name, least in wanted if width >= least]


def _cells(part: EntryProgress, busy: bool, bar: int) -> dict[str, RenderableType]:
    front = part.front
    waits = not busy and not part.finished
    state = Text("waiting" if waits else part.phase)
    if part.failed:
        state.append(f", {part.failed} failed", style="red")
    return {
        "entry": Text(part.entry),
        "task": Text(part.task),
        "": ProgressBar(total=max(1, part.planned), completed=part.finished, width=bar),
        "trials": f"{part.finished}/{part.planned}",
        "state": state,
        "front": "–" if front is None else str(front.points),
        "best val": _percent(front.best if front else None),
        "≥10× val": _percent(front.at_10 if front else None),
        "≥100× val": _percent(front.at_100 if front else None),
    }


def _percent(accuracy: float | None) -> str:
    return "–" if accuracy is None else f"{100 * accuracy:.1f}"


def leader_table(snapshot: CampaignSnapshot, tasks: Sequence[str], rows: int, width: int) -> Table:
    """Each task: how many entries are done, and which lead at compression ≥ 10 on validation data."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("task", no_wrap=True, overflow="ellipsis", max_width=max(12, width // 3))
    table.add_column("done", justify="right", no_wrap=True, min_width=5)
    table.add_column("leaders at ≥10×, val %", no_wrap=True, overflow="ellipsis")
    if len(tasks) > rows:  # those where something happens, then the others in the suite's order
        busy = {now.task for now in snapshot.running}
        tasks = sorted(tasks, key=lambda task: task not in busy)[:rows]
    for task in tasks:
        mine = [part for part in snapshot.entries if part.task == task]
        found = [(part.front.at_10, part.entry) for part in mine if part.front and part.front.at_10]
        best = sorted(found, key=lambda pair: -pair[0])[:LEADERS]
        named = ", ".join(f"{entry} {_percent(accuracy)}" for accuracy, entry in best)
        done = sum(part.phase == "done" for part in mine)
        table.add_row(Text(task), f"{done}/{len(mine)}", Text(named or "–"))
    return table


def running_table(running: Sequence[RunningTrial], rows: int, width: int) -> Table:
    """The trials that are out, the longest first."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("device", no_wrap=True, min_width=6)
    table.add_column("running", no_wrap=True, overflow="ellipsis")
    table.add_column("for", no_wrap=True, justify="right", min_width=6)
    longest = sorted(running, key=lambda now: now.since)
    folded = longest[rows - 1 :] if len(longest) > rows else []
    for now in longest[: len(longest) - len(folded)]:
        words = running_label(now) if width >= 60 else now.entry
        table.add_row(now.device, Text(words), duration(time.time() - now.since))
    if folded:
        table.add_row("…", f"{len(folded)} more", "")
    return table


def running_label(now: RunningTrial) -> str:
    """A running trial in words."""
    which = f"seed {now.seed}" if now.trial is None else f"trial {now.trial}"
    return f"{now.entry} on {now.task}: {now.phase}, {which}"


PAUSE = 0.9  # seconds between two drawings at least: one of 26 × 6 entries takes 20 ms


class LiveTable:
    """Redraws the picture about once a second; sentences scroll by above it. It has no thread of its own."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True)
        self._drew = 0.0

    def __enter__(self) -> "LiveTable":
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def show(self, snapshot: CampaignSnapshot) -> None:
        if time.monotonic() - self._drew < PAUSE and not snapshot.ended:
            return
        self._drew = time.monotonic()
        size = self.console.size
        self.live.update(campaign_table(snapshot, size.width, size.height), refresh=True)

    def say(self, message: str) -> None:
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)
