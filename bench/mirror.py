"""The studies in Optuna's own storage, for optuna-dashboard and whoever reads Optuna."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import text

from ..errors import SparsebenchError
from .search import DIRECTIONS, Search

METRICS = ["validation accuracy", "log10 compression"]


class Mirror:
    """The studies in a storage that optuna-dashboard opens. The search itself never reads it.

    Only finished trials are written, so a killed driver leaves no trial running for ever.
    """

    def __init__(self, url: str) -> None:
        self.url, self.broken = url, False
        self._written: dict[str, list[TrialState]] = {}  # a study that stands still costs nothing
        options = {"pool_pre_ping": True} if url.startswith(("postgresql", "mysql")) else {}
        try:
            self.storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
        except Exception as error:
            raise SparsebenchError(f"Optuna cannot open the storage {url!r}: {error}") from error
        self._there = self._counts()

    def _counts(self) -> dict[str, Counter[str]]:
        """How many trials of each state a study has there, in one question: Optuna would ask hundreds."""
        question = (
            "SELECT study_name, state, COUNT(*) FROM studies JOIN trials USING (study_id) GROUP BY 1, 2"
        )
        found: dict[str, Counter[str]] = defaultdict(Counter)
        with suppress(Exception), self.storage.engine.connect() as connection:
            for name, state, count in connection.execute(text(question)):
                found[name][state] = count
        return found

    def reflect(self, search: Search, say: Callable[[str], None]) -> None:
        """Bring the stored study up to the search; what is there already stays. A problem is said, once."""
        states = search.states
        if search.key not in self._written and self._there.get(search.key) == Counter(s.name for s in states):
            self._written[search.key] = states  # by an earlier run
        if self.broken or self._written.get(search.key) == states:
            return
        try:
            self._write(search.key, search.told[: len(states)])
            self._written[search.key] = states
        except Exception as error:  # whatever the database raises: a view, not the truth
            self.broken = True
            say(f"Optuna's storage {self.url!r} takes no more: {error}")

    def _write(self, name: str, trials: list[FrozenTrial]) -> None:
        study = optuna.create_study(
            study_name=name, storage=self.storage, directions=DIRECTIONS, load_if_exists=True
        )
        if study.directions != DIRECTIONS:
            raise SparsebenchError(f"another study there is called {name!r}")
        stored = study.get_trials(deepcopy=False)
        if [t.state for t in stored] != [t.state for t in trials[: len(stored)]]:
            # a failure of an earlier run has been made good since
            optuna.delete_study(study_name=name, storage=self.storage)
            self._write(name, trials)
            return
        if not stored:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names(METRICS)
        for trial in trials[len(stored) :]:
            study.add_trial(trial)
