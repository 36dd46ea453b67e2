"""The driver: it runs the trials of all studies and passes their records on.

One process, the driver's, uses Optuna and MLflow and writes the records; workers only run trials:

    Study.next --trial--> Executor --record--> 1 Store.append     records.jsonl, flushed to the disk
        ^                (workers)             2 Executor.forget  deletes the trial's checkpoint
        |                                      3 KeptModels       deletes models of the point's worse seeds
        +------------------------------------- 4 Study.take       the search, which chooses later trials
        |                                      5 LivePublisher    a queue; its thread writes to MLflow
        |                                      6 ProgressMonitor  live table, log lines, state.json
        +--> StudyMirror, in a thread: optuna.db, when a study's phase ends

The numbers are the order in which a record passes. The store comes first: if the driver is killed after it,
the next run makes up for the rest from the records; if before, it resumes the trial from the checkpoint, so
that is deleted second. Models and search follow, with the store's copy of the record, which has no curve
and no layers. MLflow and the displays come last: they decide nothing, so a problem there costs no trial.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...commands import path_word
from ...errors import SparsebenchError
from ...records.record import Record
from ...records.store import Store
from ...records.stored import in_memory
from ..config.suite import Suite
from ..config.trial_spec import Trial
from ..executors.base import Executor
from ..executors.rehearsal import rehearse
from ..output_folder.folder import OutputFolder
from ..output_folder.lock import refuse_if_in_use
from ..progress.failures import failed_entries
from ..progress.monitor import Display, ProgressMonitor
from ..progress.state_file import StateFile
from ..search.storage_mirror import StudyMirror
from ..search.study import Study, studies
from ..system.interrupts import Interrupts, watch_signals
from . import publish
from .cleanup import clean_up
from .kept_models import KeptModels
from .latencies import measure_shortly
from .options import RunOptions, chosen_options, takes_run_options
from .result import Result
from .tasks import begun_tasks, open_tasks

AT_ONCE = "stopped at once; the same command continues from the last checkpoints"
TICK = 0.5  # seconds at most between two checks of time limits and signals


@dataclass
class Campaign:
    """The loop of a campaign: it submits the trials of all studies and passes on each record that comes back.

    Several studies run at once, so that no device idles until a generation ends; the first study in the
    suite's order that has a trial to run comes first. A trial that several studies ask for runs once.

    Attributes:
        studies: One study for each entry on each task, in the suite's order.
        executor: The workers.
        store: The records of the output folder.
        display: The progress displays.
        publisher: The live copy of the records in MLflow.
        mirror: The copy of the searches in an Optuna storage.
        kept_models: The model files of the output folder.
        interrupts: The signals; the first one pauses the running trials, the second one ends the campaign.
        waiting_studies: The studies that wait for the record of each running trial, by its identity.
        pausing: Whether the running trials have been asked to save a checkpoint and end.

    Example:
        >>> from unittest.mock import Mock
        >>> parts = Mock()  # lists the calls of all parts in their order
        >>> parts.interrupts.number, parts.study.next.side_effect = None, [trial, None, None]
        >>> parts.executor.wait.return_value = [(trial, record)]
        >>> campaign = Campaign([parts.study], parts.executor, parts.store, parts.display, parts.mlflow,
        ...                     parts.mirror, parts.models, parts.interrupts)
        >>> campaign.drive()
        >>> called = [name for name, _, _ in parts.method_calls]
        >>> called[called.index("store.append") : called.index("display.update") + 1]
        ['store.append', 'executor.forget', 'models.take', 'study.take', 'mlflow.put', 'display.update']
    """

    studies: Sequence[Study]
    executor: Executor
    store: Store
    display: ProgressMonitor
    publisher: publish.LivePublisher
    mirror: StudyMirror
    kept_models: KeptModels
    interrupts: Interrupts
    waiting_studies: dict[str, list[Study]] = field(default_factory=dict)
    pausing: bool = False

    def drive(self) -> int | None:
        """Runs until every study is done; returns the signal that stopped it before that, or None."""
        mirror_thread = ThreadPoolExecutor(1, thread_name_prefix="optuna-mirror")
        self.interrupts.stage(AT_ONCE, patient=True)
        try:
            while self._submit_trials(mirror_thread):
                self.store.check()
                self.display.running(self.executor.running)
                for trial, record in self.executor.wait(TICK):
                    self._take(trial, record)
                if self.interrupts.number is not None and not self.pausing:
                    self._pause()
        finally:
            mirror_thread.shutdown(wait=True)
        self.mirror.complete([study.search for study in self.studies], self.display.say)
        return None if all(study.done for study in self.studies) else self.interrupts.number

    def _pause(self) -> None:
        """Asks the running trials to save a checkpoint and end; no further ones are submitted."""
        self.pausing = True
        count = len(self.waiting_studies)
        self.display.say(f"stopping: {count} running trials keep a checkpoint; Ctrl-C again stops at once")
        self.executor.pause()

    def _submit_trials(self, mirror_thread: ThreadPoolExecutor) -> bool:
        """Submits trials while slots are free; returns False when none runs and none is left to run."""
        for study in self.studies:
            phase = study.phase
            while self.interrupts.number is None and self.executor.free():
                trial = study.next()
                if trial is None:
                    break
                if trial.id in self.waiting_studies:  # another entry's equal trial runs: one run for both
                    self.waiting_studies[trial.id].append(study)
                    continue
                self.waiting_studies[trial.id] = [study]
                self.executor.submit(trial)
            if study.phase != phase:
                self.display.update(study, None)
                mirror_thread.submit(self.mirror.reflect, study.search, self.display.say)  # no trial waits
        return bool(self.waiting_studies)

    def _take(self, trial: Trial, record: Record | None) -> None:
        """Passes a record on, in the order that the module's docstring explains; None is a paused trial."""
        studies = self.waiting_studies.pop(trial.id)
        if record is None:
            return
        # To the disk, after which nothing can be lost
        stored = self.store.append(record)
        self.executor.forget(trial)
        # To what acts on it
        self.kept_models.take(stored)
        for study in studies:
            study.take(trial, stored)
        # To what only shows it
        self.publisher.put(record)
        for study in studies:
            self.display.update(study, record)


def _open_store(folder: OutputFolder, notes: Sequence[str], say: Callable[[str], None]) -> Store:
    """Returns the records so far; says what is odd about models, data, folder and records."""
    store = Store(folder.path, notify=say)
    for note in [*([f"warning: {store.edited}"] if store.edited else []), *notes, *folder.notes]:
        say(note)
    return store


@takes_run_options
def run(
    suite: str | Path | Suite = "quickstart",
    options: RunOptions | None = None,
    *,
    display: Display | None = None,
    **keywords: Any,
) -> Result:
    """Runs a campaign: searches, confirms, records and ranks every entry of a suite on every task.

    It does the same as `sparsebench run`: records, databases, tables, figures and models are written to the
    output folder. The same call again continues an interrupted campaign. A first run of some seconds::

        result = sparsebench.run("quickstart", methods=["dense"], trials=1, epochs=1, seeds=1, out="first")

    Args:
        suite: The name of a shipped suite, the path of a TOML file, or a `Suite`.
        options: The options of the run as one object; by default those of `RunOptions()`.
        display: What shows the progress, such as a `LiveTable`; None shows nothing.
        **keywords: Single options, the fields of `RunOptions`, each in place of that of `options`.
            What runs: `methods` (only these entries, by label or method); `trials` of each search, `epochs`
            of a trial and `seeds` of a confirmed training, in place of the suite's; `plugins` (Python files);
            `extend=True` continues a campaign whose suite has gained entries, tasks, trials, seeds or
            searches; `latency=False` leaves out the measurement of latency at the end, ten seconds at most.
            Where it runs: `devices` (`cuda:0,cuda:2` or `cpu:4`; by default every GPU, else the CPU cores),
            `per_device` trials at once on a GPU, `time_limit` in seconds for a trial (a day by default),
            `executor="ray"` with the `address` of a cluster.
            Files: `out` (the output folder, `runs/<suite>` by default); `data` (the folder of datasets);
            `storage` and `tracking_uri` (URLs for Optuna and MLflow, by default of databases in `out`).

    Returns:
        The output folder and the records. A first signal (Ctrl-C, SIGTERM, SIGHUP) while trials run saves
        their checkpoints and ends the call early; then `complete` is False and `stopped_by` is the signal.

    Raises:
        SparsebenchError: A suite, option, dataset or device is not valid; the output folder cannot be
            written, is in use or has records of another suite; every trial failed.
        TypeError: A keyword names no option.
        KeyboardInterrupt: A signal came while no trials ran, or a second one; what is written stays valid.

    Example:
        >>> import sparsebench
        >>> sparsebench.run("quickstart", methods=["dense"], trial=1)
        Traceback (most recent call last):
        TypeError: run() has no argument 'trial': did you mean 'trials'?
    """
    # Check suite, options, data and models before anything is written to the output folder
    chosen = chosen_options(options, keywords)
    resolved, resources = chosen.resolve(suite), chosen.resources
    path = chosen.output_folder(resolved)
    refuse_if_in_use(path)
    tasks = open_tasks(resolved, chosen.data, chosen.base(suite))
    base, begun = Path(tasks.base), begun_tasks(path, tasks.digests)
    rehearse(resolved, tasks.sizes, chosen.plugins, base, begun=begun, device=resources.own_device)
    with watch_signals() as interrupts, ExitStack() as stack:
        # Lock the folder and start the workers, which import for seconds while the rest is opened
        folder = stack.enter_context(
            OutputFolder(path, resolved, tasks.digests, tasks.starts, tasks.base, extend=chosen.extend)
        )
        shown = stack.enter_context(ProgressMonitor(display, StateFile(path, chosen.plugins)))
        needed = (path, tasks.root, chosen.plugins, resolved.tasks, tasks.digests, tasks.base)
        workers = stack.enter_context(closing(resources.start(*needed)))
        # Open the records and their copies in Optuna and MLflow; the searches begin with the records
        owner = folder.campaign.id
        mirror = StudyMirror.of(path, owner, chosen.storage, shown.say)
        store = stack.enter_context(closing(_open_store(folder, tasks.notes, shown.say)))
        live = publish.LivePublisher(chosen.tracking_uri, path, owner, resolved, shown.say, len(store) > 0)
        stack.callback(live.close)
        searches = studies(resolved, tasks.facts, store, tasks.base)
        shown.start(searches, workers.capacity)
        # Run the trials, then write tables and figures
        kept = KeptModels(path, store)
        stopped_by = Campaign(searches, workers, store, shown, live, mirror, kept, interrupts).drive()
        workers.close()
        records = store.reload()
        folder.restore()
        if stopped_by is not None:
            return Result(path, records, stopped_by, live.stop())
        return _conclude(path, records, live, interrupts, chosen)


def _conclude(
    folder: Path,
    records: Sequence[Record],
    live: publish.LivePublisher,
    interrupts: Interrupts,
    options: RunOptions,
) -> Result:
    """Deletes checkpoints and the models on no board, measures latency, then writes tables and figures.

    Raises `SparsebenchError` where no trial has a result, `Interrupted` for a signal.
    """
    again = f"the same command, or `sparsebench report {path_word(folder)}`, writes them"
    interrupts.stage(f"stopped while tables and figures were written; {again}")
    held = in_memory(records)
    clean_up(folder, held)
    if not any(record.ok for record in held):
        reasons = sorted(record.reason or "" for record in held)
        raise SparsebenchError(f"every trial failed: {reasons[0] if reasons else 'none was run'}")
    boards = publish.ranked(folder, records)
    if options.measures:
        measure_shortly(folder, records, boards, options.data, live.say)
        boards = publish.timed(folder, boards)
    # Write tables and figures, and what MLflow lacks
    problems = live.finish(records, boards)
    interrupts.stage("stopped after all files were written: nothing is missing")
    failed = failed_entries(held)
    return Result(folder, records, None, [*problems, *failed], failed, boards)
