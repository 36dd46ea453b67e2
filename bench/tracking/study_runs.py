"""The study run of an entry in MLflow: metrics, the front with links to trials and models, and figures."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...escaping import escape_markdown
from .chart_view import AT, LINES, Range
from .client import CAMPAIGN, NOTE, Tracker
from .logged_models import logged_model_path
from .text_tables import csv_table, markdown_table

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run

SPACE = "&emsp;"  # between the columns, which MLflow's pages put side by side
LONGEST = 7500  # characters of a note, well below the limit of a tag


@dataclass
class StudySummary:
    """Results of one entry on one task at the end of a campaign.

    Attributes:
        suite: Name of the suite.
        task: Name of the task, `<dataset>-<model>`.
        entry: Label of the entry.
        metrics: Metrics by name (hypervolume, top1_at_2x, compression_within_1pt, …), written as
            `summary/<name>`.
        front: One row for each point that the board shows; a row with the key `id` (of records, with spaces
            between them) or `config` is linked to the runs of its trials. `at` is its common compression,
            `command` the one that trains its first seed again.
        figures: Image files to attach; the first of them is shown on the run's page.
        versions: Versions of the libraries that produced the results, by name.
        facts: What identifies the results (method, dataset, model, digest of the data), tags by name.
        line: The front's points, by rising compression: their accuracy (a fraction), and a number for each
            of `LINES`: compression, theoretical speed-up (the reduction of FLOPs) and milliseconds, the last
            two where they were measured. They become histories of metrics, so that MLflow draws lines.
        common: Mean accuracy by common compression.
        accuracies: The range of accuracies that matters on the task, as fractions.

    Example:
        >>> front = [{"config": "k3", "compression": 31.6, "accuracy": 0.96}]
        >>> summary = StudySummary("quickstart", "digits-lenet_300_100", "dwf-3", {"hypervolume": 0.8}, front)
        >>> f"{summary.entry}: {len(summary.front)} point, {summary.metrics}"
        "dwf-3: 1 point, {'hypervolume': 0.8}"
    """

    suite: str
    task: str
    entry: str
    metrics: Mapping[str, float]
    front: Sequence[Mapping[str, Any]] = ()
    figures: Sequence[Path] = ()
    versions: Mapping[str, str] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    line: Sequence[tuple[float, float, float | None, float | None]] = ()
    common: Mapping[float, float] = field(default_factory=dict)
    accuracies: Range | None = None


def run_path(experiment: str, run: str) -> str:
    """Returns the fragment of the address, after the host and its slash, that shows a run.

    Args:
        experiment: MLflow's id of the experiment.
        run: MLflow's id of the run.

    Returns:
        The fragment, which works as a relative link in the notes of MLflow's pages.

    Example:
        >>> run_path("1", "4f1e")
        '#/experiments/1/runs/4f1e?workflowType=machine_learning'
    """
    return f"#/experiments/{experiment}/runs/{run}?workflowType=machine_learning"


def write_study(
    tracker: Tracker,
    experiment: str,
    summary: StudySummary,
    trials: "Mapping[str, Run]",
    models: Mapping[str, str],
    data: "DatasetInput | None",
    colour: str | None,
) -> str:
    """Writes a study as a run, then deletes the campaign's previous study run of the entry.

    Args:
        tracker: The connection to MLflow.
        experiment: MLflow's id of the task's experiment.
        summary: Metrics, front and figures of the entry.
        trials: Finished run of each trial by record id, to link the front's points to.
        models: MLflow's id of each logged model by record id.
        data: The task's data, to be listed on the run's page.
        colour: Colour of the entry, `#rrggbb`.

    Returns:
        MLflow's id of the new run.

    Example:
        >>> from unittest.mock import Mock
        >>> tracker = Mock()
        >>> tracker.runs.return_value = []  # no study run yet
        >>> tracker.client.create_run.return_value.info.run_id = "4f1e"
        >>> summary = StudySummary("quickstart", "digits-lenet_300_100", "dwf-3", {"hypervolume": 0.8})
        >>> write_study(tracker, "1", summary, trials={}, models={}, data=None, colour=None)
        '4f1e'
        >>> [(metric.key, metric.value) for metric in tracker.client.log_batch.call_args.args[1]]
        [('summary/hypervolume', 0.8)]
    """
    from mlflow.entities import LoggedModelOutput, Metric, Param

    client, now = tracker.client, int(time.time() * 1000)
    before = [
        run for run in tracker.runs(experiment, "study") if run.data.tags.get("bench.entry") == summary.entry
    ]
    rows, linked = _front(summary, trials, models, experiment)
    # The run, its metrics and data.
    tags = {**_tags(summary, rows, colour), CAMPAIGN: tracker.campaign}
    run = client.create_run(experiment, start_time=now, tags=tags, run_name=summary.entry).info.run_id
    lone = [Metric(name, value, now, 0) for name, value in _values(summary).items()]
    front = [Metric(name, y, now, step) for name, y, step in _histories(summary)]
    client.log_batch(run, lone + front, [Param("entry", summary.entry), Param("task", summary.task)])
    if data is not None:
        client.log_inputs(run, [data])
    shown = dict.fromkeys(model for row in rows for model in row["models"].split())
    if shown:
        client.log_outputs(run, [LoggedModelOutput(model, 0) for model in shown])
    # The front as tables, the figures, and the note that the run's page shows.
    if rows:
        client.log_text(run, csv_table(rows), "front.csv")
        client.log_text(run, markdown_table(linked), "front.md")
    for figure in summary.figures:
        client.log_artifact(run, str(figure), "figures")
    client.set_tag(run, NOTE, _note(linked, summary.figures, run))
    client.set_terminated(run)
    for old in before:  # after the new one is complete, so that there is always one
        client.delete_run(old.info.run_id)
    return str(run)


def axes_of(summaries: Sequence[StudySummary]) -> list[str]:
    """Returns the metrics that are axes of parallel coordinates, those that all entries with a result have.

    MLflow omits a run that lacks one of the values, and more than some seven axes cannot be read.

    Args:
        summaries: The studies of one task.

    Returns:
        Accuracies at common compressions, both ends among them, and the score; of earlier versions the
        largest compression, the best accuracy and the hypervolume.

    Example:
        >>> common = {2.0**n: 0.9 for n in range(1, 10)}
        >>> point = (0.9, 2.0, None, None)
        >>> study = StudySummary("mine", "digits", "gmp", {"score": 0.8}, line=[point], common=common)
        >>> axes_of([study])
        ['acc/002x', 'acc/008x', 'acc/032x', 'acc/128x', 'acc/512x', 'summary/score']
    """
    found = [_values(summary) for summary in summaries if summary.line]
    common = sorted({c for summary in summaries for c in summary.common})
    older = [f"summary/{name}" for name in ("largest_compression", "best_top1", "hypervolume")]
    wanted = [*map(AT.format, spread(common, 5)), "summary/score"] if common else older
    return [name for name in wanted if all(name in values for values in found)] or wanted[-1:]


def spread(values: Sequence[float], most: int) -> list[float]:
    """Returns some values out of a list, both ends among them, evenly spread.

    Args:
        values: The values, ascending.
        most: How many at most, two or more.

    Returns:
        The values, in their order.

    Example:
        >>> spread([4, 16, 64, 256], 3)
        [4, 64, 256]
    """
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def _values(summary: StudySummary) -> dict[str, float]:
    """Returns the metrics of a study run that are single numbers."""
    values = {f"summary/{name.removeprefix('summary/')}": value for name, value in summary.metrics.items()}
    return values | {AT.format(c): 100 * accuracy for c, accuracy in summary.common.items()}


def _histories(summary: StudySummary) -> Iterator[tuple[str, float, int]]:
    """Yields metric, value and step of the front's points. The steps are the compressions, by which MLflow's
    page of a metric draws it; they rise, where rounded ones are equal."""
    step = -1
    for accuracy, *values in summary.line:
        step = max(step + 1, round(values[0] or 0))
        for line, value in zip(LINES, values, strict=True):
            if value is not None:
                yield line.accuracy, 100 * accuracy, step
                yield line.over, math.log10(value), step


def _tags(summary: StudySummary, rows: Iterable[Mapping[str, Any]], colour: str | None) -> dict[str, str]:
    """Returns the tags of a study run: its identity, and the model shown at each common compression."""
    tags = {"bench.kind": "study", "bench.suite": summary.suite, "bench.task": summary.task}
    tags |= {"bench.entry": summary.entry} | {f"bench.{name}": fact for name, fact in summary.facts.items()}
    tags |= {f"bench.model_at_{row['at']:g}x": row["models"].split()[0] for row in rows if _has_model(row)}
    tags |= {"mlflow.runColor": colour} if colour else {}
    return tags | {f"version.{name}": version for name, version in (summary.versions or {}).items()}


def _has_model(row: Mapping[str, Any]) -> bool:
    """Whether a row is a common compression with a model."""
    return row.get("at") is not None and bool(row["models"])


def _front(
    summary: StudySummary, trials: "Mapping[str, Run]", models: Mapping[str, str], experiment: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns the front's rows with the ids of their runs and models, and the same with Markdown links."""
    rows, linked = [], []
    for row in summary.front:
        found = {
            identity: run
            for identity, run in trials.items()
            if identity in str(row.get("id", "")).split()
            or run.data.tags.get("bench.config") == row.get("config", "")
        }
        made = [models[identity] for identity in found if identity in models]
        runs = [run.info for run in found.values()]
        rows.append({**row, "models": " ".join(made), "runs": " ".join(run.run_id for run in runs)})
        kept = {key: value for key, value in row.items() if key not in ("id", "config", "at", "command")}
        names = [(run.run_name or run.run_id).removeprefix(f"{summary.entry} ") for run in runs]
        paths = [run_path(experiment, run.run_id) for run in runs]
        links = [f"[{escape_markdown(name)}]({path})" for name, path in zip(names, paths, strict=True)]
        files = [f"[model]({logged_model_path(experiment, model)})" for model in made]
        kept = {escape_markdown(key): _escaped(value) for key, value in kept.items()}
        linked.append({**kept, "runs": ", ".join(links), "model": ", ".join(files)})
    return rows, linked


def _note(linked: list[dict[str, Any]], figures: Sequence[Path], run: str) -> str:
    """Returns the Markdown note at the top of the run's page: the front, and below it the first figure."""
    parts = []
    if linked:
        spaced = [{f"{key}{SPACE}": f"{_cell(value)}{SPACE}" for key, value in row.items()} for row in linked]
        parts.append(markdown_table(spaced))
    if figures:
        name = quote(f"figures/{figures[0].name}")
        parts.append(f"![{escape_markdown(figures[0].stem)}](get-artifact?path={name}&run_uuid={run})\n")
    text = "\n".join(parts)
    return text if len(text) <= LONGEST else text[: text.rfind("\n", 0, LONGEST) + 1]  # complete rows


def _escaped(value: Any) -> Any:
    return escape_markdown(value) if isinstance(value, str) and value else value


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value if value is not None else "")
