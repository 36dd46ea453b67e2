"""The values of a trial's run in MLflow: its names, metrics, parameters, tags and curves. No MLflow.

A comparison of hundreds of runs stays readable only with few, well-named metrics: each metric is a column
and a chart.
"""

import math
import re
from collections.abc import Iterable, Mapping

from ...commands import shown_command
from ...errors import printable
from ...learning import chance_of, learned
from ...records.record import Record
from .text_tables import short_text

DIAGNOSTICS = 12  # at most so many diag/* columns
SERIES = 6  # at most so many curves of a run
POINTS = 200  # at most so many points of a curve; MLflow refuses more than 1000 metrics in a batch
_REFUSED = re.compile(r"[^\w\-. :/]", re.ASCII)
_CLOCKS = ("step", "epoch")


def experiment_name(suite: str, task: str) -> str:
    r"""Returns the name of a task's experiment, without `/`, which MLflow's pages take for a folder.

    Args:
        suite: Name of the suite.
        task: Name of the task, `<dataset>-<model>`.

    Returns:
        The name; there is one experiment for each task of a suite.

    Example:
        >>> experiment_name("quickstart", "digits-lenet_300_100")
        'quickstart: digits-lenet_300_100'
        >>> print(experiment_name("a\x1b[31m", "b"))
        a\x1b[31m: b
    """
    return printable(f"{suite}: {task}").replace("/", "-")


def run_name(record: Record) -> str:
    """Returns the name of a trial's run: the number in its search, or compression and seed for other phases.

    Args:
        record: Record of the trial.

    Returns:
        A name that is short enough for the legend of a chart.

    Example:
        >>> run_name(record.model_copy(update={"compression": 31.24, "seed": 2}))
        'dwf-3 c=31.2 seed 2'
        >>> run_name(record.model_copy(update={"phase": "search", "trial": 12}))
        'dwf-3 #12'
    """
    if record.phase == "search" and record.trial is not None:
        return f"{printable(record.entry)} #{record.trial}"
    ratio = f" c={record.compression:.3g}" if record.compression is not None else ""
    return f"{printable(record.entry)}{ratio} seed {record.seed}"


def metrics_of(record: Record, dense: float | None = None) -> dict[str, float]:
    """Returns the metrics of a trial's run.

    `eval/top1` is the accuracy on the validation split, the balanced one where the tag `bench.metric` says
    so; `eval/val_top1_at_64x` and `eval/test_top1_at_64x` are measured at compression 64;
    `cost/flops_ratio` is 1/speedup. MLflow's scatter plots have no logarithmic axis, so log2 of the
    compression and of the theoretical speed-up are metrics of their own. At most twelve diagnostics of the
    whole network follow as `diag/<name>`.

    Args:
        record: Record of the trial.
        dense: Dense validation accuracy of the task; where given, `eval/top1_drop` is the decrease from it.

    Returns:
        Values by metric name, without those that the record does not have.

    Example:
        >>> half = record.model_copy(update={"val_accuracy": 0.5, "compression": 32.0})
        >>> found = metrics_of(half, dense=0.75)
        >>> found["cost/log2_compression"], found["eval/top1_drop"]
        (5.0, 0.25)
    """
    found: dict[str, float | None] = {
        "eval/top1": record.val_accuracy,
        "eval/test_top1": record.test_accuracy,
        "cost/compression": record.compression,
        "cost/prunable_share": record.prunable_share,
        "cost/seconds": record.seconds,
    }
    if record.compression is not None:
        found["cost/log2_compression"] = math.log2(record.compression)
    if record.speedup is not None:
        found["cost/flops_ratio"] = 1 / record.speedup
        found["cost/log2_speedup"] = math.log2(record.speedup)
    for point in record.at_compressions:
        found[f"eval/val_top1_at_{point.at:g}x"] = point.val_accuracy
        found[f"eval/test_top1_at_{point.at:g}x"] = point.test_accuracy
    if dense is not None and record.val_accuracy is not None:
        found["eval/top1_drop"] = dense - record.val_accuracy
    whole = [key for key in sorted(record.diagnostics) if "/" not in key]  # per-layer ones have a slash
    found |= {f"diag/{_key(key)}": record.diagnostics[key] for key in whole[:DIAGNOSTICS]}
    return {key: value for key, value in found.items() if value is not None}


def params_of(record: Record) -> dict[str, str]:
    """Returns the parameters of a trial's run: learning rate, weight decay, the method's knobs, the seed.

    A trial of a search has its number (`trial`); with common compressions there are also the assigned one
    (`aim`) and the number of the search (`replicate`).

    Args:
        record: Record of the trial.

    Returns:
        Values by name as strings, floats with six significant digits.

    Example:
        >>> params_of(record.model_copy(update={"recipe": {"lr": 1 / 3, "epochs": 2}, "knobs": {"depth": 3}}))
        {'lr': '0.333333', 'depth': '3', 'seed': '1000'}
    """
    recipe = {key: record.recipe[key] for key in ("lr", "weight_decay") if key in record.recipe}
    values = recipe | record.knobs | {"seed": record.seed}
    if record.trial is not None:
        values |= {"trial": record.trial}
    if record.compressions:
        values |= {"replicate": record.replicate} | ({} if record.aim is None else {"aim": record.aim})
    return {_key(key): short_text(value) for key, value in values.items()}


def tags_of(record: Record, colour: str | None = None) -> dict[str, str]:
    """Returns the tags of a trial's run, by which runs are filtered, recognised and coloured.

    Args:
        record: Record of the trial.
        colour: Colour of the entry, `#rrggbb`; None for MLflow's own choice.

    Returns:
        Values by name: `bench.*` for identity and outcome, `version.*` for libraries, `mlflow.*` for the
        command and the colour that MLflow's pages show. Empty values are left out.

    Example:
        >>> tags = tags_of(record, colour="#D55E00")
        >>> tags["bench.entry"], tags["bench.phase"], tags["mlflow.runColor"]
        ('dwf-3', 'confirm', '#D55E00')
    """
    tags: dict[str, str | None] = {
        "bench.kind": "trial",
        "bench.suite": record.suite,
        "bench.task": record.task,
        "bench.id": record.id,
        "bench.config": record.config,
        "bench.entry": record.entry,
        "bench.method": record.method,
        "bench.phase": record.phase,
        "bench.status": record.status,
        "bench.reason": record.reason,
        "bench.learned": _learned(record),
        "bench.aim": None if record.aim is None else f"{record.aim:g}",
        "bench.replicate": str(record.replicate) if record.compressions else None,
        "bench.metric": record.recipe.get("metric", "accuracy"),
        "bench.dataset": record.dataset,
        "bench.model": record.model,
        "bench.data_digest": record.data_digest,
        "bench.device": record.device,
        "mlflow.source.name": shown_command(record.command),
        "mlflow.runColor": colour,
    }
    tags |= {f"version.{_key(key)}": value for key, value in record.versions.items()}
    return {key: value[:4000] for key, value in tags.items() if value}


def _learned(record: Record) -> str | None:
    """Returns whether the network has learned something, as "yes" or "no"; None without an accuracy."""
    if record.status == "diverged":
        return "no"
    chance = chance_of(record, "validation")
    if record.val_accuracy is None or chance is None:
        return None
    return "yes" if learned(record.val_accuracy, chance) else "no"


def curve_of(record: Record) -> list[tuple[str, float, int]]:
    """Returns the training curve of a trial, subsampled to about 200 steps and its first six columns.

    Args:
        record: Record of the trial.

    Returns:
        (metric, value, step) points, the last step included; empty for search trials, whose curves would be
        too many.

    Example:
        >>> curve_of(record.model_copy(update={"curve": [{"step": 50.0, "loss": 0.5}]}))
        [('curve/loss', 0.5, 50)]
    """
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


def dense_accuracy(records: Iterable[Record]) -> dict[str, float]:
    """Returns the dense reference of each task, from which `eval/top1_drop` is measured.

    Args:
        records: Records of a campaign.

    Returns:
        The best validation accuracy of the method "dense", by task; diverged and failed trials do not count.

    Example:
        >>> dense = [r.model_copy(update={"val_accuracy": 0.97}) for r in records if r.method == "dense"]
        >>> dense_accuracy(dense + [record])
        {'made_up-net': 0.97}
    """
    best: dict[str, float] = {}
    for record in records:
        if record.method == "dense" and record.status == "ok" and record.val_accuracy is not None:
            best[record.task] = max(record.val_accuracy, best.get(record.task, 0.0))
    return best


def colour_of(colours: Mapping[str, str], entry: str) -> str | None:
    """Returns the entry's colour if MLflow can draw it.

    Args:
        colours: Colour by entry, in any notation.
        entry: Label of the entry.

    Returns:
        The colour as `#rrggbb`; None where it has another notation or is missing.

    Example:
        >>> colour_of({"dwf-3": "#D55E00", "dense": "black"}, "dwf-3")
        '#D55E00'
        >>> colour_of({"dwf-3": "#D55E00", "dense": "black"}, "dense") is None
        True
    """
    colour = colours.get(entry, "")
    return colour if re.fullmatch(r"#[0-9a-fA-F]{6}", colour) else None


def _key(name: str) -> str:
    """Returns a name that MLflow accepts: it refuses `@ ( ) %` and the like, and what is no plain path."""
    parts = _REFUSED.sub("_", name)[:200].split("/")
    return "/".join("_" if part in ("", ".", "..") else part for part in parts)
