"""One entry on one task: its search, the points chosen from it, and their confirmation with fresh seeds."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import Any

from ...methods.api import registry
from ...records.pareto import front, spread
from ...records.record import Record
from ...records.store import Store
from ..config.search_space import free_knobs, full_knobs, settle_recipe, split_settings
from ..config.suite import Entry, Suite, Task
from ..config.trial_spec import Trial
from .optuna_search import Search

COLLAPSED = 1.5  # a front point at or below this many times chance is not worth confirming


class Study:
    """Hands out the trials of an entry on a task, and takes their records.

    First the search, in generations; when it is complete, at most `budget.points` points of its front,
    spread over log compression, each with `budget.seeds` seeds that the search has not used. Trials that the
    store has finished are taken from there and not run again; `searched` has its search trials by number.
    """

    def __init__(
        self,
        suite: Suite,
        task: Task,
        entry: Entry,
        digest: str,
        store: Store,
        searched: Mapping[int, Record],
    ) -> None:
        self.suite, self.task, self.entry, self.digest, self.store = suite, task, entry, digest, store
        self.stored = searched
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
        self._queue: deque[Trial] = deque()
        self._out: dict[str, list[Trial]] = {}

    @property
    def done(self) -> bool:
        return self.phase == "done"

    def next(self) -> Trial | None:
        """A trial to run now; None while others of this study have to come back first, or when it is done."""
        while not self.done:
            while self._queue:
                trial = self._queue.popleft()
                twin = self._out.get(trial.id)
                if twin is not None:
                    twin.append(trial)
                elif (record := self.store.finished(trial.id)) is not None:
                    self._settle(trial, record)
                else:
                    self._out[trial.id] = [trial]
                    return trial
            if self._out or not self._refill():
                return None
        return None

    def take(self, trial: Trial, record: Record) -> None:
        """The record of a trial that was handed out, as the store keeps it; it also answers any twin."""
        for one in self._out.pop(trial.id):
            self._settle(one, record)

    def _settle(self, trial: Trial, record: Record) -> None:
        self.finished += 1
        self.failed += not record.ok
        if trial.phase == "search":
            assert trial.number is not None
            self.found[trial.number] = record
            self.search.tell(trial.number, objectives(record))

    def _refill(self) -> bool:
        """Queue what comes next; False when nothing comes any more."""
        if self.phase == "search":
            if self._replay():
                return True
            self._queue.extend(self._search_trial(n, values) for n, values in self.search.ask().items())
            if self._queue:
                return True
            self.phase = "confirm"
            self._queue.extend(self._confirm_trials(self.chosen()))
            self.planned = self.suite.budget.trials + len(self._queue)
            return True
        self.phase = "done"
        return False

    def _replay(self) -> bool:
        """Tell the search of its next generation from the records, where all of it is there."""
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
        """The points to confirm: of the search's front, spread over log compression, by validation alone."""
        in_order = [self.found[number] for number in sorted(self.found)]  # among equals the first asked wins
        distinct = {record.id: record for record in in_order}
        alive = [r for r in distinct.values() if r.status == "ok" and r.val_accuracy is not None]
        learned = [r for r in alive if (r.val_accuracy or 0) > COLLAPSED / (r.classes or 1)]

        def place(record: Record) -> tuple[float, float]:
            return record.log_compression, record.val_accuracy or 0.0

        return spread(front(learned or alive, key=place), self.suite.budget.points, key=place)

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
            model=self.task.model,
            model_args=self.task.model_args,
            keep_dense=self.task.keep_dense,
            method=self.entry.method,
            method_version=self.cls.version,
            **fields,
        )


def studies(suite: Suite, digests: Mapping[str, str], store: Store) -> list[Study]:
    """One study for each entry on each task, in the suite's order; `digests` has each task's data."""
    searched: dict[tuple[str, str], dict[int, Record]] = defaultdict(dict)
    for record in store:
        if record.phase == "search" and record.trial is not None:
            searched[record.task, record.entry][record.trial] = record
    return [
        Study(suite, task, entry, digests[task.name], store, searched[task.name, entry.label])
        for task in suite.tasks
        for entry in suite.entries
    ]


def objectives(record: Record) -> tuple[float, float] | None:
    """What the search is told: validation accuracy and log10 compression; None for a failure."""
    if not record.ok or record.val_accuracy is None:
        return None
    return record.val_accuracy, record.log_compression
