"""The studies in Optuna's own storage, for optuna-dashboard and whoever reads Optuna."""

import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial
from sqlalchemy import text

from ...errors import SparsebenchError
from ..system.urls import sqlite_url, without_login
from .optuna_search import DIRECTIONS, Search

FILE = "optuna.db"
DAMAGED = ("is malformed", "is not a database")  # SQLite's words
METRICS = ["validation accuracy", "log10 compression"]


class StudyMirror:
    """The studies in a storage that optuna-dashboard opens. The search itself never reads it.

    Only finished trials are written, so a killed driver leaves no trial running for ever.
    """

    def __init__(self, url: str) -> None:
        self.url, self.broken = url, False
        try:
            self._open()
        except Exception as error:
            said = without_login(f"{url!r}: {str(error).splitlines()[0]}", url)
            raise SparsebenchError(f"Optuna cannot open the storage {said}") from error

    @classmethod
    def of(cls, folder: Path) -> "StudyMirror":
        """In a file of the output folder. A damaged one is set aside: the searches write it anew."""
        file = folder / FILE
        url = sqlite_url(file)
        try:
            return cls(url)
        except SparsebenchError as error:
            if not any(words in str(error) for words in DAMAGED):
                raise
        file.replace(file.with_suffix(".damaged"))
        return cls(url)

    def _open(self) -> None:
        options = {"pool_pre_ping": True} if self.url.startswith(("postgresql", "mysql")) else {}
        self.storage = optuna.storages.RDBStorage(self.url, engine_kwargs=options)
        self._written = self._states()

    def _states(self) -> dict[str, list[str]]:
        """The states of every study's trials, in one question: Optuna would ask hundreds, and keep all."""
        question = "SELECT study_name, state FROM studies JOIN trials USING (study_id) ORDER BY number"
        found: dict[str, list[str]] = defaultdict(list)
        with self.storage.engine.connect() as connection:
            for name, state in connection.execute(text(question)):
                found[name].append(state)
        return dict(found)

    def reflect(self, search: Search, say: Callable[[str], None]) -> None:
        """Bring the stored study up to the search; what is there already stays. A problem is said, once."""
        states = [state.name for state in search.states]
        if self.broken or self._written.get(search.key, []) == states:
            return
        try:
            self._write(search.key, search.told[: len(states)])
            self._written[search.key] = states
        except Exception as error:  # whatever the database raises: a view, not the truth
            self.broken = True
            say(without_login(f"Optuna's storage {self.url!r} takes no more: {error}", self.url))

    def _write(self, name: str, trials: list[FrozenTrial]) -> None:
        study = self._study(name)
        there = self._written.get(name, [])
        if there != [trial.state.name for trial in trials[: len(there)]]:
            # a failure of an earlier run has been made good since
            optuna.delete_study(study_name=name, storage=self.storage)
            study, there = self._study(name), []
        if not there:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names(METRICS)
        for trial in trials[len(there) :]:
            study.add_trial(trial)

    def _study(self, name: str) -> optuna.Study:
        study = optuna.create_study(
            study_name=name, storage=self.storage, directions=DIRECTIONS, load_if_exists=True
        )
        if study.directions != DIRECTIONS:
            raise SparsebenchError(f"another study there is called {name!r}")
        return study
