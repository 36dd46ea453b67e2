"""The saved chart view of an experiment in MLflow: accuracy over compressions, and against cost.

MLflow stores a shared view as an experiment tag: a name, two times and the page's state, deflated. The format
is not documented and is the one of MLflow 3.17's pages: other versions may show it otherwise. A test opens
the page in a browser.
"""

import base64
import json
import time
import zlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

MADE_FOR = "3.17"
KEY = "sparsebench"
TAG = f"mlflow.sharedViewState.{KEY}"
_MAIN = "sparsebench-main"
_FOLDED = ("eval", "cost", "summary", "diag", "curve")  # MLflow's own bar charts, one section a prefix
OVER_COMPRESSION = "summary/top1_over_compression"  # of a study run; its steps are compressions
_RUNS = 1000  # the most that a chart draws; the page itself loads a hundred at a time


def view_path(experiment: str) -> str:
    """Returns the address, from the slash after the host on, that opens an experiment's saved charts.

    Args:
        experiment: MLflow's id of the experiment.

    Returns:
        The path and query of MLflow's page of runs, in its chart mode with the view of `save_view`.

    Example:
        >>> view_path("1")
        '/#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey=sparsebench'
    """
    query = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={KEY}"
    return f"/#/experiments/{experiment}/runs?{query}"


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


def save_view(client: "MlflowClient", experiment: str) -> None:
    """Writes the chart view of an experiment, in place of an older one.

    Args:
        client: The MLflow client to write with.
        experiment: MLflow's id of the experiment.

    Example:
        >>> class Client:
        ...     def set_experiment_tag(self, experiment, key, value):
        ...         print(experiment, key, json.loads(value)["name"])
        >>> save_view(Client(), "1")
        1 mlflow.sharedViewState.sparsebench Accuracy against cost
    """
    now = int(time.time() * 1000)
    view = {
        "name": "Accuracy against cost",
        "createdAt": now,
        "updatedAt": now,
        "state": deflate(page_state()),
    }
    client.set_experiment_tag(experiment, TAG, json.dumps(view))


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


def page_state() -> dict[str, Any]:
    """Returns the state of the chart page: four own charts, MLflow's default ones collapsed.

    Returns:
        The state as MLflow's pages store it, before `deflate`; every run that the page loads is drawn.

    Example:
        >>> for chart in page_state()["compareRunCharts"]:
        ...     print(chart["type"], chart["displayName"], sep=": ")
        LINE: Accuracy of each entry at the common compressions
        SCATTER: Accuracy against log2 compression
        SCATTER: Accuracy against FLOPs (ratio to dense)
        PARALLEL: Recipe, cost and accuracy
    """
    charts = [
        _line("over_compression", OVER_COMPRESSION, "Accuracy of each entry at the common compressions"),
        _scatter("compression", "cost/log2_compression", "eval/top1", "Accuracy against log2 compression"),
        _scatter("flops", "cost/flops_ratio", "eval/top1", "Accuracy against FLOPs (ratio to dense)"),
        _parallel(),
    ]
    sections = [_section(_MAIN, "Accuracy against cost", shown=True) | {"columns": 2, "cardHeight": 420}]
    sections += [_section(f"sparsebench-{name}", name, shown=False) for name in _FOLDED]
    return {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "selectedColumns": _columns(),
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": charts,
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


def _line(name: str, metric: str, title: str) -> dict[str, Any]:
    """A line over the steps of a metric, which are compressions, on a logarithmic axis."""
    axes = {"xAxisKey": "step", "xAxisScaleType": "log", "scaleType": "linear", "selectedXAxisMetricKey": ""}
    own = {"useGlobalXaxisKey": False, "useGlobalLineSmoothing": False, "lineSmoothness": 0}
    shown = {"metricKey": metric, "selectedMetricKeys": [metric], "displayPoints": True}
    return _chart(name, "LINE", title) | shown | axes | own


def _parallel() -> dict[str, Any]:
    """Parallel coordinates of what every trial has: MLflow omits a run that lacks one of the values."""
    chosen = {
        "selectedParams": ["lr", "weight_decay"],
        "selectedMetrics": ["cost/log2_compression", "cost/seconds", "eval/top1"],
        "showAllRuns": True,
    }
    return _chart("parallel", "PARALLEL", "Recipe, cost and accuracy") | chosen


def _columns() -> list[str]:
    """Returns the columns of the table beside the charts."""
    metrics = ("eval/top1", "eval/test_top1", "cost/compression", "cost/flops_ratio", "summary/score")
    return [f"metrics.`{key}`" for key in metrics] + ["params.`lr`", "params.`seed`", "tags.`bench.phase`"]
