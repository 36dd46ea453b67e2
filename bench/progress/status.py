"""`sparsebench status DIR`: what is done, what runs, what failed and why, and how to go on. No torch.

The records say what has finished; the driver's state file says what runs, and counts the trials that entries
share. Whether a driver lives is told by the folder's lock alone.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ...errors import SparsebenchError
from ...records.record import Record
from ...records.store import FILE, edits, latest, load_records
from ..output_folder.folder import in_use, read_identity
from ..output_folder.layout import LOG, SUITE
from .snapshot import CampaignSnapshot, EntryProgress, Key, RunningTrial, duration, entries_progress
from .state_file import FILE as STATE
from .state_file import State, read_state, suite_hash

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

    model_config = ConfigDict(serialize_by_alias=True)

    folder: str
    condition: Condition
    pid: int | None = None
    host: str | None = None
    snapshot: CampaignSnapshot = Field(
        validation_alias=AliasChoices("snapshot", "standing"), serialization_alias="standing"
    )
    unfinished: list[RunningTrial] = []
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
    snapshot = _standing(suite, records, state, alive)
    condition = _condition(snapshot, state, alive)
    notes += _notes(condition, snapshot, state)
    if said := edits(path):
        notes.append(f"warning: {said}")
    return Status(
        folder=str(folder), condition=condition, records=len(records), notes=notes, reported=_reported(path),
        pid=state.pid if state and alive else None, host=state.host if state and alive else None,
        snapshot=snapshot if condition == "running" else snapshot.model_copy(update={"running": ()}),
        unfinished=[now for now in snapshot.running if condition == "killed" and now.id not in known],
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


def _standing(
    suite: dict[str, Any], records: Sequence[Record], state: State | None, alive: bool
) -> CampaignSnapshot:
    """The records' counts, or the driver's where it counts more: it knows of trials that entries share."""
    parts = entries_progress(suite, records, count_failed=not alive)
    told = state.snapshot if state else None
    known: dict[Key, EntryProgress] = {part.key: part for part in told.entries} if told else {}
    chosen = tuple(
        known[part.key] if part.key in known and known[part.key].finished >= part.finished else part
        for part in parts
    )
    name = str(suite.get("name") or (records[0].suite if records else ""))
    if told is not None:
        return told.model_copy(update={"suite": name, "parts": chosen})
    began = state.written if state else time.time()
    planned = sum(part.planned for part in chosen)
    return CampaignSnapshot(
        suite=name, began=began, capacity=0, entries=chosen, planned=planned, ended=not alive
    )


def _condition(snapshot: CampaignSnapshot, state: State | None, alive: bool) -> Condition:
    if alive:
        return "running"
    if snapshot.done:
        return "complete"
    return "killed" if state is not None and state.snapshot is not None and not snapshot.ended else "stopped"


def _notes(condition: Condition, snapshot: CampaignSnapshot, state: State | None) -> list[str]:
    if state is None:
        return []
    found = [f"{duration(time.time() - when)} ago: {words}" for when, words in state.said]
    age = time.time() - state.written
    if condition == "running" and state.snapshot is None:
        found.append("the driver is starting")
    elif condition == "running" and snapshot.done:
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
