"""The saved chart views of an experiment in MLflow: the fronts of its entries, and all its trials.

MLflow stores a shared view as an experiment tag: a name, two times and the page's state, deflated. The format
is not documented and is the one of MLflow 3.17's pages: other versions may show it otherwise. A test opens
the pages in a browser.
"""

import base64
import json
import time
import zlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mlflow import MlflowClient

MADE_FOR = "3.17"
FRONTS, TRIALS = "sparsebench", "sparsebench-trials"  # keys of the two views
TAG = "mlflow.sharedViewState.{}"
# Accuracy in percent at a common compression, an axis of parallel coordinates. MLflow sorts names as text.
AT = "acc/{:03g}x"
_MAIN = "sparsebench-main"
_FOLDED = ("front", "acc", "eval", "cost", "summary", "diag", "curve")  # MLflow's own charts by prefix
_RUNS = 1000  # the most that a chart draws; the page itself loads a hundred at a time

Range = tuple[float, float]


class Line(NamedTuple):
    """Two metrics of a study run, whose histories are its front: MLflow's pages show their names as titles.

    Attributes:
        accuracy: Accuracy in percent, the title of the chart.
        over: What it is drawn over, the title of the axis. MLflow has no logarithmic axis for a metric.

    Example:
        >>> OVER_COMPRESSION.over
        'front/log10 of compression'
    """

    accuracy: str
    over: str


OVER_COMPRESSION = Line("front/accuracy against compression", "front/log10 of compression")
OVER_FLOPS = Line("front/accuracy against FLOPs", "front/log10 of FLOPs reduction")
OVER_LATENCY = Line("front/accuracy against latency", "front/log10 of milliseconds")
LINES = (OVER_COMPRESSION, OVER_FLOPS, OVER_LATENCY)  # the charts of the fronts, in their order on the page


def view_path(experiment: str, view: str = FRONTS) -> str:
    """Returns the address, from the slash after the host on, that opens an experiment's saved charts.

    Args:
        experiment: MLflow's id of the experiment.
        view: Which view, `FRONTS` or `TRIALS`.

    Returns:
        The path and query of MLflow's page of runs, in its chart mode with a view of `save_views`.

    Example:
        >>> view_path("1")
        '/#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey=sparsebench'
    """
    query = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={view}"
    return f"/#/experiments/{experiment}/runs?{query}"


def views_note(experiment: str) -> str:
    """Returns the description of an experiment: links to its saved charts, for who comes from MLflow's lists.

    Args:
        experiment: MLflow's id of the experiment.

    Returns:
        Markdown.

    Example:
        >>> views_note("1").startswith("Saved charts: [fronts](#/experiments/1/runs?")
        True
    """
    fronts, trials = (view_path(experiment, view).removeprefix("/") for view in (FRONTS, TRIALS))
    return f"Saved charts: [fronts]({fronts}) · [all trials]({trials})"


def unknown_to() -> str | None:
    """Returns a warning where the installed MLflow may not read the format of the view.

    Returns:
        One sentence; None for MLflow 3.17, whose pages the format was taken from.

    Example:
        >>> (unknown_to() is None) == version("mlflow").startswith(f"{MADE_FOR}.")
        True
    """
    there = version("mlflow")
    if there.startswith(f"{MADE_FOR}."):
        return None
    return f"MLflow {there} may not show the saved charts, made for {MADE_FOR}; all else is there"


def save_fronts_view(
    client: "MlflowClient", experiment: str, axes: Sequence[str], accuracies: Range | None
) -> None:
    """Writes the view of the fronts of an experiment, in place of an older one.

    Args:
        client: The MLflow client to write with.
        experiment: MLflow's id of the experiment.
        axes: Metrics that the study runs have, see `fronts_state`.
        accuracies: The range of the accuracy axis of the fronts, as fractions; None leaves it to MLflow.

    Example:
        >>> class Client:
        ...     def set_experiment_tag(self, experiment, key, value):
        ...         print(experiment, key, json.loads(value)["name"])
        >>> save_fronts_view(Client(), "1", ["acc/004x", "summary/score"], (0.8, 1.0))
        1 mlflow.sharedViewState.sparsebench Fronts
    """
    _save(client, experiment, FRONTS, "Fronts", fronts_state(axes, accuracies))


def save_trials_view(client: "MlflowClient", experiment: str) -> None:
    """Writes the view of all trials of an experiment, in place of an older one.

    Args:
        client: The MLflow client to write with.
        experiment: MLflow's id of the experiment.

    Example:
        >>> class Client:
        ...     def set_experiment_tag(self, experiment, key, value):
        ...         print(experiment, key, json.loads(value)["name"])
        >>> save_trials_view(Client(), "1")
        1 mlflow.sharedViewState.sparsebench-trials All trials
    """
    _save(client, experiment, TRIALS, "All trials", trials_state())


def _save(client: "MlflowClient", experiment: str, key: str, name: str, state: dict[str, Any]) -> None:
    now = int(time.time() * 1000)
    view = {"name": name, "createdAt": now, "updatedAt": now, "state": deflate(state)}
    client.set_experiment_tag(experiment, TAG.format(key), json.dumps(view))


def deflate(state: dict[str, Any]) -> str:
    """Returns a page's state in the encoding that MLflow's pages read.

    Args:
        state: JSON-like state of the page.

    Returns:
        `deflate;` and the zlib-compressed JSON in base64.

    Example:
        >>> encoded = deflate({"groupBy": None}).removeprefix("deflate;")
        >>> zlib.decompress(base64.b64decode(encoded))
        b'{"groupBy":null}'
    """
    packed = zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 9)
    return "deflate;" + base64.b64encode(packed).decode()


def fronts_state(axes: Sequence[str], accuracies: Range | None = None) -> dict[str, Any]:
    """Returns the state of the page of the fronts: study runs alone, a line for each entry.

    Args:
        axes: Metrics of the parallel coordinates, the one that ranks the entries last: the runs are sorted
            by it.
        accuracies: The range of the accuracy axis, as fractions.

    Returns:
        The state as MLflow's pages store it, before `deflate`.

    Example:
        >>> state = fronts_state(["acc/004x", "summary/score"])
        >>> state["searchFilter"], state["orderByKey"]
        ("tags.`bench.kind` = 'study'", 'metrics.`summary/score`')
        >>> [(chart["type"], chart["displayName"]) for chart in state["compareRunCharts"]][2:]
        [('LINE', 'front/accuracy against latency'), ('PARALLEL', 'Numbers of the leaderboard')]
    """
    charts = [_line(line, accuracies) for line in LINES]
    charts.append(_parallel("Numbers of the leaderboard", [], axes))
    columns = [f"metrics.`{name}`" for name in reversed(axes)]
    return _page("Fronts", "tags.`bench.kind` = 'study'", columns[0], charts, columns)


def trials_state() -> dict[str, Any]:
    """Returns the state of the page of all trials: accuracy against compression and FLOPs, a mark a trial.

    Returns:
        The state as MLflow's pages store it, before `deflate`; every run that the page loads is drawn.

    Example:
        >>> [(chart["type"], chart["displayName"]) for chart in trials_state()["compareRunCharts"]][::2]
        [('SCATTER', 'Accuracy against log2 compression'), ('PARALLEL', 'Recipe, cost and accuracy')]
    """
    charts = [
        _scatter("compression", "cost/log2_compression", "eval/top1", "Accuracy against log2 compression"),
        _scatter("flops", "cost/log2_speedup", "eval/top1", "Accuracy against log2 speed-up"),
        _parallel(
            "Recipe, cost and accuracy", ["lr", "weight_decay"],
            ["cost/log2_compression", "cost/seconds", "eval/top1"],
        ),
    ]  # fmt: skip
    metrics = ("eval/top1", "eval/test_top1", "cost/compression", "cost/flops_ratio")
    columns = [f"metrics.`{key}`" for key in metrics] + ["params.`lr`", "params.`seed`", "tags.`bench.phase`"]
    return _page(
        "Accuracy against cost", "tags.`bench.kind` = 'trial'", "params.`trial`", charts, columns, rising=True
    )


def _page(
    title: str,
    only: str,
    order: str,
    charts: Sequence[dict[str, Any]],
    columns: Sequence[str],
    *,
    rising: bool = False,
) -> dict[str, Any]:
    """Returns a page's state: own charts in a section of their own, MLflow's default ones collapsed."""
    sections = [_section(_MAIN, title, shown=True) | {"columns": 1, "cardHeight": 440}]
    sections += [_section(f"sparsebench-{name}", name, shown=False) for name in _FOLDED]
    return {
        "searchFilter": only,
        "orderByKey": order,
        "orderByAsc": rising,
        "selectedColumns": list(columns),
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": list(charts),
        "compareRunSections": sections,
        "isAccordionReordered": True,
        "viewMaximized": False,
        "runListHidden": False,
        "hideEmptyCharts": True,
        "groupBy": None,
    }


def _section(uuid: str, name: str, *, shown: bool) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "name": name,
        "display": shown,
        "isReordered": False,
        "deleted": False,
        "isGenerated": not shown,
    }


def _chart(name: str, kind: str, title: str) -> dict[str, Any]:
    return {
        "uuid": f"sparsebench-chart-{name}",
        "type": kind,
        "runsCountToCompare": _RUNS,
        "metricSectionId": _MAIN,
        "deleted": False,
        "isGenerated": False,
        "displayName": title,
    }


def _scatter(name: str, x: str, y: str, title: str) -> dict[str, Any]:
    axes = {axis: {"key": key, "type": "METRIC"} for axis, key in (("xaxis", x), ("yaxis", y))}
    return _chart(name, "SCATTER", title) | axes


def _line(line: Line, accuracies: Range | None) -> dict[str, Any]:
    """A line through the history of a metric, over that of another."""
    axes = {
        "xAxisKey": "metric", "selectedXAxisMetricKey": line.over, "xAxisScaleType": "linear",
        "scaleType": "linear", "lineSmoothness": 0,
        "useGlobalXaxisKey": False, "useGlobalLineSmoothing": False,
    }  # fmt: skip
    low, high = (None, None) if accuracies is None else (round(100 * end, 2) for end in accuracies)
    shown = {
        "metricKey": line.accuracy, "selectedMetricKeys": [line.accuracy], "displayPoints": True,
        "range": {"xMin": None, "xMax": None, "yMin": low, "yMax": high},
    }  # fmt: skip
    return _chart(line.over, "LINE", line.accuracy) | shown | axes


def _parallel(title: str, parameters: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    """Parallel coordinates of what every run has: MLflow omits a run that lacks one of the values."""
    chosen = {
        "selectedParams": list(parameters), "selectedMetrics": list(metrics), "showAllRuns": True,
    }  # fmt: skip
    return _chart("parallel", "PARALLEL", title) | chosen
