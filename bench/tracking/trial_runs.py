"""What MLflow is given of one trial: names, metrics, parameters, tags, artifacts; and how a run is written.

A comparison of hundreds of runs stays readable only with few, well-named metrics: each metric is a column
and a chart. Tables (layers, the whole record) are artifacts, which cost nothing until somebody opens them.
"""

import csv
import io
import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ...records.record import Record

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

DIAGNOSTICS = 12  # at most so many diag/* columns
SERIES = 6  # at most so many curves of a run
POINTS = 200  # at most so many points of a curve; MLflow refuses more than 1000 metrics in a batch
DIGEST = 36  # characters of a dataset's digest that MLflow takes
_REFUSED = re.compile(r"[^\w\-. :/]", re.ASCII)
_CLOCKS = ("step", "epoch")


def experiment_name(suite: str, task: str) -> str:
    """One experiment a task; a `/` would be read as a folder by MLflow's pages."""
    return f"{suite}: {task}".replace("/", "-")


def run_name(record: Record) -> str:
    """`dwf-3 #12` for a search trial, `dwf-3 c=31 seed 2` for the others."""
    if record.phase == "search" and record.trial is not None:
        return f"{record.entry} #{record.trial}"
    ratio = f" c={record.compression:.3g}" if record.compression is not None else ""
    return f"{record.entry}{ratio} seed {record.seed}"


def metrics_of(record: Record, dense: float | None = None) -> dict[str, float]:
    """The numbers to compare by. `dense` is the dense validation accuracy, where it is known.

    `eval/top1` is on the validation split; `cost/flops_ratio` is 1/speedup. There is no logarithmic axis
    in MLflow's scatter plots, so log2 of the compression is a metric of its own.
    """
    found: dict[str, float | None] = {
        "eval/top1": record.val_accuracy,
        "eval/test_top1": record.test_accuracy,
        "cost/compression": record.compression,
        "cost/seconds": record.seconds,
    }
    if record.compression is not None:
        found["cost/log2_compression"] = math.log2(record.compression)
    if record.speedup is not None:
        found["cost/flops_ratio"] = 1 / record.speedup
    if dense is not None and record.val_accuracy is not None:
        found["eval/top1_drop"] = dense - record.val_accuracy
    whole = [key for key in sorted(record.diagnostics) if "/" not in key]  # per-layer ones have a slash
    found |= {f"diag/{_key(key)}": record.diagnostics[key] for key in whole[:DIAGNOSTICS]}
    return {key: value for key, value in found.items() if value is not None}


def params_of(record: Record) -> dict[str, str]:
    """Learning rate, weight decay, the method's knobs and the seed, as short strings."""
    recipe = {key: record.recipe[key] for key in ("lr", "weight_decay") if key in record.recipe}
    values = recipe | record.knobs | {"seed": record.seed}
    return {_key(key): _short(value) for key, value in values.items()}


def tags_of(record: Record, colour: str | None = None) -> dict[str, str]:
    """What a run is found and coloured by, and what made it."""
    tags: dict[str, str | None] = {
        "bench.kind": "trial",
        "bench.id": record.id,
        "bench.config": record.config,
        "bench.entry": record.entry,
        "bench.method": record.method,
        "bench.phase": record.phase,
        "bench.status": record.status,
        "bench.reason": record.reason,
        "bench.dataset": record.dataset,
        "bench.model": record.model,
        "bench.data_digest": record.data_digest,
        "bench.device": record.device,
        "mlflow.source.name": record.command,
        "mlflow.runColor": colour,
    }
    tags |= {f"version.{_key(key)}": value for key, value in record.versions.items()}
    return {key: value[:4000] for key, value in tags.items() if value}


def curve_of(record: Record) -> list[tuple[str, float, int]]:
    """The training curve as (metric, value, step), thinned; empty for search trials, which are too many."""
    if record.phase == "search" or not record.curve:
        return []
    names = [key for key in dict.fromkeys(k for row in record.curve for k in row) if key not in _CLOCKS]
    stride = -(-len(record.curve) // (POINTS - 1))
    rows = sorted({*range(0, len(record.curve), stride), len(record.curve) - 1})
    points = []
    for row in rows:
        values = record.curve[row]
        step = int(next((values[clock] for clock in _CLOCKS if clock in values), row))
        points += [(f"curve/{_key(name)}", values[name], step) for name in names[:SERIES] if name in values]
    return points


def layer_table(record: Record) -> str:
    """The layers as CSV, which MLflow's pages show as a table."""
    rows = [
        {
            "layer": layer.name,
            "shape": "×".join(map(str, layer.shape)),
            "size": layer.size,
            "nonzeros": layer.nonzeros,
            "sparsity": round(1 - layer.nonzeros / max(1, layer.size), 6),
        }
        for layer in record.layers
    ]
    return table(rows)


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV text; the columns are the keys in the order in which they first appear."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def markdown(rows: list[dict[str, Any]]) -> str:
    """Rows as a Markdown table with the same columns as `table`."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_short(row.get(name, "")) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def dataset_of(record: Record) -> "DatasetInput":
    """The data of a trial, as MLflow's pages list them."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = f'{{"sha256": "{record.data_digest}"}}'
    data = Dataset(record.dataset, record.data_digest[:DIGEST], "sparsebench", source)
    return DatasetInput(data, [InputTag("mlflow.data.context", "train, validation, test")])


def write_trial(
    client: "MlflowClient",
    experiment: str,
    record: Record,
    colour: str | None,
    dense: float | None = None,
    end: float | None = None,
) -> str:
    """One finished trial as one run: create, one batch, artifacts, terminate. Returns the run's id.

    `end` is when the trial ended (seconds since 1970; now, if unknown). A run that was not written to its
    end stays RUNNING, which is how `publish_missing` knows it.
    """
    from mlflow.entities import Metric, Param

    stop = int((end or time.time()) * 1000)
    run = client.create_run(
        experiment,
        start_time=stop - int(record.seconds * 1000),
        tags=tags_of(record, colour),
        run_name=run_name(record),
    ).info.run_id
    points = [(key, value, 0) for key, value in metrics_of(record, dense).items()]
    metrics = [Metric(key, value, stop, step) for key, value, step in points + curve_of(record)]
    params = [Param(key, value) for key, value in params_of(record).items()]
    for some in _batches(metrics, 1000 - len(params)):
        client.log_batch(run, some, params)
        params = []
    client.log_inputs(run, [dataset_of(record)])
    client.log_dict(run, json.loads(record.to_json()), "record.json")
    if record.layers and record.phase != "search":
        client.log_text(run, layer_table(record), "layers.csv")
    client.set_terminated(run, "FAILED" if record.status == "failed" else "FINISHED", stop)
    return str(run)


def dense_accuracy(records: Iterable[Record]) -> dict[str, float]:
    """The best validation accuracy of the dense method on each task: what `eval/top1_drop` is taken from."""
    best: dict[str, float] = {}
    for record in records:
        if record.method == "dense" and record.status == "ok" and record.val_accuracy is not None:
            best[record.task] = max(record.val_accuracy, best.get(record.task, 0.0))
    return best


def colour_of(colours: Mapping[str, str], entry: str) -> str | None:
    """The entry's colour if it is one that MLflow can draw (#rrggbb)."""
    colour = colours.get(entry, "")
    return colour if re.fullmatch(r"#[0-9a-fA-F]{6}", colour) else None


def _batches(metrics: list[Any], size: int) -> list[list[Any]]:
    return [metrics[start : start + size] for start in range(0, len(metrics), size)] or [[]]


def _key(name: str) -> str:
    """A name that MLflow accepts: it refuses `@ ( ) %` and the like, and what is no plain path."""
    parts = _REFUSED.sub("_", name)[:200].split("/")
    return "/".join("_" if part in ("", ".", "..") else part for part in parts)


def _short(value: Any) -> str:
    return (f"{value:.6g}" if isinstance(value, float) else str(value))[:5000]
