"""The connection to MLflow: the place of its database, its experiments, and the runs they have.

MLflow takes seconds to import and reads its settings then, so it is imported where it is first needed.
"""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ...errors import SparsebenchError
from ...reasons import WHOLE, message, shortened
from ...records.log import place_of
from ..system.sqlite_file import set_damaged_aside
from ..system.urls import sqlite_url, without_login
from .chart_view import Range, save_fronts_view, save_trials_view, views_note
from .trial_values import experiment_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, LoggedModel, Run

DATABASE = "mlflow.db"
TABLE = "alembic_version"  # has a row when MLflow has made all tables
PART = ".mlflow-"  # prefix of the temporary folder in which a database is created
ARTIFACTS = "mlartifacts"
CAMPAIGN = "bench.campaign"  # tag: the id of the campaign that wrote it
PLACE, SERVER = "bench.artifacts", "server"  # tag of an experiment whose artifacts lie where the server says
# Where MLflow's tables hold the place of artifacts; it has no other way to tell it that they were moved.
PLACES = {"experiments": "artifact_location", "runs": "artifact_uri", "logged_models": "artifact_location"}
NOTE = "mlflow.note.content"  # Markdown that MLflow shows above an experiment's runs, or on a run's page
KIND = "mlflow.experimentKind"  # selects the pages for training models, not those for language models
_SETTINGS = {
    # The default is to wait minutes for a server that does not answer.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # MLflow's own output would break the campaign's progress bars.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # A connection that stays open would write to a database that was deleted or replaced meanwhile.
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
}


def default_uri(folder: Path) -> str:
    """Returns the MLflow address of an output folder's SQLite database.

    Args:
        folder: The output folder; a relative one is taken from the working directory.

    Returns:
        A SQLAlchemy address. The database need not exist.

    Raises:
        SparsebenchError: The path has characters that such addresses cannot hold (see `sqlite_url`).

    Example:
        >>> default_uri(Path("/data/run"))
        'sqlite:////data/run/mlflow.db'
    """
    return sqlite_url(Path(folder) / DATABASE)


def mend_database(uri: str, folder: Path, say: Callable[[str], None] = lambda _: None) -> bool:
    """Sets aside the database of an output folder where it is damaged; the next `Tracker` makes a new one.

    Args:
        uri: Address of the server or database; another one than the folder's own is left alone.
        folder: The output folder.
        say: Called with one sentence where the database was damaged.

    Returns:
        Whether it was.

    Raises:
        SparsebenchError: It cannot be renamed.

    Example:
        >>> _ = Path("mlflow.db").write_text("no database, whatever its name is")
        >>> mend_database(default_uri(Path()), Path(), print)
        'mlflow.db' is damaged (file is not a database): it is now 'mlflow.damaged', and is written again ...
        True
    """
    if uri != default_uri(folder):
        return False
    try:
        said = set_damaged_aside(folder / DATABASE, TABLE)
    except OSError as error:
        raise SparsebenchError(
            f"{str(folder / DATABASE)!r} is damaged, and cannot be renamed: {error.strerror}"
        ) from error
    if said:
        say(said)
    return said is not None


class Tracker:
    """Client of one MLflow server or database, with its experiments. Any call may raise MLflow's exceptions.

    Args:
        uri: Address of the server or database. A server is contacted by the first call, not here.
        folder: Output folder. Its own database, `default_uri(folder)`, is created where it is missing.
            Artifacts go to its subfolder `mlartifacts`, unless `uri` is a server, which has a place for them.
        campaign: Id of the campaign, with which everything is tagged. What has another id or none is never
            changed, ended or deleted.

    Example:
        >>> from unittest.mock import Mock
        >>> tracker = Tracker("http://localhost:5000", Path(), "c0ffee")
        >>> tags = {"bench.campaign": "another", "bench.artifacts": "server"}  # campaigns share an experiment
        >>> found = Mock(experiment_id="1", tags=tags, lifecycle_stage="active")
        >>> tracker.client = Mock(**{"get_experiment_by_name.return_value": found})
        >>> tracker.experiment("quickstart", "digits-lenet_300_100")
        '1'
    """

    def __init__(self, uri: str, folder: Path, campaign: str) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # no warning for each retry
        from mlflow import MlflowClient  # seconds; MLflow reads the settings above when imported

        self.uri, self.folder, self.campaign = uri, Path(folder).absolute(), campaign
        # A server decides for itself where artifacts go; a bare database would take the working directory.
        self.remote = uri.startswith(("http://", "https://", "databricks"))
        self._own = uri == default_uri(folder)
        mend_database(uri, folder)
        if self._own and not (self.folder / DATABASE).exists():
            self._make_database(MlflowClient)
        self._place = place_of(self.folder / DATABASE)
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._experiments: dict[str, str] = {}
        self._owned: set[str] = set()  # of the experiments, those whose views are this campaign's

    @property
    def lost(self) -> bool:
        """Whether the folder's own database was deleted or replaced since the tracker opened it."""
        return self._own and place_of(self.folder / DATABASE) != self._place

    def _make_database(self, client: "type[MlflowClient]") -> None:
        """Creates the database in a temporary folder and moves it into place: MLflow could never open a file
        left by a process that was killed meanwhile."""
        for left in self.folder.glob(f"{PART}*"):
            rmtree(left, ignore_errors=True)
        with TemporaryDirectory(prefix=PART, dir=self.folder) as place:
            made = Path(place) / DATABASE
            client(tracking_uri=sqlite_url(made)).search_experiments(max_results=1)
            made.replace(self.folder / DATABASE)

    def experiment(self, suite: str, task: str) -> str:
        """Returns the id of the task's experiment; creates it, with its chart view, where it is missing."""
        name = experiment_name(suite, task)
        if name not in self._experiments:
            self._experiments[name] = self._find_or_make(name)
        return self._experiments[name]

    def show_fronts(self, experiment: str, axes: Sequence[str], accuracies: Range | None) -> None:
        """Writes the view of the fronts of an experiment, for its results; that of another campaign stays."""
        if experiment in self._owned:
            save_fronts_view(self.client, experiment, axes, accuracies)

    def _find_or_make(self, name: str) -> str:
        """Returns the id of an experiment to which the campaign's runs may be added.

        Campaigns share an experiment on a server, where its artifacts are the server's. Where the name is
        taken by other code, by another's deleted experiment, or by one whose artifacts go to another folder,
        the campaign's id is added to it.
        """
        short = self.campaign[:8]
        for one in (name, f"{name} ({short})", *(f"{name} ({short} {number})" for number in range(2, 100))):
            known = self.client.get_experiment_by_name(one) or self._create(one)
            known = self._moved_along(known)
            if self._is_usable(known):
                break
        else:
            raise SparsebenchError(f"every name for the experiment {name!r} is taken")
        if known.tags.get(CAMPAIGN) == self.campaign:
            if known.lifecycle_stage != "active":
                self.client.restore_experiment(known.experiment_id)
            self._owned.add(str(known.experiment_id))
            save_trials_view(self.client, known.experiment_id)
            if NOTE not in known.tags:
                self.client.set_experiment_tag(known.experiment_id, NOTE, views_note(known.experiment_id))
        return str(known.experiment_id)

    def _create(self, name: str) -> "Experiment":
        """Creates an experiment with its tags; returns it, or the one that another has created meanwhile."""
        from mlflow.exceptions import MlflowException

        tags = {CAMPAIGN: self.campaign, KIND: "custom_model_development"}
        tags |= {PLACE: SERVER} if self.remote else {}
        try:
            self.client.create_experiment(name, None if self.remote else self._artifacts, tags)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = self.client.get_experiment_by_name(name)
        assert made is not None
        return made

    def _moved_along(self, known: "Experiment") -> "Experiment":
        """Returns the experiment; if the campaign's folder was moved, with the new place of its artifacts."""
        own = known.tags.get(CAMPAIGN) == self.campaign and known.tags.get(PLACE) != SERVER
        if self.remote or not own or known.artifact_location == self._artifacts:
            return known
        from sqlalchemy import NullPool, create_engine, text

        with create_engine(self.uri, poolclass=NullPool).begin() as database:
            for table, column in PLACES.items():
                moved = f"{column} = REPLACE({column}, :before, :now)"
                values = {
                    "before": known.artifact_location,
                    "now": self._artifacts,
                    "id": int(known.experiment_id),
                }
                database.execute(text(f"UPDATE {table} SET {moved} WHERE experiment_id = :id"), values)
        return self.client.get_experiment(known.experiment_id)

    @property
    def _artifacts(self) -> str:
        return (self.folder / ARTIFACTS).as_uri()

    def _is_usable(self, known: "Experiment") -> bool:
        """Whether runs may be added to an experiment, and their artifacts go to no other folder."""
        own = known.tags.get(CAMPAIGN) == self.campaign
        if self.remote and known.tags.get(PLACE) == SERVER:
            return own or known.lifecycle_stage == "active"
        return own and known.artifact_location == self._artifacts

    def runs(self, experiment: str, kind: str) -> "list[Run]":
        """Returns the campaign's runs of a kind ("trial" or "study") in an experiment."""
        found, token = [], None
        wanted = f"tags.`bench.kind` = '{kind}' AND tags.`{CAMPAIGN}` = '{self.campaign}'"
        while True:
            page = self.client.search_runs([experiment], wanted, page_token=token)
            found += list(page)
            token = page.token
            if not token:
                return found

    def models(self, experiment: str) -> "list[LoggedModel]":
        """Returns the campaign's logged models of an experiment."""
        found, token = [], None
        wanted = f"tags.`{CAMPAIGN}` = '{self.campaign}'"
        while True:
            page = self.client.search_logged_models([experiment], wanted, page_token=token)
            found += list(page)
            token = page.token
            if not token:
                return found

    def present(self, experiment: str) -> "dict[str, Run]":
        """Returns the campaign's completely written runs by record id; deletes its incomplete ones (RUNNING)
        and copies."""
        kept: dict[str, Run] = {}
        for run in self.runs(experiment, "trial"):
            identity = run.data.tags.get("bench.id", "")
            if run.info.status == "RUNNING" or identity in kept:
                self.client.delete_run(run.info.run_id)
            else:
                kept[identity] = run
        return kept


def mlflow_message(uri: str, error: BaseException) -> str:
    """Returns one sentence on a failure, without the name and password that an address may contain.

    Args:
        uri: Address of the server or database.
        error: The exception, of MLflow, the database or the network.

    Returns:
        The sentence, with the exception's message (at most 200 characters).

    Example:
        >>> mlflow_message("http://me:secret@host:5000", ConnectionError("refused by me:secret@host"))
        'MLflow at http://host:5000 could not be written to (refused by …@host); records.jsonl has everything'
    """
    shown, why = (without_login(text, uri) for text in (uri, message(error, WHOLE)))
    return f"MLflow at {shown} could not be written to ({shortened(why, 200)}); records.jsonl has everything"
