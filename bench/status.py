"""`sparsebench status DIR`: what is done, what runs, what failed and why, and how to go on. No torch.

The records say what has finished; the driver's state file says what runs, and counts the trials that entries
share. Whether a driver lives is told by the folder's lock alone.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from ..errors import SparsebenchError, plain
from .folder import SUITE, in_use, read_identity
from .kept import LOG
from .picture import described, entry_table, head, running_table
from .records import FILE, Record, edits, latest, load_records
from .standing import Key, Now, Part, Standing, duration, parts_of
from .state import FILE as STATE
from .state import State, read_state, suite_hash

FRESH, SILENT = 10.0, 30.0  # seconds
COPIED = 5.0  # seconds between files that were copied one after the other; a driver starts in no less
PAGE = "leaderboard.md"

Condition = Literal["running", "complete", "stopped", "killed"]


class Failure(BaseModel):
    """Trials that failed for one reason. `command` repeats the first of them, by itself."""

    reason: str
    count: int
    where: list[str]
    command: str


class Status(BaseModel):
    """An output folder as it stands. `unfinished` ran when the driver was killed; `continue_with` is the
    command that goes on, None where it is not needed or not known; `reported`: tables and figures are those
    of all records."""

    folder: str
    condition: Condition
    pid: int | None = None
    host: str | None = None
    standing: Standing
    unfinished: list[Now] = []
    failures: list[Failure] = []
    diverged: int = 0
    records: int
    reported: bool
    log: str | None = None
    notes: list[str] = []
    continue_with: str | None = None


def status(folder: str | Path) -> Status:
    """How the campaign of an output folder stands, whether a driver runs or not.

    Errors: not an output folder; damaged records or suite. A damaged state file is a note.
    """
    path = Path(folder)
    if not (path / SUITE).is_file() and not (path / FILE).is_file():
        what = "is not there" if not path.exists() else f"holds neither {SUITE} nor {FILE}"
        raise SparsebenchError(f"{str(folder)!r} {what}: name the output folder of a run")
    held, notes = in_use(path), list[str]()
    state = _state(path, notes)
    # After the state, so that nothing that it counts is missing.
    records = latest(load_records(path)) if (path / FILE).is_file() else []
    suite = read_identity(path)["suite"] if (path / SUITE).is_file() else {}
    known = {record.id for record in records}
    alive = held if held is not None else state is not None and time.time() - state.written < FRESH
    standing = _standing(suite, records, state, alive)
    condition = _condition(standing, state, alive)
    notes += _notes(condition, standing, state)
    if said := edits(path):
        notes.append(f"warning: {said}")
    return Status(
        folder=str(folder), condition=condition, records=len(records), notes=notes, reported=_reported(path),
        pid=state.pid if state and alive else None, host=state.host if state and alive else None,
        standing=standing if condition == "running" else standing.model_copy(update={"running": ()}),
        unfinished=[now for now in standing.running if condition == "killed" and now.id not in known],
        failures=failures(records, state.plugins if state else ()),
        diverged=sum(record.status == "diverged" for record in records),
        log=str(path / LOG) if (path / LOG).is_file() and (path / LOG).stat().st_size else None,
        continue_with=None if condition in ("running", "complete") else _continue(path, state),
    )  # fmt: skip


def _state(path: Path, notes: list[str]) -> State | None:
    try:
        state = read_state(path)
    except SparsebenchError as error:
        notes.append(f"{error}; the numbers are those of the records alone")
        return None
    if state is None:
        notes.append(f"no {STATE} there: the numbers are those of the records alone")
    elif state.suite != suite_hash(path):
        return None  # of the time before an extension
    return state


def _standing(suite: dict[str, Any], records: Sequence[Record], state: State | None, alive: bool) -> Standing:
    """The records' counts, or the driver's where it counts more: it knows of trials that entries share."""
    parts = parts_of(suite, records, count_failed=not alive)
    told = state.standing if state else None
    known: dict[Key, Part] = {part.key: part for part in told.parts} if told else {}
    chosen = tuple(
        known[part.key] if part.key in known and known[part.key].finished >= part.finished else part
        for part in parts
    )
    name = str(suite.get("name") or (records[0].suite if records else ""))
    if told is not None:
        return told.model_copy(update={"suite": name, "parts": chosen})
    began = state.written if state else time.time()
    planned = sum(part.planned for part in chosen)
    return Standing(suite=name, began=began, places=0, parts=chosen, planned=planned, ended=not alive)


def _condition(standing: Standing, state: State | None, alive: bool) -> Condition:
    if alive:
        return "running"
    if standing.done:
        return "complete"
    return "killed" if state is not None and state.standing is not None and not standing.ended else "stopped"


def _notes(condition: Condition, standing: Standing, state: State | None) -> list[str]:
    if state is None:
        return []
    found = [f"{duration(time.time() - when)} ago: {words}" for when, words in state.said]
    age = time.time() - state.written
    if condition == "running" and state.standing is None:
        found.append("the driver is starting")
    elif condition == "running" and standing.done:
        found.append("all trials are done: the driver writes tables and figures, and tells MLflow")
    elif condition == "running" and age > SILENT:
        found.append(f"the driver has written nothing for {duration(age)}: a full disk, or it hangs")
    return found


def _reported(path: Path) -> bool:
    """As far as the files' times show."""
    try:
        return (path / PAGE).stat().st_mtime + COPIED >= (path / FILE).stat().st_mtime
    except FileNotFoundError:
        return False


def failures(records: Sequence[Record], plugins: Sequence[str] = ()) -> list[Failure]:
    """The failed trials by reason, the most frequent first. Their commands load the campaign's plugins."""
    more = "".join(f" --plugin {quote(path)}" for path in plugins)
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if not record.ok:
            groups[record.reason or "no reason was given"].append(record)
    return [
        Failure(
            reason=reason, count=len(group), command=group[0].command + more,
            where=list(dict.fromkeys(f"{record.entry} on {record.task}" for record in group)),
        )
        for reason, group in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]  # fmt: skip


def _continue(path: Path, state: State | None) -> str | None:
    """The driver's own command, where there was one."""
    if state is None or state.command is None:
        return None
    return state.command if Path.cwd() == Path(state.cwd) else f"cd {quote(state.cwd)} && {state.command}"


def print_status(folder: Path, *, as_json: bool = False) -> None:
    """The status of a folder, for a person or for a program."""
    found = status(folder)
    if as_json:
        print(found.model_dump_json(indent=1))
        return
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    show(found, console)


def show(found: Status, console: Console) -> None:
    """The status for a person."""
    lacks = found.condition == "complete" and not found.reported
    condition = f"{found.condition}{' but for tables and figures' if lacks else ''}"
    console.print(Text.assemble((condition, "bold"), f"  {_in_words(found)}"), soft_wrap=True)
    at_rest = {} if found.condition == "running" else {"ended": True}
    console.print(head(found.standing.model_copy(update=at_rest)))
    parts = found.standing.parts
    alone = len({part.task for part in parts}) == 1
    bars = console.is_terminal
    console.print()
    console.print(entry_table(found.standing, console.width, len(parts) + 1, alone=alone, bars=bars))
    if found.standing.running:
        console.print()
        running = found.standing.running
        console.print(running_table(running, len(running), console.width))

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    if found.unfinished:
        line("\nran when the driver was killed, will be taken up again:")
        for now in found.unfinished:
            line(f"  {described(now)} ({now.device})")
    for failure in found.failures:
        line(f"\n{failure.count} failed: {plain(failure.reason)}", "red")
        line(f"  {_some(failure.where)}\n  repeat one: {plain(failure.command)}")
    if found.failures and found.log:
        line(f"  what the workers printed: {found.log}")
    if found.diverged:
        line(f"\n{found.diverged} diverged: a result, which counts as chance accuracy")
    for note in found.notes:
        line(f"\n{plain(note)}")
    if advice := _advice(found):
        line(f"\n{advice}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f", and {len(names) - 4} more" if len(names) > 4 else "")


def _in_words(found: Status) -> str:
    if found.condition == "running" and found.pid is not None:
        return f"{found.folder}: process {found.pid} on {found.host}, {found.records} records"
    return f"{found.folder}: {found.records} records"


def _advice(found: Status) -> str:
    if found.condition == "running":
        return ""
    if found.condition == "complete" and not found.failures:
        return (
            f"table and figures: sparsebench report {quote(found.folder)}"
            if found.reported
            else f"write them: sparsebench report {quote(found.folder)}; or the same command, for MLflow too"
        )
    again = "continue" if found.condition != "complete" else "try the failed ones again"
    return f"{again}: {found.continue_with or 'the same command (or call of sparsebench.run) once more'}"
