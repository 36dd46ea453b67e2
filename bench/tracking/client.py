"""The connection to MLflow: where its database lies, its experiments, and the runs that are there.

MLflow takes seconds to import and reads its settings then, so it is imported where it is first needed.
"""

import logging
import os
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..system.urls import sqlite_url, without_login
from .chart_view import save_view
from .trial_runs import experiment_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

DATABASE = "mlflow.db"
PART = ".mlflow-"  # begins the name of a folder in which a database is made
ARTIFACTS = "mlartifacts"
KIND = "mlflow.experimentKind"  # its pages are those for training models, not those for language models
_SETTINGS = {
    # The default is minutes of waiting for a server that is not there.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # What MLflow would print runs through the campaign's progress bars.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


def default_uri(folder: Path) -> str:
    """The SQLite database of an output folder as an MLflow address. Errors: as `addresses.sqlite`."""
    return sqlite_url(Path(folder) / DATABASE)


class Tracker:
    """One MLflow server or database, and its experiments. Everything here may raise what MLflow raises."""

    def __init__(self, uri: str, folder: Path) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a line for each retry
        from mlflow import MlflowClient  # seconds; MLflow reads the settings above when imported

        self.uri, self.folder = uri, Path(folder).absolute()
        if uri == default_uri(folder) and not (self.folder / DATABASE).exists():
            self._make_database(MlflowClient)
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._experiments: dict[str, str] = {}

    def _make_database(self, client: "type[MlflowClient]") -> None:
        """Beside its place: a process killed meanwhile would leave one that MLflow never opens again."""
        for left in self.folder.glob(f"{PART}*"):
            rmtree(left, ignore_errors=True)
        with TemporaryDirectory(prefix=PART, dir=self.folder) as place:
            made = Path(place) / DATABASE
            client(tracking_uri=sqlite_url(made)).search_experiments(max_results=1)
            made.replace(self.folder / DATABASE)

    def experiment(self, suite: str, task: str) -> str:
        """The id of the task's experiment, which is made (with its chart view) if it is not there."""
        name = experiment_name(suite, task)
        if name not in self._experiments:
            self._experiments[name] = self._find_or_make(name)
        return self._experiments[name]

    def _find_or_make(self, name: str) -> str:
        known = self.client.get_experiment_by_name(name)
        if known is not None and known.lifecycle_stage != "active":
            self.client.restore_experiment(known.experiment_id)
        # A server decides for itself where artifacts go; a bare database would take the working directory.
        remote = self.uri.startswith(("http://", "https://", "databricks"))
        place = None if remote else (self.folder / ARTIFACTS).as_uri()
        identity = known.experiment_id if known is not None else self.client.create_experiment(name, place)
        save_view(self.client, identity)
        self.client.set_experiment_tag(identity, KIND, "custom_model_development")
        return str(identity)

    def runs(self, experiment: str, kind: str) -> "list[Run]":
        """All runs of a kind (trial, study) in an experiment."""
        found, token = [], None
        while True:
            page = self.client.search_runs([experiment], f"tags.`bench.kind` = '{kind}'", page_token=token)
            found += list(page)
            token = page.token
            if not token:
                return found

    def models(self, experiment: str) -> "list[LoggedModel]":
        """All logged models of an experiment."""
        found, token = [], None
        while True:
            page = self.client.search_logged_models([experiment], page_token=token)
            found += list(page)
            token = page.token
            if not token:
                return found

    def present(self, experiment: str) -> "dict[str, Run]":
        """The finished trials by record id. Half-written runs and second copies are deleted."""
        kept: dict[str, Run] = {}
        for run in self.runs(experiment, "trial"):
            identity = run.data.tags.get("bench.id", "")
            if run.info.status == "RUNNING" or identity in kept:
                self.client.delete_run(run.info.run_id)
            else:
                kept[identity] = run
        return kept


def mlflow_message(uri: str, error: BaseException) -> str:
    """One sentence on a failure, without the name and password that an address may carry."""
    reason = (str(error).strip() or repr(error)).splitlines()[0]
    shown, reason = (without_login(text, uri) for text in (uri, reason))
    return f"MLflow at {shown} could not be written to ({reason[:200]}); records.jsonl has everything"
