"""The progress display of a terminal: tables of the entries, of each task's leaders and of running trials."""

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .snapshot import CampaignSnapshot, EntryProgress, RunningTrial, duration, progress_summary

LEADERS = 4  # entries named per task
ROWS = 3  # of running trials, and of tasks, at least, however small the terminal is


def campaign_table(snapshot: CampaignSnapshot, width: int, height: int | None = None) -> Group:
    """Returns the whole display of a campaign: headline, entries, leaders per task, running trials.

    Args:
        snapshot: The campaign.
        width: Columns of the terminal; narrow ones get fewer columns of the tables.
        height: Lines that the display may take; the active entries come first, and the rows that do not fit
            are counted in a last row. None for no limit.

    Returns:
        What rich prints. Leaders are shown where there are several tasks, or more entries than fit.

    Example:
        >>> from rich.console import Console
        >>> from sparsebench.bench.progress.status import status
        >>> Console(width=80).print(campaign_table(status(folder).snapshot, width=80, height=9))
        synthetic  48 of 48 trials
        <BLANKLINE>
        entry                  trials  state  ≥10× val
        dense      ━━━━━━━━━━   16/16  done          –
        magnitude  ━━━━━━━━━━   16/16  done       92.8
        dwf-3      ━━━━━━━━━━   16/16  done       97.0
    """
    room = height - 1 if height else 10_000
    tasks = list(dict.fromkeys(one.task for one in snapshot.entries))
    shares = max(ROWS, room // 4) if height else room
    blocks: list[RenderableType] = [headline(snapshot)]
    room -= 3
    running = running_table(snapshot.running, shares, width) if snapshot.running else None
    room -= min(len(snapshot.running), shares) + 2 if running else 0
    leaders = None
    if len(tasks) > 1 or len(snapshot.entries) > room - 2:
        leaders = _leader_table(snapshot, tasks, shares, width)
        room -= min(len(tasks), shares) + 2
    blocks += [Text(), entry_table(snapshot, width, max(1, room - 2), alone=len(tasks) == 1)]
    for table in (leaders, running):
        blocks += [Text(), table] if table else []
    return Group(*blocks)


def headline(snapshot: CampaignSnapshot) -> Text:
    """Returns the headline of the display: the suite's name and the numbers of trials.

    Args:
        snapshot: The campaign. While it runs, a second line has the elapsed and the remaining time.

    Returns:
        One line, or two.

    Example:
        >>> from sparsebench.bench.progress.status import status
        >>> print(headline(status(folder).snapshot))
        synthetic  48 of 48 trials
    """
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
    """Returns the table of entries: trials, phase, and the best validation accuracies of their fronts.

    Args:
        snapshot: The campaign.
        width: Columns of the terminal; narrow ones get fewer columns of the table.
        rows: Rows that fit. Active entries come first, then finished ones, then those not yet started; what
            does not fit is counted in the last row.
        alone: There is one task, so its name is left out.
        bars: Draw progress bars.

    Returns:
        The table, and the row of what does not fit. `≥10× val` is the best validation accuracy, in %, of the
        trials with a compression of at least 10.

    Example:
        >>> from rich.console import Console
        >>> from sparsebench.bench.progress.status import status
        >>> snapshot = status(folder).snapshot
        >>> Console(width=80).print(entry_table(snapshot, width=80, rows=2, alone=True, bars=False))
        entry  trials  state  ≥10× val
        dense   16/16  done          –
        … 2 more done
    """
    # Choose the rows.
    busy = {(now.task, now.entry) for now in snapshot.running}
    ranks = {one.key: _rank(one, one.key in busy) for one in snapshot.entries}
    shown = sorted(snapshot.entries, key=lambda one: ranks[one.key])
    folded = shown[rows - 1 :] if len(shown) > rows else []
    shown = shown[: rows - 1] if folded else shown
    # Draw the columns that fit.
    columns = _columns(width, alone=alone, bars=bars)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        left = name in ("entry", "task", "", "state")
        least = None if left else len(name)
        table.add_column(
            name, justify="left" if left else "right", no_wrap=True, overflow="ellipsis", min_width=least
        )
    for one in shown:
        cells = _cells(one, one.key in busy, min(24, width // 8))
        style = "dim" if one.phase == "done" and len(ranks) > 1 and len(busy) else ""
        table.add_row(*(cells[name] for name in columns), style=style)
    if not folded:
        return Group(table)
    return Group(table, Text(_fold(folded, ranks), style="dim", no_wrap=True, overflow="ellipsis"))


def _rank(one: EntryProgress, busy: bool) -> int:
    """Returns 0 for an active entry, 1 for a finished one, 2 for one that has not been started."""
    if busy or (one.finished and one.phase != "done"):
        return 0
    return 1 if one.phase == "done" else 2


def _fold(folded: Sequence[EntryProgress], ranks: dict[tuple[str, str], int]) -> str:
    """Returns the last row: how many entries of each rank are not shown."""
    counts = [sum(ranks[one.key] == rank for one in folded) for rank in range(3)]
    words = ("active", "done", "waiting")
    return "… " + ", ".join(f"{n} more {word}" for n, word in zip(counts, words, strict=True) if n)


def _columns(width: int, *, alone: bool, bars: bool) -> list[str]:
    """Returns the columns that fit into a terminal's width, in order."""
    wanted = [
        ("entry", 0), ("task", 60 if not alone else 10_000), ("", 70 if bars else 10_000), ("trials", 0),
        ("state", 50), ("front", 100), ("best val", 84), ("≥10× val", 40), ("≥100× val", 96),
    ]  # fmt: skip
    return [name for name, least in wanted if width >= least]


def _cells(one: EntryProgress, busy: bool, bar: int) -> dict[str, RenderableType]:
    """Returns an entry's row, by the names of the columns; `bar` is the width of its progress bar."""
    front = one.front
    waits = not busy and not one.finished
    state = Text("waiting" if waits else one.phase)
    if one.failed:
        state.append(f", {one.failed} failed", style="red")
    return {
        "entry": Text(one.entry),
        "task": Text(one.task),
        "": ProgressBar(total=max(1, one.planned), completed=one.finished, width=bar),
        "trials": f"{one.finished}/{one.planned}",
        "state": state,
        "front": "–" if front is None else str(front.points),
        "best val": _percent(front.best if front else None),
        "≥10× val": _percent(front.at_10 if front else None),
        "≥100× val": _percent(front.at_100 if front else None),
    }


def _percent(accuracy: float | None) -> str:
    return "–" if accuracy is None else f"{100 * accuracy:.1f}"


def _leader_table(snapshot: CampaignSnapshot, tasks: Sequence[str], rows: int, width: int) -> Table:
    """Returns the table of tasks: finished entries, and those with the best validation accuracy at ≥ 10×."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("task", no_wrap=True, overflow="ellipsis", max_width=max(12, width // 3))
    table.add_column("done", justify="right", no_wrap=True, min_width=5)
    table.add_column("leaders at ≥10×, val %", no_wrap=True, overflow="ellipsis")
    if len(tasks) > rows:  # tasks with running trials, then the others in the suite's order
        busy = {now.task for now in snapshot.running}
        tasks = sorted(tasks, key=lambda task: task not in busy)[:rows]
    for task in tasks:
        mine = [one for one in snapshot.entries if one.task == task]
        found = [(one.front.at_10, one.entry) for one in mine if one.front and one.front.at_10]
        best = sorted(found, key=lambda pair: -pair[0])[:LEADERS]
        named = ", ".join(f"{entry} {_percent(accuracy)}" for accuracy, entry in best)
        done = sum(one.phase == "done" for one in mine)
        table.add_row(Text(task), f"{done}/{len(mine)}", Text(named or "–"))
    return table


def running_table(running: Sequence[RunningTrial], rows: int, width: int) -> Table:
    """Returns the table of running trials, with their devices and times.

    Args:
        running: The trials.
        rows: Rows that fit. The trials that have run longest come first; what does not fit is counted in the
            last row.
        width: Columns of the terminal; a narrow one gets the entries' names alone.

    Returns:
        The table.

    Example:
        >>> from rich.console import Console
        >>> now = RunningTrial(id="3f9a", device="cuda:0", entry="dwf-3", task="mnist-lenet5",
        ...                    phase="search", trial=7, seed=0, since=time.time() - 200)
        >>> Console(width=80).print(running_table([now], rows=3, width=80))
        device  running                                   for
        cuda:0  dwf-3 on mnist-lenet5: search, trial 7  3 min
    """
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
    """Returns a running trial in words.

    Args:
        now: The trial.

    Returns:
        Entry, task, phase, and its number in the search or, for a confirming trial, its seed.

    Example:
        >>> running_label(RunningTrial(id="3f9a", device="cpu", entry="dwf-3", task="mnist-lenet5",
        ...                            phase="confirm", trial=None, seed=2, since=0.0))
        'dwf-3 on mnist-lenet5: confirm, seed 2'
    """
    which = f"seed {now.seed}" if now.trial is None else f"trial {now.trial}"
    return f"{now.entry} on {now.task}: {now.phase}, {which}"


PAUSE = 0.9  # seconds between two redraws at least: one of 26 × 6 entries takes 20 ms


class LiveTable:
    """A display that redraws `campaign_table` in place, about once a second; messages scroll by above it.

    It has no thread: it redraws when `show` is called. The display is erased at the end.

    Args:
        console: The console of the terminal.

    Example:
        >>> from io import StringIO
        >>> from sparsebench.bench.progress.status import status
        >>> console = Console(file=StringIO(), width=80, height=20, force_terminal=True)
        >>> with LiveTable(console) as table:
        ...     table.show(status(folder).snapshot)
        >>> "48 of 48 trials" in console.file.getvalue()
        True
    """

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
        """Redraws the display, unless it was redrawn just now."""
        if time.monotonic() - self._drew < PAUSE and not snapshot.ended:
            return
        self._drew = time.monotonic()
        size = self.console.size
        self.live.update(campaign_table(snapshot, size.width, size.height), refresh=True)

    def say(self, message: str) -> None:
        """Prints a message above the display."""
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)
