"""The finished models of the fronts as logged models in MLflow: a safetensors file each, with its metrics.

A model is what MLflow calls an external one: its file is an artifact, nothing of it is pickled, and metrics
are linked to it, to the trial's run and to the data that they were measured on.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...commands import path_word
from ...records.record import Record
from .client import CAMPAIGN, Tracker
from .trial_runs import DIGEST
from .trial_values import metrics_of, params_of

if TYPE_CHECKING:
    from mlflow.entities import Run

REGISTERED = "mlflow.modelVersions"  # MLflow's tag of a model that somebody has put into its registry
KIND = "sparse image classifier"
_REFUSED = re.compile(r"[/:.%\"']")


def _model_name(record: Record) -> str:
    """Returns a name such as `dwf-3 c=31 seed 2`; MLflow refuses a decimal point in a model's name."""
    ratio = f" c={record.compression:.0f}" if record.compression is not None else ""
    return _REFUSED.sub("-", f"{record.entry}{ratio} seed {record.seed}")


def logged_model_path(experiment: str, model: str) -> str:
    """Returns the fragment of the address, after the host and its slash, that shows a model.

    Args:
        experiment: MLflow's id of the experiment.
        model: MLflow's id of the model.

    Returns:
        The fragment, which works as a relative link in the notes of MLflow's pages.

    Example:
        >>> logged_model_path("1", "m-7")
        '#/experiments/1/models/m-7?workflowType=machine_learning'
    """
    return f"#/experiments/{experiment}/models/{model}?workflowType=machine_learning"


def write_models(
    tracker: Tracker,
    experiment: str,
    records: Iterable[Record],
    files: Mapping[str, Path],
    runs: "Mapping[str, Run]",
) -> dict[str, str]:
    """Makes the campaign's logged models of some records equal to a set of files: writes missing ones,
    deletes others.

    A model that is incomplete, or belongs to a run that was replaced, is written again. One that somebody has
    put into MLflow's registry is never deleted.

    Args:
        tracker: The connection to MLflow.
        experiment: MLflow's id of the experiment.
        records: Records whose models are managed; models of other records are not touched.
        files: Model file by record id.
        runs: Finished run of each trial by record id; a model without a run is not written.

    Returns:
        MLflow's id of each model that was found or written, by record id.

    Example:
        >>> from unittest.mock import Mock
        >>> tracker, run = Mock(), Mock()
        >>> tracker.models.return_value = []  # there are none yet
        >>> tracker.client.create_logged_model.return_value.model_id = "m-7"
        >>> files = {record.id: Path("a.safetensors")}
        >>> write_models(tracker, "1", [record], files, {record.id: run}) == {record.id: "m-7"}
        True
        >>> tracker.client.log_model_artifact.call_args.args
        ('m-7', 'a.safetensors')
    """
    # Present models: complete ones are reused, all others of these records deleted.
    mine = {record.id: record for record in records}
    found: dict[str, str] = {}
    for model in tracker.models(experiment):
        identity = model.tags.get("bench.id", "")
        run = runs.get(identity)
        whole = str(model.status) == "READY" and run is not None and model.source_run_id == run.info.run_id
        if identity in files and whole and identity not in found:
            found[identity] = model.model_id
        elif identity in mine and REGISTERED not in model.tags:
            tracker.client.delete_logged_model(model.model_id)
    # Missing models.
    for identity, file in files.items():
        if identity in mine and identity in runs and identity not in found:
            found[identity] = _write(tracker, experiment, mine[identity], file, runs[identity])
    return found


def _write(tracker: Tracker, experiment: str, record: Record, file: Path, run: "Run") -> str:
    """Writes one model with its file and metrics, linked to its run; returns the model's id."""
    from mlflow.entities import LoggedModelOutput, Metric

    client, end = tracker.client, run.info.end_time
    tags = {"bench.id": record.id, "bench.entry": record.entry, "bench.task": record.task}
    command = f"sparsebench export {path_word(file.name)} --out model.pt"
    how = f"`{command}` (or `.onnx`) prints the three lines that load it"
    tags[CAMPAIGN] = tracker.campaign
    tags["mlflow.note.content"] = f"Its file is under Artifacts; {how}."
    tags |= {f"version.{name}": version for name, version in record.versions.items()}
    made = client.create_logged_model(
        experiment, _model_name(record), run.info.run_id, tags, params_of(record), KIND
    )
    client.log_model_artifact(made.model_id, str(file))
    data = {"dataset_name": record.dataset, "dataset_digest": record.data_digest[:DIGEST]}
    values = {key: value for key, value in metrics_of(record).items() if not key.startswith("diag/")}
    linked = [Metric(key, value, end, 0, made.model_id, **data) for key, value in values.items()]
    client.log_batch(run.info.run_id, linked)
    client.log_outputs(run.info.run_id, [LoggedModelOutput(made.model_id, 0)])
    client.finalize_logged_model(made.model_id, "READY")
    return str(made.model_id)
