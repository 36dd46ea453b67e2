"""The driver: ask, execute, record, tell, track. One process owns Optuna, MLflow and the records."""

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

from ...datasets.api import data_root
from ...errors import SparsebenchError
from ...records.record import Record
from ...records.store import Store, edits, latest, load_records
from ..config.suite import Suite
from ..config.trial_spec import Trial
from ..executors.base import Executor
from ..models.factory import create
from ..output_folder.folder import OutputFolder
from ..output_folder.layout import CHECKPOINTS
from ..progress.monitor import Display, ProgressMonitor
from ..progress.state_file import StateFile
from ..search.storage_mirror import StudyMirror
from ..search.study import Study, studies
from ..system.interrupts import Interrupts, watch_signals
from ..training.trial import open_data
from . import publish
from .kept_models import KeptModels, keep_front_models
from .options import RunOptions, takes_run_options

Owners = dict[str, list[Study]]
"""Who waits for a trial that is out, by the trial's identity."""

AT_ONCE = "stopped at once; the same command continues from the last checkpoints"
TICK = 0.5  # seconds between two looks at the clock and at the signals


@dataclass
class Result:
    """A campaign's output folder, its records, and what went wrong beside the trials.

    `stopped_by`: the number of the signal that stopped it before its end; the same call continues it.
    """

    folder: Path
    records: list[Record]
    stopped_by: int | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.stopped_by is None


@dataclass
class Campaign:
    """Hands the trials of all studies to the executor and their records to whoever needs them.

    Several studies run at once, so that no device waits for a generation to end; the first of them in the
    suite's order that has a trial to give is served first.
    """

    studies: Sequence[Study]
    executor: Executor
    store: Store
    display: ProgressMonitor
    publisher: publish.LivePublisher
    mirror: StudyMirror
    shelf: KeptModels
    interrupts: Interrupts
    owners: Owners = field(default_factory=dict)
    pausing: bool = False

    def drive(self) -> int | None:
        """Run until every study is done. Returns the signal that stopped it before that, or None."""
        clerk = ThreadPoolExecutor(1, thread_name_prefix="optuna-mirror")
        self.interrupts.stage(AT_ONCE, patient=True)
        try:
            while self._hand_out(clerk):
                self.display.running(self.executor.running)
                for trial, record in self.executor.wait(TICK):
                    self._take(trial, record)
                if self.interrupts.number is not None and not self.pausing:
                    self._pause()
        finally:
            clerk.shutdown(wait=True)
        return None if all(study.done for study in self.studies) else self.interrupts.number

    def _pause(self) -> None:
        self.pausing = True
        self.display.say(
            f"stopping: {len(self.owners)} running trials keep a checkpoint; Ctrl-C again stops at once"
        )
        self.executor.pause()

    def _hand_out(self, clerk: ThreadPoolExecutor) -> bool:
        """Fill the free places. False when nothing runs and nothing is left to run."""
        for study in self.studies:
            phase = study.phase
            while self.interrupts.number is None and self.executor.free():
                trial = study.next()
                if trial is None:
                    break
                if trial.id in self.owners:  # another entry asks the same just now: one run answers both
                    self.owners[trial.id].append(study)
                    continue
                self.owners[trial.id] = [study]
                self.executor.submit(trial)
            if study.phase != phase:
                self.display.update(study, None)
                self._reflect(study, clerk)
        return bool(self.owners)

    def _take(self, trial: Trial, record: Record | None) -> None:
        """The order matters: on the disk first, then to the search, then to those who only watch."""
        studies = self.owners.pop(trial.id)
        if record is None:  # paused
            return
        kept = self.store.append(record)
        self.executor.forget(trial)
        self.shelf.take(kept)
        for study in studies:
            study.take(trial, kept)
        self.publisher.put(record)
        for study in studies:
            self.display.update(study, record)

    def _reflect(self, study: Study, clerk: ThreadPoolExecutor) -> None:
        """The search as it stands, to the storage that dashboards read; beside the trials' way."""
        clerk.submit(self.mirror.reflect, study.search, self.display.say)


def _open(suite: Suite, data: str | Path | None) -> tuple[str | None, dict[str, str]]:
    """Open (or fetch) every dataset and try every model, before a worker starts: errors come at once.

    Returns the datasets' folder for the workers, None for the usual one, and each task's digest.
    """
    root = str(data_root(data)) if data is not None or "SPARSEBENCH_DATA" in os.environ else None
    found = {}
    for task in suite.tasks:
        opened = open_data(task.dataset, root, task.data_args)
        create(task.model, opened.shape, opened.classes, **task.model_args)
        found[task.name] = opened.digest
    return root, found


def _stored(path: Path, say: Callable[[str], None]) -> Store:
    """The records so far. An edited one steers the search that goes on from it: that is said first."""
    store = Store(path)
    if said := edits(path):
        say(f"warning: {said}")
    return store


@takes_run_options
def run(
    suite: str | Path | Suite = "quickstart",
    options: RunOptions | None = None,
    *,
    display: Display | None = None,
    **keywords: Any,
) -> Result:
    """Search, confirm, record and rank every entry of a suite on every task: the same as `sparsebench run`.

    Everything lands in `out` (default `runs/<suite>`). The same call again continues an interrupted
    campaign, with `extend` one whose suite has gained entries, tasks, trials or seeds since. `time_limit`
    in seconds holds for a trial. `executor="ray"` runs it on a Ray cluster, whose head is at `address`.
    `keywords` are the fields of `RunOptions`, which they override.
    Errors, a sentence each: `SparsebenchError`; `KeyboardInterrupt` where a signal (Ctrl-C, SIGTERM, SIGHUP)
    finds no trials to pause, or is the second. Nothing already written is lost.
    """
    chosen = (options or RunOptions()).changed(keywords)
    resolved, resources = chosen.resolve(suite), chosen.resources
    root, digests = _open(resolved, chosen.data)
    path = chosen.output_folder(resolved)
    with watch_signals() as interrupts, ExitStack() as stack:  # the workers early: they import for seconds
        stack.enter_context(OutputFolder(path, resolved, digests, extend=chosen.extend))
        shown = stack.enter_context(ProgressMonitor(display, StateFile(path, chosen.plugins)))
        workers = stack.enter_context(
            closing(resources.start(path, root, chosen.plugins, resolved.tasks, digests))
        )
        mirror = StudyMirror(chosen.storage) if chosen.storage else StudyMirror.of(path)
        store = _stored(path, shown.say)
        live = publish.LivePublisher(chosen.tracking_uri, path, resolved, shown.say, begun=len(store) > 0)
        stack.callback(live.close)
        searches = studies(resolved, digests, store)
        shown.start(searches, workers.capacity)
        campaign = Campaign(
            searches, workers, store, shown, live, mirror, KeptModels(path, store), interrupts
        )
        stopped_by = campaign.drive()
        workers.close()
        records = latest(load_records(path)) if len(store) else []
        problems = _conclude(path, records, live, interrupts) if stopped_by is None else live.stop()
        return Result(path, records, stopped_by, problems)


def _conclude(
    folder: Path, records: Sequence[Record], live: publish.LivePublisher, interrupts: Interrupts
) -> list[str]:
    """Clear away what killed workers left, and models off the fronts; write tables and figures.

    Returns the problems met on the way. Errors: no trial has a result; a signal.
    """
    again = f"the same command, or `sparsebench report {quote(str(folder))}`, writes them"
    interrupts.stage(f"stopped while tables and figures were written; {again}")
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    keep_front_models(folder, records)
    if not any(record.ok for record in records):
        reasons = sorted({record.reason or "" for record in records})
        raise SparsebenchError(f"every trial failed: {reasons[0] if reasons else 'none was run'}")
    problems = live.finish(records)
    interrupts.stage("stopped when everything was written: nothing is missing")
    return problems
