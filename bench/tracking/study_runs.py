"""The study run of an entry in MLflow: its numbers, its front linked to trials and models, its figures."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .client import Tracker
from .logged_models import model_path
from .trial_runs import markdown, table

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run

NOTE = "mlflow.note.content"
SPACE = "&emsp;"  # between the columns, which MLflow's pages put side by side
LONGEST = 7500  # characters that a tag takes, with room to spare


@dataclass
class StudySummary:
    """What is known of one entry on one task when the campaign is over.

    `metrics` by name (hypervolume, top1_at_2x, compression_within_1pt, …), written as `summary/<name>`.
    `front`: one row a point; a row with the key `id` (of a record) or `config` is linked to its trials' runs.
    `figures`: image files to show with it, the first of them on its page. `versions` of what made it.
    """

    suite: str
    task: str
    entry: str
    metrics: Mapping[str, float]
    front: Sequence[Mapping[str, Any]] = ()
    figures: Sequence[Path] = ()
    versions: Mapping[str, str] | None = None


def run_path(experiment: str, run: str) -> str:
    """The part of the address after the host that shows a run."""
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
    """A study as a run, in place of the one before; returns the run's id. `models` are MLflow's, by trial."""
    from mlflow.entities import Metric

    client, now = tracker.client, int(time.time() * 1000)
    before = [
        run for run in tracker.runs(experiment, "study") if run.data.tags.get("bench.entry") == summary.entry
    ]
    rows, linked = _front(summary, trials, models, experiment)
    tags = {"bench.kind": "study", "bench.entry": summary.entry, "bench.task": summary.task}
    tags |= {"mlflow.runColor": colour} if colour else {}
    tags |= {f"version.{name}": version for name, version in (summary.versions or {}).items()}
    run = client.create_run(experiment, start_time=now, tags=tags, run_name=summary.entry).info.run_id
    values = {f"summary/{name.removeprefix('summary/')}": value for name, value in summary.metrics.items()}
    client.log_batch(run, [Metric(name, value, now, 0) for name, value in values.items()])
    if data is not None:
        client.log_inputs(run, [data])
    if rows:
        client.log_text(run, table(rows), "front.csv")
        client.log_text(run, markdown(linked), "front.md")
    for figure in summary.figures:
        client.log_artifact(run, str(figure), "figures")
    client.set_tag(run, NOTE, _note(linked, summary.figures, run))
    client.set_terminated(run)
    for old in before:  # after the new one is whole, so that there is always one
        client.delete_run(old.info.run_id)
    return str(run)


def _front(
    summary: StudySummary, trials: "Mapping[str, Run]", models: Mapping[str, str], experiment: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The front's rows with the ids of their runs, and the same with links for Markdown."""
    rows, linked = [], []
    for row in summary.front:
        found = {
            identity: run
            for identity, run in trials.items()
            if identity == row.get("id") or run.data.tags.get("bench.config") == row.get("config", "")
        }
        made = [models[identity] for identity in found if identity in models]
        runs = [run.info for run in found.values()]
        rows.append({**row, "models": " ".join(made), "runs": " ".join(run.run_id for run in runs)})
        kept = {key: value for key, value in row.items() if key not in ("id", "config")}
        names = [(run.run_name or run.run_id).removeprefix(f"{summary.entry} ") for run in runs]
        paths = [run_path(experiment, run.run_id) for run in runs]
        links = [f"[{name}]({path})" for name, path in zip(names, paths, strict=True)]
        files = [f"[model]({model_path(experiment, model)})" for model in made]
        linked.append({**kept, "runs": ", ".join(links), "model": ", ".join(files)})
    return rows, linked


def _note(linked: list[dict[str, Any]], figures: Sequence[Path], run: str) -> str:
    """What the run's page opens with: the front, and under it the first figure."""
    parts = []
    if linked:
        spaced = [{f"{key}{SPACE}": f"{_cell(value)}{SPACE}" for key, value in row.items()} for row in linked]
        parts.append(markdown(spaced))
    if figures:
        name = quote(f"figures/{figures[0].name}")
        parts.append(f"![{figures[0].stem}](get-artifact?path={name}&run_uuid={run})\n")
    text = "\n".join(parts)
    return text if len(text) <= LONGEST else text[: text.rfind("\n", 0, LONGEST) + 1]  # whole rows


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value if value is not None else "")
