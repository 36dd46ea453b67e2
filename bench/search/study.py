"""The study of an entry on a task: its search, the choice at each common compression, the confirmation."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...methods.api import registry
from ...records.choice import choose, points_of
from ...records.record import Record
from ...records.store import Store
from ..config.search_space import full_knobs
from ..config.seeds import seed_of
from ..config.suite import Entry, Suite, Task
from ..config.trial_spec import Trial
from .entry_space import EntrySpace
from .optuna_search import Outcome, Search


@dataclass(frozen=True)
class TaskFacts:
    """What a search needs to know of a task's data.

    Attributes:
        digest: Digest of the data, part of each trial's identity.
        images: Size of the training split, from which the steps of a training follow.
        start: Digest of the file that the model's weights start from, part of the identity likewise.

    Example:
        >>> TaskFacts("d1915", images=1149).images
        1149
    """

    digest: str
    images: int
    start: str | None = None


class Study:
    """Sequence of the trials of one entry on one task: `next` returns a trial to run, `take` its record.

    First comes the search, in generations; when it is complete, at each common compression the training that
    is best there on validation data, with `budget.seeds` seeds that no search uses. A training that is best
    at several is confirmed once. Trials that the store has finished are not run again.

    Args:
        suite: The suite, for its budget and seed.
        task: The task (dataset, model, recipe).
        entry: The entry (method, label, fixed knobs).
        data: Digest and size of the task's data.
        store: Records of the output folder.
        searched: Records of this search in the store, by trial number.
        replicate: Number of the independent search.
        base: The folder in which relative paths in arguments are looked for.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> from sparsebench.bench.training.trial import failed
        >>> quick = load_suite("quickstart")  # 8 trials for each entry, in generations of 4
        >>> data = TaskFacts("d1915", images=1149)
        >>> study = Study(quick, quick.tasks[0], quick.entries[2], data, Store(folder), {})
        >>> first = study.next()
        >>> first.entry, first.phase, first.number, first.aim, first.knobs["sparsity"]
        ('magnitude', 'search', 0, 4.0, 0.75)
        >>> study.take(first, failed(first, "out of memory", device="cpu"))
        >>> f"{study.finished} of {study.planned} finished, {study.failed} failed"
        '1 of 8 finished, 1 failed'
    """

    def __init__(
        self,
        suite: Suite,
        task: Task,
        entry: Entry,
        data: TaskFacts,
        store: Store,
        searched: Mapping[int, Record],
        replicate: int = 0,
        base: str | None = None,
    ) -> None:
        self.suite, self.task, self.entry, self.data, self.store = suite, task, entry, data, store
        self.stored, self.replicate, self.base = searched, replicate, base
        budget = suite.budget
        # The first is named as it would be alone: a suite that gains searches continues it.
        self.name = f"{entry.label} on {task.name}" + (f", search {replicate + 1}" if replicate else "")
        self.cls = registry[entry.method]
        self.space = EntrySpace(task, entry, data.images)
        knobs, target = self.space.knobs, self.space.target
        # What a dense training shows at 1 decides the reference of the task; nothing else aims there.
        follows = target is not None or any(knob.operating for knob in knobs.values())
        aims = budget.compressions if follows else self.measured
        given = budget.trials, budget.generation, suite.seed
        self.search = Search(self.name, knobs, aims, *given, targeted=target is not None)
        self.found: dict[int, Record] = {}
        self.phase = "search"
        self.planned = budget.trials
        self.finished = 0
        self.failed = 0
        self.shared = 0  # of the finished trials, those whose record is that of another trial of the same id
        self._queue: deque[Trial] = deque()
        self._out: dict[str, list[Trial]] = {}

    @property
    def measured(self) -> tuple[float, ...]:
        """The compressions at which every finished model is measured: 1 and the common ones."""
        return (1.0, *self.suite.budget.compressions)

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
        """Counts a finished trial and passes what it shows to the search."""
        self.finished += 1
        self.failed += not record.ok
        own = (record.entry, record.phase, record.trial, record.confirms, record.replicate)
        self.shared += own != (trial.entry, trial.phase, trial.number, trial.confirms, trial.replicate)
        if trial.phase == "search":
            assert trial.number is not None
            self.found[trial.number] = record
            self.search.tell(trial.number, outcome(record, self.measured))

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
            self.search.replay(record.params, outcome(record, self.measured))
            self.found[number] = record
            self.finished += 1
        return True

    def _search_trial(self, number: int, values: dict[str, Any]) -> Trial:
        aim = self.search.aim(number)
        knobs, recipe = self.space.settings(values, aim)
        return self._trial(
            recipe=recipe,
            knobs=full_knobs(self.entry.method, knobs),
            seed=seed_of(self.suite.seed, self.replicate, "search", number),
            phase="search",
            number=number,
            params=self.search.params(number),
            aim=aim,
        )

    def chosen(self) -> list[Record]:
        """Returns the trainings to confirm: the best at each compression, each once, in the order of the
        compressions."""
        best = choose(self.found.values(), self.measured)
        return list({record.id: record for record in best.values()}.values())

    def _confirm_trials(self, points: Iterable[Record]) -> Iterable[Trial]:
        for record in points:
            for k in range(self.suite.budget.seeds):
                yield self._trial(
                    recipe=self.task.recipe.model_copy(update=record.recipe),
                    knobs=record.knobs,
                    seed=seed_of(self.suite.seed, self.replicate, "confirm", k),
                    phase="confirm",
                    confirms=record.id,
                    params=record.params,
                    aim=record.aim,
                )

    def _trial(self, **fields: Any) -> Trial:
        return Trial(
            suite=self.suite.name,
            entry=self.entry.label,
            dataset=self.task.dataset,
            dataset_args=self.task.data_args,
            data_digest=self.data.digest,
            start_digest=self.data.start,
            base=self.base,
            model=self.task.model,
            model_args=self.task.model_args,
            keep_dense=self.task.keep_dense,
            method=self.entry.method,
            method_version=self.cls.version,
            compressions=self.suite.budget.compressions,
            granularity=self.task.granularity,
            replicate=self.replicate,
            **fields,
        )


def studies(
    suite: Suite, data: Mapping[str, TaskFacts], store: Store, base: str | None = None
) -> list[Study]:
    """Returns one study for each entry on each task in each search, in the suite's order.

    Args:
        suite: The suite of the campaign.
        data: Digest and size of the data by task name.
        store: Records of the output folder; finished ones are not run again.
        base: The folder in which relative paths in arguments are looked for.

    Returns:
        The studies: all entries of the first task, then those of the second; the first search before the
        second.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> data = {"digits-lenet_300_100": TaskFacts("d1915", images=1149)}
        >>> [study.name for study in studies(load_suite("quickstart"), data, Store(folder))[:2]]
        ['dense on digits-lenet_300_100', 'random on digits-lenet_300_100']
    """
    searched: dict[tuple[str, str, int], dict[int, Record]] = defaultdict(dict)
    for record in store:
        if record.phase == "search" and record.trial is not None:
            own = searched[record.task, record.entry, record.replicate]
            if record.ok or record.trial not in own:  # a failed one may have been repeated
                own[record.trial] = record
    return [
        Study(suite, task, entry, data[task.name], store, searched[task.name, entry.label, k], k, base)
        for k in range(suite.budget.searches)
        for task in suite.tasks
        for entry in suite.entries
    ]


def outcome(record: Record, compressions: Iterable[float]) -> Outcome:
    """Returns what the search is told of a record: its validation accuracy at each compression.

    Args:
        record: Record of a search trial.
        compressions: The compressions, 1 among them.

    Returns:
        Accuracies by compression, those of chance where training diverged; None for a failed trial.

    Example:
        >>> diverged = record.model_copy(update={"status": "diverged", "val_accuracy": 0.1})
        >>> outcome(diverged, [1, 64])
        {1: 0.1, 64: 0.1}
    """
    if not record.ok or record.val_accuracy is None:
        return None
    shown = points_of(record)
    return {c: shown[c].val_accuracy if c in shown else record.val_accuracy for c in compressions}
