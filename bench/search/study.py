"""The study of an entry on a task: its search, the points chosen from it, and their confirmation."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import Any

from ...methods.api import registry
from ...records.record import Record
from ...records.store import Store
from ..config.search_space import free_knobs, full_knobs, settle_recipe, split_settings
from ..config.suite import Entry, Suite, Task
from ..config.trial_spec import Trial
from .confirmed_points import chosen_points
from .optuna_search import Search


class Study:
    """Sequence of the trials of one entry on one task: `next` returns a trial to run, `take` its record.

    First comes the search, in generations; when it is complete, at most `budget.points` points of its Pareto
    front, spread over log compression, each with `budget.seeds` seeds that the search has not used. Trials
    that the store has finished are not run again.

    Args:
        suite: The suite, for its budget and seed.
        task: The task (dataset, model, recipe).
        entry: The entry (method, label, fixed knobs).
        digest: Digest of the task's data, part of each trial's identity.
        store: Records of the output folder.
        searched: Records of this entry's search in the store, by trial number.
        start: Digest of the file that the model's weights start from, part of the identity likewise.
        base: The folder in which relative paths in arguments are looked for.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> from sparsebench.bench.training.trial import failed
        >>> quick = load_suite("quickstart")  # 8 trials for each entry, in generations of 4
        >>> study = Study(quick, quick.tasks[0], quick.entries[2], "d1915", Store(folder), {})
        >>> first = study.next()
        >>> first.entry, first.phase, first.number, first.knobs["sparsity"]  # compression 4.3
        ('magnitude', 'search', 0, 0.770062)
        >>> study.take(first, failed(first, "out of memory", device="cpu"))
        >>> f"{study.finished} of {study.planned} finished, {study.failed} failed"
        '1 of 8 finished, 1 failed'
    """

    def __init__(
        self,
        suite: Suite,
        task: Task,
        entry: Entry,
        digest: str,
        store: Store,
        searched: Mapping[int, Record],
        start: str | None = None,
        base: str | None = None,
    ) -> None:
        self.suite, self.task, self.entry, self.digest, self.store = suite, task, entry, digest, store
        self.stored, self.start, self.base = searched, start, base
        self.name = f"{entry.label} on {task.name}"
        self.cls = registry[entry.method]
        budget = suite.budget
        knobs = free_knobs(task.recipe, self.cls, entry.knobs)
        self.search = Search(self.name, knobs, budget.trials, budget.generation, suite.seed)
        self.found: dict[int, Record] = {}
        self.phase = "search"
        self.planned = budget.trials
        self.finished = 0
        self.failed = 0
        self.shared = 0  # of the finished trials, those whose record is that of another trial of the same id
        self._queue: deque[Trial] = deque()
        self._out: dict[str, list[Trial]] = {}

    @property
    def done(self) -> bool:
        """Whether search and confirmation are finished."""
        return self.phase == "done"

    def next(self) -> Trial | None:
        """Returns a trial to run now; None while the study waits for running trials, or when it is done."""
        while not self.done:
            while self._queue:
                trial = self._queue.popleft()
                twin = self._out.get(trial.id)  # a trial of the same identity that is running
                if twin is not None:
                    twin.append(trial)
                elif (record := self._known(trial)) is not None:
                    self._settle(trial, record)
                else:
                    self._out[trial.id] = [trial]
                    return trial
            if self._out or not self._refill():
                return None
        return None

    def take(self, trial: Trial, record: Record) -> None:
        """Accepts the record of a trial that `next` returned, as `Store.append` returned it. It also counts
        for trials of the same identity."""
        for one in self._out.pop(trial.id):
            self._settle(one, record)

    def _known(self, trial: Trial) -> Record | None:
        """Returns the stored record of a finished trial. In the search it is that of the trial's number."""
        own = self.stored.get(trial.number) if trial.number is not None else None
        return own if own is not None and own.ok else self.store.finished(trial.id)

    def _settle(self, trial: Trial, record: Record) -> None:
        """Counts a finished trial and passes its objectives to the search."""
        self.finished += 1
        self.failed += not record.ok
        own = (record.entry, record.phase, record.trial, record.confirms)
        self.shared += own != (trial.entry, trial.phase, trial.number, trial.confirms)
        if trial.phase == "search":
            assert trial.number is not None
            self.found[trial.number] = record
            self.search.tell(trial.number, objectives(record))

    def _refill(self) -> bool:
        """Queues the next generation or the confirmation; returns False when the study is done."""
        if self.phase == "search":
            if self._replay():
                return True
            proposed = {number: record.params for number, record in self.stored.items()}
            asked = self.search.ask(proposed)
            self._queue.extend(self._search_trial(number, values) for number, values in asked.items())
            if self._queue:
                return True
            self.phase = "confirm"
            self._queue.extend(self._confirm_trials(self.chosen()))
            self.planned = self.suite.budget.trials + len(self._queue)
            return True
        self.phase = "done"
        return False

    def _replay(self) -> bool:
        """Replays the next generation from stored records, where the store has all of it finished."""
        first = self.search.asked
        last = min(first + self.search.generation, self.search.trials)
        known = [self.stored.get(number) for number in range(first, last)]
        records = [record for record in known if record is not None and record.ok]
        if not records or len(records) < len(known):
            return False
        for number, record in enumerate(records, first):
            self.search.replay(record.params, objectives(record))
            self.found[number] = record
            self.finished += 1
        return True

    def _search_trial(self, number: int, values: dict[str, Any]) -> Trial:
        fixed = {key: value for key, value in self.entry.knobs.items() if not isinstance(value, dict)}
        knobs, rest = split_settings(self.cls, {**fixed, **values})
        return self._trial(
            recipe=settle_recipe(self.task.recipe, self.cls, rest),
            knobs=full_knobs(self.entry.method, knobs),
            seed=self.suite.seed,
            phase="search",
            number=number,
            params=self.search.params(number),
        )

    def chosen(self) -> list[Record]:
        """Returns the points to confirm, see `chosen_points`."""
        return chosen_points((self.found[n] for n in sorted(self.found)), self.suite.budget.points)

    def _confirm_trials(self, points: Iterable[Record]) -> Iterable[Trial]:
        for record in points:
            for k in range(1, self.suite.budget.seeds + 1):
                yield self._trial(
                    recipe=self.task.recipe.model_copy(update=record.recipe),
                    knobs=record.knobs,
                    seed=self.suite.seed + k,
                    phase="confirm",
                    confirms=record.id,
                    params=record.params,
                )

    def _trial(self, **fields: Any) -> Trial:
        return Trial(
            suite=self.suite.name,
            entry=self.entry.label,
            dataset=self.task.dataset,
            dataset_args=self.task.data_args,
            data_digest=self.digest,
            start_digest=self.start,
            base=self.base,
            model=self.task.model,
            model_args=self.task.model_args,
            keep_dense=self.task.keep_dense,
            method=self.entry.method,
            method_version=self.cls.version,
            **fields,
        )


def studies(
    suite: Suite,
    digests: Mapping[str, str],
    store: Store,
    starts: Mapping[str, str] | None = None,
    base: str | None = None,
) -> list[Study]:
    """Returns one study for each entry on each task, in the suite's order.

    Args:
        suite: The suite of the campaign.
        digests: Digest of the data by task name.
        store: Records of the output folder; finished ones are not run again.
        starts: Digest of the file that the weights start from, by the name of the tasks that have one.
        base: The folder in which relative paths in arguments are looked for.

    Returns:
        The studies, tasks first: all entries of the first task, then those of the second.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> found = studies(load_suite("quickstart"), {"digits-lenet_300_100": "d1915"}, Store(folder))
        >>> [study.name for study in found[:2]]
        ['dense on digits-lenet_300_100', 'random on digits-lenet_300_100']
    """
    searched: dict[tuple[str, str], dict[int, Record]] = defaultdict(dict)
    for record in store:
        if record.phase == "search" and record.trial is not None:
            own = searched[record.task, record.entry]
            if record.ok or record.trial not in own:  # folders of old versions may have two of one number
                own[record.trial] = record
    return [
        Study(
            suite,
            task,
            entry,
            digests[task.name],
            store,
            searched[task.name, entry.label],
            (starts or {}).get(task.name),
            base,
        )
        for task in suite.tasks
        for entry in suite.entries
    ]


def objectives(record: Record) -> tuple[float, float] | None:
    """Returns the objectives of the search for a record, both to be maximised.

    Args:
        record: Record of a search trial.

    Returns:
        Validation accuracy (a fraction) and log10 compression; None for a failed trial.

    Example:
        >>> objectives(record.model_copy(update={"val_accuracy": 0.95, "compression": 100.0}))
        (0.95, 2.0)
    """
    if not record.ok or record.val_accuracy is None:
        return None
    return record.val_accuracy, record.log_compression
