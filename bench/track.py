"""Records to MLflow: while a campaign runs, after it what is missing, and a summary run for each entry.

The records are the truth and MLflow a view of them. A tracking server that is down, slow or dying costs a
campaign one message and nothing else; `publish_missing` makes up for it later. Only the driver comes here.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..errors import SparsebenchError
from .mlflow_runs import colour_of, dense_accuracy, experiment_name, markdown, table, write_trial
from .mlflow_views import save_view
from .records import Record, latest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
PAUSE = 30.0  # seconds without a further try after a failed one
_SETTINGS = {
    # The default is minutes of waiting for a server that is not there.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # What MLflow would print runs through the campaign's progress bars.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}

Report = Callable[[str], None]


def default_uri(folder: Path) -> str:
    """The SQLite database of an output folder as an MLflow address.

    Errors: a path that SQLAlchemy's addresses cannot hold (2.0 knows no way to write a `?`).
    """
    path = (Path(folder).absolute() / DATABASE).as_posix()
    if not set(path) & set("?%"):
        return f"sqlite:///{path}"
    from sqlalchemy.engine import make_url

    for written in (path, quote(path)):  # 2.0 takes a path as it stands, 2.1 decodes it
        if make_url(f"sqlite:///{written}").database == path:
            return f"sqlite:///{written}"
    raise SparsebenchError(
        f"MLflow cannot keep a database at {path!r}: choose an output folder without '?' and '%' in its path"
    )


@dataclass
class StudySummary:
    """What is known of one entry on one task when the campaign is over.

    `metrics` by name (hypervolume, top1_at_2x, compression_within_1pt, …), written as `summary/<name>`.
    `front`: one row a point; a row with the key `id` (of a record) or `config` is linked to its trials' runs.
    `figures`: image files to show with it.
    """

    suite: str
    task: str
    entry: str
    metrics: Mapping[str, float]
    front: Sequence[Mapping[str, Any]] = ()
    figures: Sequence[Path] = field(default_factory=tuple)


class Tracker:
    """One MLflow server or database, and its experiments. Everything here may raise what MLflow raises."""

    def __init__(self, uri: str, folder: Path) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient  # seconds; MLflow reads the settings above when imported

        self.uri, self.folder = uri, Path(folder).absolute()
        self.client: MlflowClient = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._experiments: dict[str, str] = {}

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


class Publisher:
    """Publishes records from a thread of its own, so that the campaign never waits for MLflow.

    `dense` maps a task to its dense validation accuracy and may be filled in while the campaign runs.
    After a problem, which is reported once through `on_problem`, nothing is tried for half a minute and what
    comes meanwhile is left to `publish_missing`.
    """

    def __init__(
        self,
        uri: str,
        folder: Path,
        colours: Mapping[str, str],
        *,
        tasks: Iterable[tuple[str, str]] = (),
        dense: Mapping[str, float] | None = None,
        on_problem: Report | None = None,
        pause: float = PAUSE,
    ) -> None:
        self.uri, self.folder, self.colours = uri, Path(folder), colours
        self._tasks, self._dense = list(tasks), dense if dense is not None else {}
        self._on_problem, self._pause = on_problem, pause
        self._queue: queue.SimpleQueue[tuple[Record, float] | None] = queue.SimpleQueue()
        self._tracker: Tracker | None = None
        self._put = self._done = 0
        self._reported, self._retry, self._hurry = False, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def put(self, record: Record) -> None:
        """Hand over a finished trial; returns at once."""
        self._put += 1
        self._queue.put((record, time.time()))

    def close(self, timeout: float = 30.0) -> int:
        """Wait for what is queued, at most `timeout` seconds. Returns how many records are not in MLflow."""
        self._queue.put(None)
        self._thread.join(timeout)
        self._hurry.set()
        return self._put - self._done

    def _work(self) -> None:
        self._try(self._prepare)
        while (item := self._queue.get()) is not None and not self._hurry.is_set():
            record, end = item
            if time.monotonic() >= self._retry:
                self._try(lambda record=record, end=end: self._publish(record, end))

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # whatever MLflow, the database or the network raise: a view, not the truth
            self._retry = time.monotonic() + self._pause
            if not self._reported and self._on_problem is not None:
                self._reported = True
                self._on_problem(_problem(self.uri, error))

    def _prepare(self) -> None:
        """Make the database and the experiments before the first trial ends."""
        self._tracker = Tracker(self.uri, self.folder)
        for suite, task in self._tasks:
            self._tracker.experiment(suite, task)

    def _publish(self, record: Record, end: float) -> None:
        if self._tracker is None:
            self._prepare()
        assert self._tracker is not None
        experiment = self._tracker.experiment(record.suite, record.task)
        colour, dense = colour_of(self.colours, record.entry), self._dense.get(record.task)
        write_trial(self._tracker.client, experiment, record, colour, dense, end)
        self._done += 1


def publish_missing(
    records: Iterable[Record],
    uri: str,
    folder: Path,
    colours: Mapping[str, str],
    *,
    dense: Mapping[str, float] | None = None,
    on_problem: Report | None = None,
    timeout: float = 300.0,
) -> int:
    """Publish the records that MLflow does not have yet; returns how many were published now.

    A record counts as there when a finished run carries its id and its status. Half-written runs, copies and
    the failure of a trial that has succeeded since are replaced. Never raises for MLflow's sake: a problem,
    or running out of time, is told to `on_problem` and what was done until then stays.
    """
    wanted = latest(records)
    dense = dense_accuracy(wanted) if dense is None else dense
    deadline, count = time.monotonic() + timeout, 0
    try:
        tracker = Tracker(uri, folder)
        present: dict[str, dict[str, Run]] = {}
        for record in wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {timeout:.0f} s")
            experiment = tracker.experiment(record.suite, record.task)
            known = present.setdefault(experiment, {}) or present[experiment]
            if not known:
                known.update(tracker.present(experiment))
            old = known.get(record.id)
            if old is not None and old.data.tags.get("bench.status") == record.status:
                continue
            colour = colour_of(colours, record.entry)
            write_trial(tracker.client, experiment, record, colour, dense.get(record.task))
            count += 1
            if old is not None:
                tracker.client.delete_run(old.info.run_id)
    except Exception as error:
        if on_problem is not None:
            on_problem(_problem(uri, error))
    return count
