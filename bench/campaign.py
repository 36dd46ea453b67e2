"""The driver: ask, execute, record, tell, track. One process owns Optuna, MLflow and the records."""

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from ..datasets.api import data_root
from ..errors import SparsebenchError
from ..registry import load_plugin
from . import publish
from .display import Display, Watchers
from .executors.api import Executor
from .executors.machines import TIME_LIMIT, Machines
from .folder import Folder
from .kept import CHECKPOINTS
from .mirror import Mirror
from .models import create
from .records import Record, Store, edits, latest, load_records
from .shelf import Shelf, keep_fronts
from .signals import Interrupts, watching
from .spec import Trial
from .state import StateFile
from .studies import Study, studies
from .suite import Suite, check, load_suite, override
from .trial import open_data

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
    display: Watchers
    publisher: publish.Live
    mirror: Mirror
    shelf: Shelf
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


def resolve(
    suite: str | Path | Suite,
    *,
    methods: Sequence[str] | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    seeds: int | None = None,
    plugins: Sequence[str | Path] = (),
) -> Suite:
    """The suite as it will run: plugins loaded, file read, overrides applied, every name checked."""
    for plugin in plugins:
        load_plugin(plugin)
    loaded = suite if isinstance(suite, Suite) else load_suite(suite)
    changed = override(
        loaded, methods=list(methods) if methods else None, trials=trials, epochs=epochs, seeds=seeds
    )
    check(changed, f"suite {changed.name!r}")
    return changed


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


def run(
    suite: str | Path | Suite = "quickstart",
    *,
    out: str | Path | None = None,
    methods: Sequence[str] | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    seeds: int | None = None,
    devices: str | None = None,
    per_device: int = 1,
    data: str | Path | None = None,
    storage: str | None = None,
    tracking_uri: str | None = None,
    plugins: Sequence[str | Path] = (),
    extend: bool = False,
    time_limit: float | None = TIME_LIMIT,
    executor: str = "local",
    address: str | None = None,
    display: Display | None = None,
) -> Result:
    """Search, confirm, record and rank every entry of a suite on every task: the same as `sparsebench run`.

    Everything lands in `out` (default `runs/<suite>`). The same call again continues an interrupted
    campaign, with `extend` one whose suite has gained entries, tasks, trials or seeds since. `time_limit`
    in seconds holds for a trial. `executor="ray"` runs it on a Ray cluster, whose head is at `address`.
    Errors, a sentence each: `SparsebenchError`; `KeyboardInterrupt` where a signal (Ctrl-C, SIGTERM, SIGHUP)
    finds no trials to pause, or is the second. Nothing already written is lost.
    """
    chosen = resolve(suite, methods=methods, trials=trials, epochs=epochs, seeds=seeds, plugins=plugins)
    machines = Machines(devices, per_device, time_limit, executor, address)
    root, digests = _open(chosen, data)
    path = Path(out) if out is not None else Path("runs") / chosen.name
    with watching() as interrupts, ExitStack() as stack:  # the workers early: they import for seconds
        stack.enter_context(Folder(path, chosen, digests, extend=extend))
        shown = stack.enter_context(Watchers(display, StateFile(path, plugins)))
        workers = stack.enter_context(closing(machines.start(path, root, plugins, chosen.tasks, digests)))
        mirror = Mirror(storage) if storage else Mirror.of(path)
        store = _stored(path, shown.say)
        live = publish.Live(tracking_uri, path, chosen, shown.say, begun=len(store) > 0)
        stack.callback(live.close)
        searches = studies(chosen, digests, store)
        shown.start(searches, workers.places)
        campaign = Campaign(searches, workers, store, shown, live, mirror, Shelf(path, store), interrupts)
        stopped_by = campaign.drive()
        workers.close()
        records = latest(load_records(path)) if len(store) else []
        problems = _conclude(path, records, live, interrupts) if stopped_by is None else live.stop()
        return Result(path, records, stopped_by, problems)


def _conclude(
    folder: Path, records: Sequence[Record], live: publish.Live, interrupts: Interrupts
) -> list[str]:
    """Clear away what killed workers left, and models off the fronts; write tables and figures.

    Returns the problems met on the way. Errors: no trial has a result; a signal.
    """
    again = f"the same command, or `sparsebench report {quote(str(folder))}`, writes them"
    interrupts.stage(f"stopped while tables and figures were written; {again}")
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    keep_fronts(folder, records)
    if not any(record.ok for record in records):
        reasons = sorted({record.reason or "" for record in records})
        raise SparsebenchError(f"every trial failed: {reasons[0] if reasons else 'none was run'}")
    problems = live.finish(records)
    interrupts.stage("stopped when everything was written: nothing is missing")
    return problems
