"""The connection to MLflow: the place of its database, its experiments, and the runs they have.

MLflow takes seconds to import and reads its settings then, so it is imported where it is first needed.
"""

import logging
import os
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ...errors import SparsebenchError
from ...reasons import WHOLE, message, shortened
from ..system.urls import sqlite_url, without_login
from .chart_view import save_view
from .trial_values import experiment_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

DATABASE = "mlflow.db"
PART = ".mlflow-"  # prefix of the temporary folder in which a database is created
ARTIFACTS = "mlartifacts"
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


class Tracker:
    """Client of one MLflow server or database, with its experiments. Any call may raise MLflow's exceptions.

    Args:
        uri: Address of the server or database. A server is contacted by the first call, not here.
        folder: Output folder. Its own database, `default_uri(folder)`, is created where it is missing.
            Artifacts go to its subfolder `mlartifacts`, unless `uri` is a server, which has a place for them.

    Example:
        >>> class Client:  # in place of MLflow's
        ...     def get_experiment_by_name(self, name): return None
        ...     def create_experiment(self, name, artifacts): print("create", name); return "1"
        ...     def set_experiment_tag(self, experiment, key, value): print("tag", key)
        >>> tracker = Tracker("http://localhost:5000", Path())
        >>> tracker.client = Client()
        >>> tracker.experiment("quickstart", "digits-lenet_300_100")
        create quickstart: digits-lenet_300_100
        tag mlflow.sharedViewState.sparsebench
        tag mlflow.experimentKind
        '1'
    """

    def __init__(self, uri: str, folder: Path) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # no warning for each retry
        from mlflow import MlflowClient  # seconds; MLflow reads the settings above when imported

        self.uri, self.folder = uri, Path(folder).absolute()
        if uri == default_uri(folder) and not (self.folder / DATABASE).exists():
            self._make_database(MlflowClient)
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._experiments: dict[str, str] = {}

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

    def _find_or_make(self, name: str) -> str:
        """Returns the id of the experiment of that name, restored if deleted, and writes its chart view."""
        known = self.client.get_experiment_by_name(name)
        if known is not None and known.lifecycle_stage != "active":
            self.client.restore_experiment(known.experiment_id)
        # A server decides for itself where artifacts go; a bare database would take the working directory.
        remote = self.uri.startswith(("http://", "https://", "databricks"))
        place = None if remote else (self.folder / ARTIFACTS).as_uri()
        if self.uri == default_uri(self.folder) and known is not None and known.artifact_location != place:
            # of a folder that was moved, or of a stranger's: nothing is written outside the folder
            raise SparsebenchError(
                f"{DATABASE} keeps its files in {known.artifact_location!r}, which is not this folder's "
                f"{ARTIFACTS}: delete {DATABASE}, `sparsebench track` writes a new one"
            )
        identity = known.experiment_id if known is not None else self.client.create_experiment(name, place)
        save_view(self.client, identity)
        self.client.set_experiment_tag(identity, KIND, "custom_model_development")
        return str(identity)

    def runs(self, experiment: str, kind: str) -> "list[Run]":
        """Returns all runs of a kind ("trial" or "study") in an experiment."""
        found, token = [], None
        while True:
            page = self.client.search_runs([experiment], f"tags.`bench.kind` = '{kind}'", page_token=token)
            found += list(page)
            token = page.token
            if not token:
                return found

    def models(self, experiment: str) -> "list[LoggedModel]":
        """Returns all logged models of an experiment."""
        found, token = [], None
        while True:
            page = self.client.search_logged_models([experiment], page_token=token)
            found += list(page)
            token = page.token
            if not token:
                return found

    def present(self, experiment: str) -> "dict[str, Run]":
        """Returns the completely written runs by record id; deletes incomplete ones (RUNNING) and copies."""
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
        'MLflow at http://host:5000 could not be written to (refused by host); records.jsonl has everything'
    """
    shown, why = (without_login(text, uri) for text in (uri, message(error, WHOLE)))
    return f"MLflow at {shown} could not be written to ({shortened(why, 200)}); records.jsonl has everything"
