"""Options that several commands share, and the reading of name=value words."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import SparsebenchError

Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file that registers methods, datasets or models."),
]

DataRoot = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of the datasets; else SPARSEBENCH_DATA, else a cache folder."),
]

Address = Annotated[
    str | None,
    typer.Option(help="Ray's head as host:6379, or auto.", show_default="RAY_ADDRESS, else a Ray of its own"),
]

Extend = Annotated[
    bool,
    typer.Option("--extend", help="Continue a run whose suite has gained entries, tasks, trials or seeds."),
]

Tracking = Annotated[str | None, typer.Option(help="MLflow server.", show_default="<folder>/mlflow.db")]

Storage = Annotated[str | None, typer.Option(help="Optuna storage URL.", show_default="<folder>/optuna.db")]

OutFolder = Annotated[Path, typer.Argument(help="Output folder of a run.")]

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable, on stdout.")]


def pairs(words: Sequence[str], option: str) -> dict[str, str]:
    """`name=value` words to a dictionary. Errors: a word without `=`."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise SparsebenchError(f"{option} {word!r}: write name=value")
        found[name] = value
    return found


def names(text: str, option: str) -> list[str]:
    """The names of `a,b`. Errors: an empty one."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise SparsebenchError(f"{option} {text!r} has an empty name: write them as a,b")
    return found


def values(words: Sequence[str], option: str) -> dict[str, Any]:
    """The same with numbers, true and false as such, since nothing says what a model's argument should be."""

    def value(text: str) -> Any:
        try:
            found = json.loads(text)
        except ValueError:
            return {"True": True, "False": False}.get(text, text)
        if isinstance(found, float) and not math.isfinite(found):
            raise SparsebenchError(f"{option} {text!r}: not a finite number")
        return found

    return {name: value(text) for name, text in pairs(words, option).items()}
