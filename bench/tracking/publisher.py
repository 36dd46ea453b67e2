"""The publication of records in MLflow: live during a campaign, missing ones afterwards, and study summaries.

The records are authoritative and MLflow shows a copy of them. A tracking server that is down or slow costs a
campaign one message and nothing else; `publish_missing` completes the copy later. Only the driver uses this.
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
from .study_runs import StudySummary, axes_of, write_study
from .trial_runs import dataset_of, write_trial
from .trial_values import colour_of, dense_accuracy

if TYPE_CHECKING:
    from mlflow.entities import Run

__all__ = ["Publisher", "StudySummary", "default_uri", "publish_missing", "publish_studies"]

PAUSE = 30.0  # seconds after a failure before the next attempt
BACKLOG = 200  # queued records at most; further ones are left to `publish_missing`

Notify = Callable[[str], None]


class Publisher:
    """Background publisher of records: a thread writes them to MLflow, so that the campaign never waits.

    After a failure nothing is tried for a while; the records that come meanwhile are left to
    `publish_missing`.

    Args:
        uri: Address of the MLflow server or database.
        folder: Output folder of the campaign, for the database and artifacts.
        campaign: Id of the campaign, with which everything is tagged.
        colours: Colour of each entry, `#rrggbb`.
        tasks: (suite, task) pairs whose experiments are created in advance.
        dense: Dense validation accuracy by task; the mapping may be filled in while the campaign runs.
        on_problem: Called with one sentence at the first failure, and only then.
        pause: Seconds after a failure before the next attempt.

    Example:
        >>> problems = []
        >>> publisher = Publisher("ftp://nowhere", folder, "c0ffee", {}, on_problem=problems.append)
        >>> publisher.put(record)
        >>> publisher.close()  # one record is not in MLflow; nothing was raised
        1
        >>> print(*problems)
        MLflow at ftp://nowhere could not be written to (...); records.jsonl has everything
    """

    def __init__(
        self,
        uri: str,
        folder: Path,
        campaign: str,
        colours: Mapping[str, str],
        *,
        tasks: Iterable[tuple[str, str]] = (),
        dense: Mapping[str, float] | None = None,
        on_problem: Notify | None = None,
        pause: float = PAUSE,
    ) -> None:
        self.uri, self.folder, self.campaign, self.colours = uri, Path(folder), campaign, colours
        self._tasks, self._dense = list(tasks), dense if dense is not None else {}
        self._on_problem, self._pause = on_problem, pause
        self._queue: queue.SimpleQueue[tuple[Record, float] | None] = queue.SimpleQueue()
        self._tracker: Tracker | None = None
        self._lost = False
        self._put = self._done = 0
        self._reported, self._retry, self._hurry = False, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def put(self, record: Record) -> None:
        """Queues the record of a finished trial and returns at once; drops it if the queue is full."""
        self._put += 1
        if self._queue.qsize() < BACKLOG:
            self._queue.put((record, time.time()))

    def close(self, timeout: float = 30.0) -> int:
        """Waits until the queue is published, at most `timeout` seconds, and ends the thread. Returns the
        number of records that are not in MLflow."""
        self._queue.put(None)
        self._thread.join(timeout)
        self._hurry.set()
        return self.unpublished

    @property
    def unpublished(self) -> int:
        """The number of records passed to `put` that are not (or not yet) in MLflow."""
        return self._put - self._done

    @property
    def lost(self) -> bool:
        """Whether the folder's database was deleted or replaced meanwhile, with the records that it had."""
        return self._lost or (self._tracker is not None and self._tracker.lost)

    def _work(self) -> None:
        """Publishes the queue until `close`; the body of the thread."""
        self._try(self._prepare)
        while (item := self._queue.get()) is not None and not self._hurry.is_set():
            record, end = item
            if time.monotonic() >= self._retry:
                self._try(partial(self._publish, record, end))

    def _try(self, step: Callable[[], None]) -> None:
        """Calls a step; an exception starts the pause and is reported, the first one alone."""
        try:
            step()
        except (
            Exception
        ) as error:  # of MLflow, the database or the network: the copy must not stop a campaign
            self._retry = time.monotonic() + self._pause
            if self._hurry.is_set():  # closed: its folder may be deleted by now
                return
            if not self._reported and self._on_problem is not None:
                self._reported = True
                self._on_problem(mlflow_message(self.uri, error))

    def _prepare(self) -> None:
        """Creates the database and the experiments, before the first trial ends."""
        self._tracker = Tracker(self.uri, self.folder, self.campaign)
        for suite, task in self._tasks:
            self._tracker.experiment(suite, task)

    def _publish(self, record: Record, end: float) -> None:
        """Writes one record that ended at that time (seconds since 1970)."""
        self._lost = self.lost
        if self._tracker is None or self._tracker.lost:
            self._prepare()
        assert self._tracker is not None
        experiment = self._tracker.experiment(record.suite, record.task)
        colour, dense = colour_of(self.colours, record.entry), self._dense.get(record.task)
        write_trial(self._tracker, experiment, record, colour, dense, end)
        self._done += 1


def publish_missing(
    records: Iterable[Record],
    uri: str,
    folder: Path,
    campaign: str,
    colours: Mapping[str, str],
    *,
    dense: Mapping[str, float] | None = None,
    on_problem: Notify | None = None,
    timeout: float = 300.0,
) -> int:
    """Publishes the records that MLflow lacks.

    A record counts as present if a finished run of the campaign has its id and its status. The campaign's
    incomplete runs, copies, and the failed run of a trial that has succeeded since are replaced. A failure of
    MLflow, or the time limit, ends the publication without an exception; runs written until then stay.

    Args:
        records: Records of a campaign; of each identity the latest is published.
        uri: Address of the MLflow server or database.
        folder: Output folder of the campaign, for the database and artifacts.
        campaign: Id of the campaign, with which everything is tagged.
        colours: Colour of each entry, `#rrggbb`.
        dense: Dense validation accuracy by task; by default taken from the records.
        on_problem: Called with one sentence if the publication ends early.
        timeout: Time limit in seconds.

    Returns:
        The number of records that were published by this call.

    Raises:
        TimeoutError: Inside only, at the time limit: like every failure of MLflow it is caught and reported
            through `on_problem`.

    Example:
        >>> publish_missing(records, "ftp://nowhere", folder, "c0ffee", {}, on_problem=print)
        MLflow at ftp://nowhere could not be written to (...); records.jsonl has everything
        0
    """
    wanted = latest(records)
    dense = dense_accuracy(wanted) if dense is None else dense
    deadline, count = time.monotonic() + timeout, 0
    try:
        tracker = Tracker(uri, folder, campaign)
        present: dict[str, dict[str, Run]] = {}
        for record in wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {timeout:.0f} s")
            # The runs that the experiment has, read once.
            experiment = tracker.experiment(record.suite, record.task)
            if experiment not in present:
                present[experiment] = tracker.present(experiment)
            # A new run first, so that there is always one; then the old one is deleted.
            old = present[experiment].get(record.id)
            if old is None or old.data.tags.get("bench.status") != record.status:
                colour = colour_of(colours, record.entry)
                write_trial(tracker, experiment, record, colour, dense.get(record.task))
                count += 1
                if old is not None:
                    tracker.client.delete_run(old.info.run_id)
    except Exception as error:  # as in Publisher: the copy must not stop a campaign
        if on_problem is not None:
            on_problem(mlflow_message(uri, error))
    return count


def publish_studies(
    summaries: Iterable[StudySummary],
    uri: str,
    folder: Path,
    campaign: str,
    colours: Mapping[str, str],
    *,
    records: Iterable[Record] = (),
    models: Mapping[str, Path] | None = None,
    on_problem: Notify | None = None,
) -> int:
    """Publishes one study run for each entry on each task, in place of the campaign's one published before.

    Call it after `publish_missing`: the points of a front are linked to the runs and models that MLflow has.
    A failure of MLflow ends the publication without an exception.

    Args:
        summaries: What to publish, one for each entry on each task.
        uri: Address of the MLflow server or database.
        folder: Output folder of the campaign, for the database and artifacts.
        campaign: Id of the campaign, with which everything is tagged.
        colours: Colour of each entry, `#rrggbb`.
        records: Records of the campaign, whose data and models are linked.
        models: Files of the fronts' models by record id; they are published before the studies.
        on_problem: Called with one sentence if the publication ends early.

    Returns:
        The number of study runs that were written.

    Example:
        >>> summary = StudySummary("quickstart", "digits-lenet_300_100", "dwf-3", {"hypervolume": 0.8})
        >>> publish_studies([summary], "ftp://nowhere", folder, "c0ffee", {}, on_problem=print)
        MLflow at ftp://nowhere could not be written to (...); records.jsonl has everything
        0
    """
    count, own, given = 0, list(records), list(summaries)
    try:
        tracker = Tracker(uri, folder, campaign)
        runs: dict[str, dict[str, Run]] = {}
        made: dict[str, dict[str, str]] = {}
        for summary in given:
            experiment = tracker.experiment(summary.suite, summary.task)
            here = [record for record in own if record.task == summary.task]
            # Once for each experiment: the runs to link, and the models.
            if experiment not in runs:
                runs[experiment] = tracker.present(experiment)
                made[experiment] = write_models(tracker, experiment, here, models or {}, runs[experiment])
                there = [other for other in given if other.task == summary.task]
                tracker.show_fronts(experiment, axes_of(there), summary.accuracies)
            # The study run.
            data = dataset_of(here[0]) if here else None
            colour = colour_of(colours, summary.entry)
            write_study(tracker, experiment, summary, runs[experiment], made[experiment], data, colour)
            count += 1
    except Exception as error:  # as in Publisher: the copy must not stop a campaign
        if on_problem is not None:
            on_problem(mlflow_message(uri, error))
    return count
