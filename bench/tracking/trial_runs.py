"""The run of a trial in MLflow: how it is written, with its metrics, its data and its artifacts.

Tables (layers, the whole record) are artifacts, which are loaded only when opened.
"""

import json
import time
from typing import TYPE_CHECKING, Any

from ...records.record import Record
from .client import CAMPAIGN, Tracker
from .text_tables import layers_csv
from .trial_values import curve_of, metrics_of, params_of, run_name, tags_of

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

DIGEST = 36  # characters of a dataset's digest that MLflow accepts


def dataset_of(record: Record) -> "DatasetInput":
    """Returns the data of a trial as MLflow lists them on a run's page.

    Args:
        record: Record of the trial.

    Returns:
        The dataset's name and the first 36 characters of its digest, with the context of use.

    Example:
        >>> used = dataset_of(record).dataset
        >>> used.name, used.digest
        ('made_up', 'synthetic')
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = f'{{"sha256": "{record.data_digest}"}}'
    data = Dataset(record.dataset, record.data_digest[:DIGEST], "sparsebench", source)
    return DatasetInput(data, [InputTag("mlflow.data.context", "train, validation, test")])


def write_trial(
    tracker: Tracker,
    experiment: str,
    record: Record,
    colour: str | None,
    dense: float | None = None,
    end: float | None = None,
) -> str:
    """Writes a finished trial as one run, which is terminated last.

    A run that was not completely written stays RUNNING, which is how `publish_missing` recognises it.

    Args:
        tracker: The connection to MLflow.
        experiment: MLflow's id of the task's experiment.
        record: Record of the trial.
        colour: Colour of the entry, `#rrggbb`; None for MLflow's own choice.
        dense: Dense validation accuracy of the task, see `metrics_of`.
        end: Time at which the trial ended, in seconds since 1970; by default now.

    Returns:
        MLflow's id of the run.

    Example:
        >>> from unittest.mock import Mock
        >>> tracker = Mock()
        >>> tracker.client.create_run.return_value.info.run_id = "4f1e"
        >>> write_trial(tracker, "1", record, colour="#D55E00")
        '4f1e'
        >>> [name for name, _, _ in tracker.client.method_calls]
        ['create_run', 'log_batch', 'log_inputs', 'log_dict', 'log_text', 'set_terminated']
    """
    from mlflow.entities import Metric, Param

    # The run, with times in milliseconds.
    client = tracker.client
    stop = int((end or time.time()) * 1000)
    run = client.create_run(
        experiment,
        start_time=stop - int(record.seconds * 1000),
        tags={**tags_of(record, colour), CAMPAIGN: tracker.campaign},
        run_name=run_name(record),
    ).info.run_id
    # Metrics and curves at their steps, and the parameters with the first batch.
    points = [(key, value, 0) for key, value in metrics_of(record, dense).items()]
    metrics = [Metric(key, value, stop, step) for key, value, step in points + curve_of(record)]
    params = [Param(key, value) for key, value in params_of(record).items()]
    for some in _batches(metrics, 1000 - len(params)):
        client.log_batch(run, some, params)
        params = []
    # Data and artifacts.
    client.log_inputs(run, [dataset_of(record)])
    client.log_dict(run, json.loads(record.to_json()), "record.json")
    if record.layers and record.phase != "search":
        client.log_text(run, layers_csv(record), "layers.csv")
    client.set_terminated(run, "FAILED" if record.status == "failed" else "FINISHED", stop)
    return str(run)


def _batches(metrics: list[Any], size: int) -> list[list[Any]]:
    """Returns the metrics in batches of at most that size; without any, one empty batch."""
    return [metrics[start : start + size] for start in range(0, len(metrics), size)] or [[]]
