"""`sparsebench status`: the state of a campaign, as text or JSON."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ...commands import path_word
from ...errors import printable
from ..progress.live_table import entry_table, headline, running_label, running_table
from ..progress.status import Status, status
from .console import print_json, stdout_console


def print_status(folder: Path, *, as_json: bool = False) -> None:
    """Prints the status of an output folder: progress, running trials, failures, and the next command.

    Args:
        folder: The output folder; a campaign may be running in it.
        as_json: Print the `Status` as JSON.

    Raises:
        SparsebenchError: The path is no output folder, or its records are damaged.
        SystemExit: An entry has no result on a task: exit status 1, after all was printed.

    Example:
        >>> print_status(folder)
        complete, without tables and figures  /.../run: 48 records
        synthetic  48 of 48 trials
        entry      trials  state  front  best val  ≥10× val  ≥100× val
        dense       16/16  done       1      98.8         –          –
        ...
    """
    found = status(folder)
    if as_json:
        print_json(found.model_dump_json(indent=1))
    else:
        _show(found, stdout_console(highlight=False))
    if found.problems:
        sys.exit(1)


def _show(found: Status, console: Console) -> None:
    """Prints the status as text: summary, tables of entries and running trials, then what needs attention."""
    condition = _condition(found)
    console.print(Text.assemble((condition, "bold"), f"  {_in_words(found)}"), soft_wrap=True)
    at_rest = {} if found.condition == "running" else {"ended": True}
    console.print(headline(found.snapshot.model_copy(update=at_rest)))
    entries = found.snapshot.entries
    alone = len({entry.task for entry in entries}) == 1
    bars = console.is_terminal
    console.print()
    console.print(entry_table(found.snapshot, console.width, len(entries) + 1, alone=alone, bars=bars))
    if found.snapshot.running:
        console.print()
        running = found.snapshot.running
        console.print(running_table(running, len(running), console.width))

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    if found.unfinished:
        line("\nrunning when the driver was killed; they will continue:")
        for now in found.unfinished:
            line(f"  {running_label(now)} ({now.device})")
    for failure in found.failures:
        line(f"\n{failure.count} failed: {printable(failure.reason)}", "red")
        line(f"  {_some(failure.where)}\n  repeat one: {printable(failure.command)}")
    if found.failures and found.log:
        line(f"  what the workers printed: {found.log}")
    if found.diverged:
        line(f"\n{found.diverged} diverged: a result, which counts as chance accuracy")
    for note in [*(f"problem: {sentence}" for sentence in found.problems), *found.notes]:
        line(f"\n{printable(note)}")
    if advice := _advice(found):
        line(f"\n{advice}")


def _condition(found: Status) -> str:
    """Returns the condition in words: all trials may be done, and an entry be without a result."""
    if found.condition != "complete":
        return found.condition
    lacks = "" if found.reported else ", without tables and figures"
    if not found.problems:
        return f"complete{lacks}"
    return f"all trials are done, {len(found.problems)} entries without a result{lacks}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f", and {len(names) - 4} more" if len(names) > 4 else "")


def _in_words(found: Status) -> str:
    words = f"{found.folder}: "
    if found.condition == "running" and found.pid is not None:
        words += f"process {found.pid} on {found.host}, "
    words += f"{found.records} records"
    if found.campaign is not None:
        words += f", campaign {found.campaign[:8]}"
    return words + (f" (copied from {found.parent[:8]})" if found.parent is not None else "")


def _advice(found: Status) -> str:
    if found.condition == "running":
        return ""
    if found.condition == "complete" and not found.failures:
        return (
            f"table and figures: sparsebench report {path_word(found.folder)}"
            if found.reported
            else f"write tables and figures: sparsebench report {path_word(found.folder)}; "
            "or the same command, for MLflow too"
        )
    again = "continue" if found.condition != "complete" else "try the failed ones again"
    return f"{again}: {found.continue_with or 'the same command (or call of sparsebench.run) once more'}"
