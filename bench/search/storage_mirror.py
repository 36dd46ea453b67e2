"""A copy of the studies in Optuna's own storage, for optuna-dashboard and scripts that use Optuna."""

import json
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import copy
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ...errors import SparsebenchError
from ...reasons import reason
from ...records.log import Place, place_of
from ..system.reachability import Unreachable, check_database
from ..system.sqlite_file import set_damaged_aside
from ..system.urls import sqlite_url, without_login
from .optuna_search import DIRECTIONS, Search

FILE = "optuna.db"
SECONDS = 30.0  # until a database counts as not there
Notify = Callable[[str], None]
METRICS = ["validation accuracy", "log10 compression"]
MARK = "sparsebench.campaign"  # user attribute of the studies and trials that a campaign has written
OPENINGS = 5  # attempts to open a storage
PAUSE = 0.3  # seconds between them
BUSY_SECONDS = 60.0  # for which a SQLite file that another campaign writes to is waited for

# The trials of every study of a campaign in one query: Optuna would need hundreds, and cache all.
OWN_TRIALS = """
SELECT studies.study_name, trials.state, own.trial_id
FROM studies
JOIN study_user_attributes AS mark ON mark.study_id = studies.study_id
LEFT JOIN trials ON trials.study_id = studies.study_id
LEFT JOIN trial_user_attributes AS own
    ON own.trial_id = trials.trial_id AND own.key = :mark AND own.value_json = :campaign
WHERE mark.key = :mark AND mark.value_json = :campaign
ORDER BY trials.number
"""
METRIC_NAMES = "study:metric_names"  # system attribute that Optuna sets
FOREIGN = "FOREIGN"  # in place of the state of a trial that somebody else has added


class StudyMirror:
    """Write-only copy of the searches in an Optuna storage. The search itself never reads it.

    Only finished trials are written, so a killed driver leaves no trial in state RUNNING. After the first
    failure to write, nothing more is tried: `broken` is True.

    A study and its trials have the campaign's id as a user attribute, `sparsebench.campaign`. What has not is
    never changed: where the name of a search is taken by such a study, the id is added to the name.

    Args:
        url: SQLAlchemy address of the storage. Raises `SparsebenchError` where it cannot be opened; the
            message has no name or password.
        campaign: Id of the campaign.

    Example:
        >>> search = Search("l1 on digits", {}, [1, 100], trials=2, generation=2, seed=0)
        >>> for number in search.ask():
        ...     search.tell(number, {1: 0.96, 100: 0.95})
        >>> mirror = StudyMirror("sqlite://", "c0ffee")  # in memory; `StudyMirror.of` has one in a folder
        >>> mirror.reflect(search, say=print)
        >>> [t.values for t in optuna.load_study(study_name=search.key, storage=mirror.storage).trials]
        [[0.96, 0.0], [0.95, 2.0]]
    """

    def __init__(self, url: str, campaign: str) -> None:
        self.url, self.campaign, self.broken = url, campaign, False
        self.file: Path | None = None  # the output folder's own database
        self._place: Place | None = None
        try:
            check_database(url, SECONDS)  # as `doctor` does
            self._open(attempts=OPENINGS)
        except Exception as error:
            cause = str(error) if isinstance(error, Unreachable) else reason(error)
            said = without_login(f"{url!r}: {cause}", url)
            raise SparsebenchError(f"Optuna cannot open the storage {said}") from error

    @classmethod
    def of(
        cls, folder: Path, campaign: str, url: str | None = None, say: Notify = lambda _: None
    ) -> "StudyMirror":
        """Opens the storage of a campaign: that at `url`, or `optuna.db` in the output folder. A damaged file
        there is renamed to `optuna.damaged` and replaced by an empty one, to which the searches are written
        again; `say` is told."""
        if url is not None:
            return cls(url, campaign)
        file = folder / FILE
        if said := set_damaged_aside(file):
            say(said)
        mirror = cls(sqlite_url(file), campaign)
        mirror.file, mirror._place = file, place_of(file)
        return mirror

    def _open(self, attempts: int) -> None:
        """Opens the storage; tries again where another campaign makes its tables at this moment."""
        options: dict[str, object] = {}
        if self.url.startswith(("postgresql", "mysql")):
            options = {"pool_pre_ping": True}
        elif self.url.startswith("sqlite"):
            options = {"connect_args": {"timeout": BUSY_SECONDS}}
        try:
            self.storage = optuna.storages.RDBStorage(self.url, engine_kwargs=options)
        except Exception as error:
            made = isinstance(error, IntegrityError) or "already exists" in str(error)
            if not made or attempts == 1:
                raise
            time.sleep(PAUSE)
            self._open(attempts - 1)
            return
        self._written = self._states()

    def _states(self) -> dict[str, list[str]]:
        """Returns the states of the trials in every study of the campaign, by the study's name."""
        found: dict[str, list[str]] = defaultdict(list)
        asked = {"mark": MARK, "campaign": json.dumps(self.campaign)}
        with self.storage.engine.connect() as connection:
            for name, state, own in connection.execute(text(OWN_TRIALS), asked):
                found[name] += [state if own else FOREIGN] if state else []
        return dict(found)

    def complete(self, searches: Iterable[Search], say: Notify) -> None:
        """Writes what the storage lacks of all searches at the end of a campaign: everything where the output
        folder's own database was damaged, deleted or replaced meanwhile, of which `say` is told."""
        self._follow(say, check=True)
        for search in searches:
            self.reflect(search, say)

    def _follow(self, say: Notify, *, check: bool = False) -> None:
        """Opens the folder's own database anew where it is not the file any more that was opened, or where it
        is checked and damaged."""
        if self.file is None or not self.file.parent.is_dir():
            return
        moved = place_of(self.file) != self._place
        try:
            damaged = set_damaged_aside(self.file) if moved or check else None
            if moved or damaged:
                self.storage.engine.dispose()
                self._open(attempts=OPENINGS)
                self.broken, self._place = False, place_of(self.file)
        except Exception as error:  # as in `reflect`
            self.broken = True
            say(f"cannot write to Optuna's storage {self.url!r}: {reason(error)}")
            return
        if moved:
            say(f"{str(self.file)!r} was deleted or replaced while the campaign ran: it is written again")
        elif damaged:
            say(damaged)

    def reflect(self, search: Search, say: Notify) -> None:
        """Appends the search's new finished trials to the stored study. The first problem is reported through
        `say`; nothing is written afterwards."""
        self._follow(say)
        states = [state.name for state in search.states]
        if self.broken or any(self._written.get(name) == states for name in self._names(search.key)):
            return
        try:
            self._write(search.key, search.told[: len(states)])
        except Exception as error:  # of any database driver: the copy must not stop a campaign
            self.broken = True
            say(without_login(f"cannot write to Optuna's storage {self.url!r}: {reason(error)}", self.url))

    def _names(self, key: str) -> list[str]:
        """Returns the names that the study of a search may have: those of the campaign's studies first, then
        its own name, then others for where that is taken."""
        short = self.campaign[:8]
        names = [key, f"{key} ({short})", *(f"{key} ({short} {number})" for number in range(2, 100))]
        return sorted(names, key=lambda name: name not in self._written)

    def _write(self, key: str, trials: list[FrozenTrial]) -> None:
        """Appends the trials that the stored study lacks; writes it anew where the stored ones differ."""
        study = self._study(key, [trial.state.name for trial in trials])
        written = self._written[study.study_name]
        for trial in trials[len(written) :]:
            marked = copy(trial)  # the search goes on with its own
            marked.user_attrs = {**trial.user_attrs, MARK: self.campaign}
            study.add_trial(marked)
            written.append(trial.state.name)

    def _study(self, key: str, states: list[str]) -> optuna.Study:
        """Returns the study of the campaign to which trials of these states can be appended."""
        for name in self._names(key):
            there = self._written.get(name)
            if there is not None and there == states[: len(there)]:
                return optuna.load_study(study_name=name, storage=self.storage)
            if there is not None:
                if FOREIGN in there or self._has_notes(name):
                    continue
                # a trial that failed in an earlier run has succeeded since
                optuna.delete_study(study_name=name, storage=self.storage)
                del self._written[name]
            if (study := self._create(name)) is not None:
                return study
        raise SparsebenchError(f"every name for the study {key!r} is taken")

    def _has_notes(self, name: str) -> bool:
        """Whether somebody has added attributes to a study of the campaign, such as the dashboard's notes."""
        study = optuna.load_study(study_name=name, storage=self.storage)
        found = {*study.user_attrs, *self.storage.get_study_system_attrs(study._study_id)}
        return not found <= {MARK, METRIC_NAMES}

    def _create(self, name: str) -> optuna.Study | None:
        """Creates and marks a study; returns None where the name is taken, perhaps since this moment. A study
        that has no mark, because its driver was killed in between, is nobody's and stays."""
        try:
            study = optuna.create_study(study_name=name, storage=self.storage, directions=DIRECTIONS)
        except optuna.exceptions.DuplicatedStudyError:
            return None
        study.set_user_attr(MARK, self.campaign)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(METRICS)
        self._written[name] = []
        return study
