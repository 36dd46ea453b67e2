"""A campaign's standing for a terminal: entries × progress, each task's leaders, what runs where."""

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .lines import summary
from .standing import Now, Part, Standing, duration

LEADERS = 4
ROWS = 3  # of what runs, and of tasks, however small the terminal is


def picture(standing: Standing, width: int, height: int | None = None) -> Group:
    """The whole picture; with a height it fits there: the active entries first, the others folded."""
    room = height - 1 if height else 10_000
    tasks = list(dict.fromkeys(part.task for part in standing.parts))
    shares = max(ROWS, room // 4) if height else room
    blocks: list[RenderableType] = [head(standing)]
    room -= 3
    running = running_table(standing.running, shares, width) if standing.running else None
    room -= min(len(standing.running), shares) + 2 if running else 0
    leaders = None
    if len(tasks) > 1 or len(standing.parts) > room - 2:
        leaders = leader_table(standing, tasks, shares, width)
        room -= min(len(tasks), shares) + 2
    blocks += [Text(), entry_table(standing, width, max(1, room - 2), alone=len(tasks) == 1)]
    for table in (leaders, running):
        blocks += [Text(), table] if table else []
    return Group(*blocks)


def head(standing: Standing) -> Text:
    """How far the campaign is; while it runs a second line says for how long it has and will."""
    lines = [Text.assemble((standing.suite, "bold"), f"  {summary(standing)}")]
    if not standing.ended and not standing.done:
        left = standing.seconds_left
        times = [f"{duration(time.time() - standing.began)} so far"]
        times.append("time left: not known yet" if left is None else f"about {duration(left)} left")
        lines.append(Text(", ".join(times)))
    return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)


def entry_table(standing: Standing, width: int, rows: int, *, alone: bool, bars: bool = True) -> Group:
    """A row for each entry on each task. What does not fit is counted in a last line."""
    busy = {(now.task, now.entry) for now in standing.running}
    ranks = {part.key: _rank(part, part.key in busy) for part in standing.parts}
    shown = sorted(standing.parts, key=lambda part: ranks[part.key])
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


def _rank(part: Part, busy: bool) -> int:
    """Active ones, then the finished, then those that wait."""
    if busy or (part.finished and part.phase != "done"):
        return 0
    return 1 if part.phase == "done" else 2


def _fold(parts: Sequence[Part], ranks: dict[tuple[str, str], int]) -> str:
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


def _cells(part: Part, busy: bool, bar: int) -> dict[str, RenderableType]:
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


def leader_table(standing: Standing, tasks: Sequence[str], rows: int, width: int) -> Table:
    """Each task: how many entries are done, and which lead at compression ≥ 10 on validation data."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("task", no_wrap=True, overflow="ellipsis", max_width=max(12, width // 3))
    table.add_column("done", justify="right", no_wrap=True, min_width=5)
    table.add_column("leaders at ≥10×, val %", no_wrap=True, overflow="ellipsis")
    if len(tasks) > rows:  # those where something happens, then the others in the suite's order
        busy = {now.task for now in standing.running}
        tasks = sorted(tasks, key=lambda task: task not in busy)[:rows]
    for task in tasks:
        mine = [part for part in standing.parts if part.task == task]
        found = [(part.front.at_10, part.entry) for part in mine if part.front and part.front.at_10]
        best = sorted(found, key=lambda pair: -pair[0])[:LEADERS]
        named = ", ".join(f"{entry} {_percent(accuracy)}" for accuracy, entry in best)
        done = sum(part.phase == "done" for part in mine)
        table.add_row(Text(task), f"{done}/{len(mine)}", Text(named or "–"))
    return table


def running_table(running: Sequence[Now], rows: int, width: int) -> Table:
    """The trials that are out, the longest first."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("device", no_wrap=True, min_width=6)
    table.add_column("running", no_wrap=True, overflow="ellipsis")
    table.add_column("for", no_wrap=True, justify="right", min_width=6)
    longest = sorted(running, key=lambda now: now.since)
    folded = longest[rows - 1 :] if len(longest) > rows else []
    for now in longest[: len(longest) - len(folded)]:
        words = described(now) if width >= 60 else now.entry
        table.add_row(now.device, Text(words), duration(time.time() - now.since))
    if folded:
        table.add_row("…", f"{len(folded)} more", "")
    return table


def described(now: Now) -> str:
    """A running trial in words."""
    which = f"seed {now.seed}" if now.trial is None else f"trial {now.trial}"
    return f"{now.entry} on {now.task}: {now.phase}, {which}"
