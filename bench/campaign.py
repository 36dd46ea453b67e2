"""The driver: ask, execute, record, tell, track. One process owns Optuna, MLflow and the records."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from ..datasets.api import data_root
from ..errors import SparsebenchError
from ..registry import load_plugin
from . import publish
from .devices import slots
from .display import Display, Silent
from .executors.local import LocalExecutor
from .folder import Folder
from .models import create
from .records import Record, Store
from .search import Mirror
from .spec import Trial
from .studies import Study
from .suite import Suite, check, load_suite, override
from .trial import open_data

Owners = dict[str, list[Study]]
"""Who waits for a trial that is out, by the trial's identity."""


@dataclass
class Result:
    """A campaign's output folder, its records, and what went wrong beside the trials."""

    folder: Path
    records: list[Record]
    complete: bool = True
    problems: list[str] = field(default_factory=list)


@dataclass
class Campaign:
    """Hands the trials of all studies to the executor and their records to whoever needs them.

    Several studies run at once, so that no device waits for a generation to end; the first of them in the
    suite's order that has a trial to give is served first.
    """

    studies: Sequence[Study]
    executor: LocalExecutor
    store: Store
    display: Display
    publisher: publish.Live
    mirror: Mirror
    stopping: bool = False
    trials: dict[str, Trial] = field(default_factory=dict)

    def drive(self) -> bool:
        """Run until every study is done. False when stopped by Ctrl-C before that."""
        clerk = ThreadPoolExecutor(1, thread_name_prefix="optuna-mirror")
        owners: Owners = {}
        try:
            with self._interruptible(owners):
                while self._hand_out(owners, clerk):
                    for trial, record in self.executor.wait():
                        self._take(owners.pop(trial.id), trial.id, record)
        finally:
            clerk.shutdown(wait=True)
        return not self.stopping

    @contextmanager
    def _interruptible(self, owners: Owners) -> Iterator[None]:
        """The first Ctrl-C lets the running trials end, the second stops at once.

        The first one raises nothing, so it cannot come between a record's arrival and its line on the disk.
        """

        def stop(number: int, frame: FrameType | None) -> None:
            if self.stopping or not owners:
                raise KeyboardInterrupt
            self.stopping = True
            self.display.say(
                f"stopping when the running trials are done ({len(owners)}); Ctrl-C again stops at once. "
                "The same command continues."
            )

        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if not usual or threading.current_thread() is not threading.main_thread():
            yield
            return
        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _hand_out(self, owners: Owners, clerk: ThreadPoolExecutor) -> bool:
        """Fill the free slots. False when nothing runs and nothing is left to run."""
        for study in self.studies:
            phase = study.phase
            while not self.stopping and self.executor.free():
                trial = study.next()
                if trial is None:
                    break
                if trial.id in owners:  # another entry asks the same just now: one run answers both
                    owners[trial.id].append(study)
                    continue
                self.trials[trial.id] = trial
                owners[trial.id] = [study]
                self.executor.submit(trial)
            if study.phase != phase:
                self.display.update(study, None)
                self._reflect(study, clerk)
        return bool(owners)

    def _take(self, studies: list[Study], identity: str, record: Record) -> None:
        """The order matters: on the disk first, then to the search, then to those who only watch."""
        self.store.append(record)
        trial = self.trials.pop(identity)
        for study in studies:
            study.take(trial, record)
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


def _digests(suite: Suite, root: str | None) -> dict[str, str]:
    """Open (or fetch) every dataset and try every model, before a worker starts: errors come at once."""
    found = {}
    for task in suite.tasks:
        data = open_data(task.dataset, root, task.data_args)
        create(task.model, data.shape, data.classes, **task.model_args)
        found[task.name] = data.digest
    return found


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
    display: Display | None = None,
) -> Result:
    """Search, confirm, record and rank every entry of a suite on every task: the same as `sparsebench run`.

    Everything lands in `out` (default `runs/<suite>`): records.jsonl, the leaderboard, figures, Optuna's
    studies and MLflow's database. The same call again continues an interrupted campaign.
    Errors: `SparsebenchError`, one sentence; nothing already written is lost.
    """
    chosen = resolve(suite, methods=methods, trials=trials, epochs=epochs, seeds=seeds, plugins=plugins)
    places = slots(devices, per_device)
    root = str(data_root(data)) if data is not None or "SPARSEBENCH_DATA" in os.environ else None
    digests = _digests(chosen, root)
    path = Path(out) if out is not None else Path("runs") / chosen.name
    shown = display or Silent()
    with ExitStack() as stack:
        stack.enter_context(Folder(path, chosen, digests))
        mirror = Mirror(storage or f"sqlite:///{(path / 'optuna.db').resolve()}")
        store = Store(path)
        live = publish.Live(tracking_uri, path, chosen, shown.say)
        stack.callback(live.close)
        names = [str(Path(plugin).resolve()) for plugin in plugins]
        executor = LocalExecutor(places, root, names, path / "workers.log")
        stack.callback(executor.close)
        studies = _studies(chosen, digests, store)
        shown.start(studies, len(places))
        complete = Campaign(studies, executor, store, shown, live, mirror).drive()
        executor.close()
        records = list(store)
        _require_one(records)
        return Result(path, records, complete, live.finish(records))


def _studies(suite: Suite, digests: Mapping[str, str], store: Store) -> list[Study]:
    """One for each entry on each task, in the suite's order."""
    pairs = [(task, entry) for task in suite.tasks for entry in suite.entries]
    return [Study(suite, task, entry, digests[task.name], store) for task, entry in pairs]


def _require_one(records: Sequence[Record]) -> None:
    """Errors: not a single trial gave a result."""
    if not any(record.ok for record in records):
        reasons = sorted({record.reason or "" for record in records})
        raise SparsebenchError(f"every trial failed: {reasons[0] if reasons else 'none was run'}")
