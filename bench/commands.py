"""What the commands do, once their options are read."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ..errors import SparsebenchError
from .addresses import without_login
from .mlflow_store import DATABASE
from .records import edits, load_records


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


def train(dataset: str, model: str, method: str, *, threads: int, **options: Any) -> None:
    """One trial; the record on stdout, progress on stderr."""
    import torch

    from .api import train as train_once

    torch.set_num_threads(threads)
    record = train_once(dataset, model, method, on_event=progress, **options)
    print(json.dumps(json.loads(record.to_json()), indent=2) if sys.stdout.isatty() else record.to_json())
    if record.status != "ok":
        raise SparsebenchError(f"the trial {record.status}: {record.reason}")


def progress(event: dict[str, Any]) -> None:
    """An event of a training, on stderr."""
    console = Console(stderr=True)
    if "warning" in event:
        console.print(f"warning: {event['warning']}", highlight=False, markup=False, soft_wrap=True)
        return
    row = event["row"]
    extra = f"  misalignment {row['misalignment']:.4g}" if "misalignment" in row else ""
    console.print(
        f"step {row['step']:>7.0f}/{event['steps']}  loss {row['train_loss']:.4f}  "
        f"val {100 * row['val_accuracy']:.2f} %  "
        f"compression at |w| ≥ 1e-3: {row['compression_at_1e-3']:.3g}{extra}",
        highlight=False,
        soft_wrap=True,
    )


def run(suite: str, options: dict[str, Any]) -> None:
    """A campaign with a live display, then its leaderboard."""
    if options.get("executor", "local") == "local":
        from .executors.forks import forks

        forks()  # workers import torch beside what follows
    from . import campaign, publish
    from .bars import Bars
    from .lines import Lines

    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        with Bars(console) as bars:
            result = campaign.run(suite, **options, display=bars)
    else:
        result = campaign.run(suite, **options, display=Lines(console))
    if result.stopped_by is not None:
        console.print(
            f"stopped with {len(result.records)} records in {result.folder}; the same command continues",
            highlight=False,
            soft_wrap=True,
        )
        sys.exit(128 + result.stopped_by)
    out = Console(width=None if sys.stdout.isatty() else 160)
    out.print(publish.board(result.folder, result.records))
    _point_to(out, result.folder, options.get("tracking_uri"))


def _point_to(out: Console, folder: Path, tracked: str | None = None) -> None:
    """Where everything lies; `tracked` is the MLflow that has it in place of the folder's own database."""
    fronts = sorted(folder.glob("fronts-*.png"))
    lines = [("records", folder / "records.jsonl"), ("table", folder / "leaderboard.md")]
    lines += [("pages", folder / "site" / "index.html")]
    lines += [("Pareto plot", path) for path in fronts]
    for name, path in lines:
        out.print(f"{name:>12}  {path}", highlight=False, soft_wrap=True)
    own = f"sparsebench {'ui' if (folder / DATABASE).is_file() else 'track'} {folder}"
    mlflow = without_login(tracked) if tracked else own
    out.print(f"{'MLflow':>12}  {mlflow}", highlight=False, soft_wrap=True)


def dry_run(suite: str, machines: dict[str, Any], data: Path | None, options: dict[str, Any]) -> None:
    """What `run` would do, how many trials and steps, and about how long."""
    from .estimate import estimate, table
    from .executors.machines import Machines

    out = Console(width=None if sys.stdout.isatty() else 160)
    out.print(table(estimate(suite, Machines(**machines), data, options)))


def report(folder: Path) -> None:
    """Leaderboard and figures from the records alone."""
    from . import publish

    records = load_records(folder)
    if not records:
        raise SparsebenchError(f"no records in {str(folder)!r} yet")
    _warn_of_edits(folder)
    publish.report(folder, records)
    out = Console(width=None if sys.stdout.isatty() else 160)
    out.print(publish.board(folder, records))
    _point_to(out, folder)


def _warn_of_edits(folder: Path) -> None:
    if said := edits(folder):
        print(f"warning: {said}", file=sys.stderr)


def track(folder: Path, uri: str | None) -> None:
    """Publish what MLflow does not have yet."""
    from . import publish

    problems: list[str] = []
    records = load_records(folder)
    if not records:
        raise SparsebenchError(f"no records in {str(folder)!r} yet")
    _warn_of_edits(folder)
    count = publish.track(folder, records, uri, problems.append)
    if problems:
        raise SparsebenchError(problems[0])
    place = without_login(uri) if uri else f"the MLflow database in {folder}"
    print(f"{count} trials published to {place}")
