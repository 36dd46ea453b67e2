"""The status of an output folder: progress, running trials, failures, and the command to continue. No torch.

Finished trials are read from the records, running ones from the driver's state.json, which also counts the
trials that entries share. Whether a driver is running is read from the folder's lock (on systems without
locks, from the age of state.json).
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ...commands import UNKNOWN, base_of, path_word, plugin_words, shown_command
from ...errors import SparsebenchError
from ...records.record import Record
from ...records.store import FILE
from ..output_folder.campaign_id import CampaignId, read_campaign_id
from ..output_folder.folder import read_identity
from ..output_folder.layout import LOG, SUITE
from ..output_folder.lock import in_use
from .failures import failed_entries
from .outcomes import TrialOutcome, read_outcomes
from .recorded import entries_progress
from .snapshot import CampaignSnapshot, EntryProgress, Key, RunningTrial, duration
from .state_file import FILE as STATE
from .state_file import State, read_state, suite_hash

FRESH = 10.0  # seconds: without locks, a driver whose state is younger than this is taken to be running
SILENT = 30.0  # seconds without a state after which a note says so
COPIED = 5.0  # seconds between files that were copied one after the other; a driver takes longer to start
PAGE = "leaderboard.md"

Condition = Literal["running", "complete", "stopped", "killed"]


class Failure(BaseModel):
    """The trials that failed for one reason.

    Attributes:
        reason: The reason, as in their records.
        count: How many trials failed for it.
        where: The entries and tasks that they belong to, without repetition.
        command: The command that repeats the first of them alone.

    Example:
        >>> update = {"status": "failed", "reason": "out of memory", "command": "sparsebench train --seed 1"}
        >>> broken = record.model_copy(update=update)
        >>> [failure] = failures([broken, broken])
        >>> f"{failure.count} failed: {failure.reason}"
        '2 failed: out of memory'
    """

    reason: str
    count: int
    where: list[str]
    command: str


class Status(BaseModel):
    """The status of an output folder.

    Attributes:
        folder: The folder, as it was given.
        campaign: Id of the campaign, which its studies and MLflow runs carry; None where there is none yet.
        parent: Id of the campaign whose folder this one is a copy of; None for no copy.
        condition: `running`; `complete`; `stopped` in good order by a signal; or `killed`.
        problems: A sentence for each entry without any result on a task, once no driver is running.
        pid: The driver's process; None where no driver is running.
        host: The machine that the driver runs on; None where no driver is running.
        snapshot: The progress of the campaign.
        unfinished: The trials that ran when the driver was killed.
        failures: The failed trials, by reason.
        diverged: The number of diverged trials: results, not failures.
        records: The number of records.
        reported: Whether tables and figures are as new as the records.
        log: The log of the workers, where there is one.
        notes: Messages of the driver, and warnings.
        continue_with: The command that continues the campaign; None where it is not needed or not known.

    Example:
        >>> found = status(folder)
        >>> found.condition, found.records, found.reported
        ('complete', 48, False)
    """

    model_config = ConfigDict(serialize_by_alias=True)

    folder: str
    campaign: str | None = None
    parent: str | None = None
    condition: Condition
    problems: list[str] = []
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
    """Returns the status of an output folder, whether its campaign is running or not. It changes nothing.

    Args:
        folder: The output folder.

    Returns:
        The status. A state.json that is absent or damaged is one of its notes.

    Raises:
        SparsebenchError: The path is no output folder; its records or its suite are damaged.

    Example:
        >>> [(one.entry, one.finished, one.planned) for one in status(folder).snapshot.entries]
        [('dense', 16, 16), ('magnitude', 16, 16), ('dwf-3', 16, 16)]
    """
    path = Path(folder)
    if not (path / SUITE).exists() and not (path / FILE).is_file():
        what = "is not there" if not path.exists() else f"holds neither {SUITE} nor {FILE}"
        raise SparsebenchError(f"{str(folder)!r} {what}: name the output folder of a run")
    held, notes = in_use(path), list[str]()
    state = _state(path, notes)
    # The records are read after the state, so that every trial that it counts is among them.
    records, edited = read_outcomes(path / FILE) if (path / FILE).is_file() else ([], None)
    suite = _suite(path, state, notes)
    known = {record.id for record in records}
    alive = held if held is not None else state is not None and time.time() - state.written < FRESH
    snapshot = _snapshot(suite, records, state, alive)
    condition = _condition(snapshot, state, alive)
    notes += _notes(condition, snapshot, state)
    if edited:
        notes.append(f"warning: {edited}")
    campaign = _campaign(path, notes)
    lost = failures(records, state.plugins if state else (), base_of(path))
    return Status(
        folder=str(folder), campaign=campaign.id if campaign else None,
        parent=campaign.parent if campaign else None,
        condition=condition, records=len(records), notes=notes, reported=_reported(path),
        problems=[] if alive else failed_entries(records),
        pid=state.pid if state and alive else None, host=state.host if state and alive else None,
        snapshot=snapshot if condition == "running" else snapshot.model_copy(update={"running": ()}),
        unfinished=[now for now in snapshot.running if condition == "killed" and now.id not in known],
        failures=lost,
        diverged=sum(record.status == "diverged" for record in records),
        log=str(path / LOG) if (path / LOG).is_file() and (path / LOG).stat().st_size else None,
        continue_with=None if alive or (condition == "complete" and not lost) else _continue(path, state),
    )  # fmt: skip


def _campaign(path: Path, notes: list[str]) -> CampaignId | None:
    try:
        found = read_campaign_id(path)
    except SparsebenchError as error:
        notes.append(f"{error}: the next run or `sparsebench track` takes a new id")
        return None
    if found is not None and not found.is_of(path):
        notes.append("the folder is a copy: the next run or `sparsebench track` takes a new id")
    return found


def _state(path: Path, notes: list[str]) -> State | None:
    try:
        state = read_state(path)
    except SparsebenchError as error:
        notes.append(f"{error}; the numbers are those of the records alone")
        return None
    if state is None:
        notes.append(f"no {STATE} there: the numbers are those of the records alone")
    elif state.suite != suite_hash(path):
        return None  # from before an extension
    return state


def _suite(path: Path, state: State | None, notes: list[str]) -> dict[str, Any]:
    """Returns the suite; an empty one for records without a suite, as of older versions or from elsewhere."""
    if (path / SUITE).exists():
        return dict(read_identity(path)["suite"])
    if (path / STATE).exists() or state is not None:
        notes.append(f"no {SUITE} there, which says what is planned: the next run of the suite writes it")
    return {}


def _snapshot(
    suite: dict[str, Any], records: Sequence[TrialOutcome], state: State | None, alive: bool
) -> CampaignSnapshot:
    """Returns the counts of the records and the suite; those of the driver where it runs and is ahead, and
    where the records that are missing are those of shared trials."""
    recorded = entries_progress(suite, records, count_failed=not alive)
    written = state.snapshot if state else None
    known: dict[Key, EntryProgress] = {one.key: one for one in written.entries} if written else {}
    chosen = tuple(_of_both(one, known.get(one.key), alive) for one in recorded)
    name = str(suite.get("name") or (records[0].suite if records else ""))
    if written is not None:
        return written.model_copy(update={"suite": name, "entries": chosen})
    began = state.written if state else time.time()
    planned = sum(one.planned for one in chosen)
    return CampaignSnapshot(
        suite=name, began=began, capacity=0, entries=chosen, planned=planned, ended=not alive
    )


def _of_both(recorded: EntryProgress, told: EntryProgress | None, alive: bool) -> EntryProgress:
    """Returns an entry's progress by its records or, where that explains what they lack, by the driver."""
    if told is None or told.finished < recorded.finished:
        return recorded
    if alive:
        return told
    complete = recorded.phase != "search"  # then the records tell all
    lost = told.shared is not None and recorded.finished + told.shared < told.finished
    return recorded if complete or lost else told


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
        found.append("all trials are done: the driver writes tables and figures, and publishes to MLflow")
    elif condition == "running" and age > SILENT:
        found.append(f"the driver has written nothing for {duration(age)}: the disk is full, or it hangs")
    return found


def _reported(path: Path) -> bool:
    """Returns whether the leaderboard is as new as the records, as far as the files' times show."""
    try:
        return (path / PAGE).stat().st_mtime + COPIED >= (path / FILE).stat().st_mtime
    except FileNotFoundError:
        return False


def failures(
    records: Sequence[Record | TrialOutcome], plugins: Sequence[str] = (), base: str | None = None
) -> list[Failure]:
    """Returns the failed trials by reason, the most frequent reason first.

    Args:
        records: The records, one per trial.
        plugins: The plugin files of the campaign, which the commands load.
        base: The folder in which relative paths in the commands are looked for.

    Returns:
        The failures.

    Example:
        >>> update = {"status": "failed", "reason": "out of memory", "command": "sparsebench train --seed 1"}
        >>> broken = record.model_copy(update=update)
        >>> failures([record, broken], plugins=["my methods.py"])
        [Failure(reason='out of memory', count=1, where=['dwf-3 on made_up-net'],
                 command="sparsebench train --seed 1 --plugin 'my methods.py'")]
    """
    groups: dict[str, list[Record | TrialOutcome]] = defaultdict(list)
    for record in records:
        if not record.ok:
            groups[record.reason or "no reason was given"].append(record)
    return [
        Failure(
            reason=reason, count=len(group), command=_with_plugins(group[0].command, plugins, base),
            where=list(dict.fromkeys(f"{record.entry} on {record.task}" for record in group)),
        )
        for reason, group in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]  # fmt: skip


def _with_plugins(command: str, plugins: Sequence[str], base: str | None) -> str:
    """Returns a record's command; with all plugins where it is from before records had those they need."""
    shown = shown_command(command, base)
    return shown if shown == UNKNOWN or " --plugin " in shown else shown + plugin_words(plugins)


def _continue(path: Path, state: State | None) -> str | None:
    """Returns the driver's command, run in its working folder; None where it was started from Python."""
    if state is None or state.command is None:
        return None
    command = shown_command(state.command)
    if command == UNKNOWN:
        return None
    return command if Path.cwd() == Path(state.cwd) else f"cd {path_word(state.cwd)} && {command}"
