"""Records to MLflow: while a campaign runs, after it what is missing, and a summary run for each entry.

The records are the truth and MLflow a view of them. A tracking server that is down, slow or dying costs a
campaign one message and nothing else; `publish_missing` makes up for it later. Only the driver comes here.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...records.record import Record
from ...records.store import latest
from .client import Tracker, default_uri, mlflow_message
from .logged_models import write_models
from .study_runs import StudySummary, write_study
from .trial_runs import colour_of, dataset_of, dense_accuracy, write_trial

if TYPE_CHECKING:
    from mlflow.entities import Run

__all__ = ["Publisher", "StudySummary", "default_uri", "publish_missing", "publish_studies"]

PAUSE = 30.0  # seconds without a further try after a failed one
BACKLOG = 200  # records that wait for a slow MLflow; what comes beyond them is left to `publish_missing`

Notify = Callable[[str], None]


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
        on_problem: Notify | None = None,
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
        if self._queue.qsize() < BACKLOG:
            self._queue.put((record, time.time()))

    def close(self, timeout: float = 30.0) -> int:
        """Wait for what is queued, at most `timeout` seconds. Returns how many records are not in MLflow."""
        self._queue.put(None)
        self._thread.join(timeout)
        self._hurry.set()
        return self.unpublished

    @property
    def unpublished(self) -> int:
        """How many of the records handed over are not (or not yet) in MLflow."""
        return self._put - self._done

    def _work(self) -> None:
        self._try(self._prepare)
        while (item := self._queue.get()) is not None and not self._hurry.is_set():
            record, end = item
            if time.monotonic() >= self._retry:
                self._try(partial(self._publish, record, end))

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (
            Exception
        ) as error:  # whatever MLflow, the database or the network raise: a view, not the truth
            self._retry = time.monotonic() + self._pause
            if self._hurry.is_set():  # closed: what it works on may be cleared away by now
                return
            if not self._reported and self._on_problem is not None:
                self._reported = True
                self._on_problem(mlflow_message(self.uri, error))

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
    on_problem: Notify | None = None,
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
            if experiment not in present:
                present[experiment] = tracker.present(experiment)
            old = present[experiment].get(record.id)
            if old is None or old.data.tags.get("bench.status") != record.status:
                colour = colour_of(colours, record.entry)
                write_trial(tracker.client, experiment, record, colour, dense.get(record.task))
                count += 1
                if old is not None:
                    tracker.client.delete_run(old.info.run_id)
    except Exception as error:  # as in Publisher: a view, not the truth
        if on_problem is not None:
            on_problem(mlflow_message(uri, error))
    return count


def publish_studies(
    summaries: Iterable[StudySummary],
    uri: str,
    folder: Path,
    colours: Mapping[str, str],
    *,
    records: Iterable[Record] = (),
    models: Mapping[str, Path] | None = None,
    on_problem: Notify | None = None,
) -> int:
    """One run for each entry on each task, which replaces the one published before; returns how many.

    `models` are the files of the fronts' models by the trials of `records`; they are published first. Call it
    when the trials are published: the points of a front are linked to the runs and models that are there.
    Never raises for MLflow's sake, like `publish_missing`.
    """
    count, own = 0, list(records)
    try:
        tracker = Tracker(uri, folder)
        runs: dict[str, dict[str, Run]] = {}
        made: dict[str, dict[str, str]] = {}
        for summary in summaries:
            experiment = tracker.experiment(summary.suite, summary.task)
            here = [record for record in own if record.task == summary.task]
            if experiment not in runs:
                runs[experiment] = tracker.present(experiment)
                made[experiment] = write_models(tracker, experiment, here, models or {}, runs[experiment])
            data = dataset_of(here[0]) if here else None
            colour = colour_of(colours, summary.entry)
            write_study(tracker, experiment, summary, runs[experiment], made[experiment], data, colour)
            count += 1
    except Exception as error:  # as in Publisher: a view, not the truth
        if on_problem is not None:
            on_problem(mlflow_message(uri, error))
    return count
