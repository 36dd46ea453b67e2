"""A copy of the studies in Optuna's own storage, for optuna-dashboard and scripts that use Optuna."""

import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial
from sqlalchemy import text

from ...errors import SparsebenchError
from ...reasons import reason
from ..system.reachability import Unreachable, check_database
from ..system.urls import sqlite_url, without_login
from .optuna_search import DIRECTIONS, Search

FILE = "optuna.db"
SECONDS = 30.0  # until a database counts as not there
DAMAGED = ("is malformed", "is not a database")  # in SQLite's messages about a damaged file
METRICS = ["validation accuracy", "log10 compression"]


class StudyMirror:
    """Write-only copy of the searches in an Optuna storage. The search itself never reads it.

    Only finished trials are written, so a killed driver leaves no trial in state RUNNING. After the first
    failure to write, nothing more is tried: `broken` is True.

    Args:
        url: SQLAlchemy address of the storage. Raises `SparsebenchError` where it cannot be opened; the
            message has no name or password.

    Example:
        >>> search = Search("dense on digits", {}, trials=2, generation=2, seed=0)
        >>> for number in search.ask():
        ...     search.tell(number, (0.95 + number / 100, 0.0))
        >>> mirror = StudyMirror("sqlite://")  # in memory; a campaign has one in its folder, `StudyMirror.of`
        >>> mirror.reflect(search, say=print)
        >>> [t.values for t in optuna.load_study(study_name=search.key, storage=mirror.storage).trials]
        [[0.95, 0.0], [0.96, 0.0]]
    """

    def __init__(self, url: str) -> None:
        self.url, self.broken = url, False
        try:
            check_database(url, SECONDS)  # as `doctor` does
            self._open()
        except Exception as error:
            cause = str(error) if isinstance(error, Unreachable) else reason(error)
            said = without_login(f"{url!r}: {cause}", url)
            raise SparsebenchError(f"Optuna cannot open the storage {said}") from error

    @classmethod
    def of(cls, folder: Path) -> "StudyMirror":
        """Opens `optuna.db` in the output folder. A damaged one is renamed to `optuna.damaged` and replaced
        by an empty one: the searches are written to it again."""
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
        """Returns the trial states of every study in one query: Optuna would need hundreds, and cache all."""
        question = "SELECT study_name, state FROM studies JOIN trials USING (study_id) ORDER BY number"
        found: dict[str, list[str]] = defaultdict(list)
        with self.storage.engine.connect() as connection:
            for name, state in connection.execute(text(question)):
                found[name].append(state)
        return dict(found)

    def reflect(self, search: Search, say: Callable[[str], None]) -> None:
        """Appends the search's new finished trials to the stored study. The first problem is reported through
        `say`; nothing is written afterwards."""
        states = [state.name for state in search.states]
        if self.broken or self._written.get(search.key, []) == states:
            return
        try:
            self._write(search.key, search.told[: len(states)])
            self._written[search.key] = states
        except Exception as error:  # of any database driver: the copy must not stop a campaign
            self.broken = True
            say(without_login(f"cannot write to Optuna's storage {self.url!r}: {reason(error)}", self.url))

    def _write(self, name: str, trials: list[FrozenTrial]) -> None:
        """Appends the trials that the stored study lacks; writes it anew where the stored ones differ."""
        study = self._study(name)
        there = self._written.get(name, [])
        if there != [trial.state.name for trial in trials[: len(there)]]:
            # a trial that failed in an earlier run has succeeded since
            optuna.delete_study(study_name=name, storage=self.storage)
            study, there = self._study(name), []
        if not there:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names(METRICS)
        for trial in trials[len(there) :]:
            study.add_trial(trial)

    def _study(self, name: str) -> optuna.Study:
        """Returns the stored study of that name, created where it is missing."""
        study = optuna.create_study(
            study_name=name, storage=self.storage, directions=DIRECTIONS, load_if_exists=True
        )
        if study.directions != DIRECTIONS:
            raise SparsebenchError(f"the storage has a study {name!r} of another program")
        return study
