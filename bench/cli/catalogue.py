"""`sparsebench list` and `sparsebench show`: the methods, datasets, models and suites, as text or JSON."""

import inspect
import json
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from ...errors import UnknownName
from ...methods.api import Sparsifier, knobs_of
from ...registry import load_plugin
from ..config.method_docs import describe_method
from .console import SafeConsole

Rows = list[dict[str, Any]]


def _methods() -> Rows:
    from ...methods.api import registry

    return [
        {"name": name, "summary": _summary(cls), "knobs": list(knobs_of(cls)), "reference": cls.reference}
        for name, cls in registry.items()
    ]


def _datasets() -> Rows:
    from ...datasets.api import registry

    return [
        {
            "name": name,
            "summary": d.summary,
            "shape": list(d.shape) if d.shape else None,
            "classes": d.classes,
            "train_size": d.train_size,
            "downloads": d.downloads,
            "args": dict(d.args),
        }
        for name, d in registry.items()
    ]


def _models() -> Rows:
    from ..models.factory import model_names
    from ..models.networks import OURS

    return [{"name": name, "from": "sparsebench" if name in OURS else "timm"} for name in model_names()]


def _suites() -> Rows:
    from ..config.suite import load_suite, shipped

    found = []
    for name in shipped():
        suite = load_suite(name)
        tasks, entries = [task.name for task in suite.tasks], [entry.label for entry in suite.entries]
        found.append({"name": name, "summary": suite.summary, "tasks": tasks, "entries": entries})
    return found


KINDS = {"methods": _methods, "datasets": _datasets, "models": _models, "suites": _suites}


def print_list(kind: str, pattern: str = "", *, as_json: bool = False, plugins: Sequence[Path] = ()) -> None:
    """Prints the methods, datasets, models or suites, one a line with a summary.

    Args:
        kind: `methods`, `datasets`, `models` or `suites`.
        pattern: Print only the names that match, with shell wildcards; empty for all.
        as_json: Print a JSON list of objects, which say more than the table (knobs, shapes, entries).
        plugins: Python files to import first, for what they register.

    Raises:
        UnknownName: A kind other than these four.

    Example:
        >>> print_list("suites", "mnist-lenet?")
        mnist-lenet5  MNIST on LeNet-5 (Caffe form), 30 epochs
    """
    for plugin in plugins:
        load_plugin(plugin)
    if kind not in KINDS:
        raise UnknownName("kind of thing to list", kind, KINDS)
    rows = [row for row in KINDS[kind]() if not pattern or fnmatch(row["name"], pattern)]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(f"[bold]{escape(row['name'])}[/]", escape(str(row.get("summary", row.get("from", "")))))
    SafeConsole(markup=True).print(table)


def _summary(cls: type[Sparsifier]) -> str:
    return (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")


def print_method(name: str, *, as_json: bool = False, plugins: Sequence[Path] = ()) -> None:
    """Prints one method: reference, equation, and its knobs with defaults, search ranges and bounds.

    The knobs of the recipe that a search covers (`lr`, `weight_decay`) are listed after the method's own,
    with the ranges that the method claims for them.

    Args:
        name: The name that the method is registered under.
        as_json: Print `describe_method(name)` as JSON.
        plugins: Python files to import first, for what they register.

    Raises:
        UnknownName: No method of that name.

    Example:
        >>> print_method("magnitude")
        magnitude  arXiv:1506.02626
        ...
        knob          default  searched           allowed
        sparsity      0.9      0.5…0.999 density  0…0.99999 ...
        optimizers: sgd, adam, adamw; leaves exact zeros
    """
    from ...methods.api import registry

    for plugin in plugins:
        load_plugin(plugin)
    found = describe_method(name)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    cls = registry[name]
    console = SafeConsole(markup=True)
    console.print(f"[bold]{escape(name)}[/]  {escape(cls.reference)}\n\n{escape(found['doc'])}\n")
    table = Table("knob", "default", "searched", "allowed", "", box=None, pad_edge=False, header_style="bold")
    for row in found["knobs"]:
        searched = _range(row["searched"]) + (f" {row['scale']}" if row["searched"] and row["scale"] else "")
        allowed = ", ".join(map(str, row["choices"])) if row["choices"] else _range(row["allowed"])
        table.add_row(*map(escape, (row["name"], f"{row['default']}", searched, allowed, row["doc"])))
    console.print(table)
    zeros = (
        "exact zeros"
        if cls.exact_zeros
        else "small weights: zeros by float32 eps and by a validated threshold"
    )
    console.print(f"\noptimizers: {', '.join(cls.optimizers)}; leaves {zeros}", highlight=False)


def _range(bounds: list[float | None] | None) -> str:
    if bounds is None:
        return "–"
    low, high = ("" if b is None else f"{b:g}" for b in bounds)
    return f"{low}…{high}"
