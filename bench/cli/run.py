"""What the commands do, once their options are read."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from ...errors import SparsebenchError
from ..campaign.options import RunOptions
from ..system.urls import without_login
from ..tracking.client import DATABASE
from .console import stderr_console, stdout_console


def train(dataset: str, model: str, method: str, *, threads: int, **options: Any) -> None:
    """One trial; the record on stdout, progress on stderr."""
    import torch

    from ..training.train import train as train_once

    torch.set_num_threads(threads)
    record = train_once(dataset, model, method, on_event=progress, **options)
    print(json.dumps(json.loads(record.to_json()), indent=2) if sys.stdout.isatty() else record.to_json())
    if record.status != "ok":
        raise SparsebenchError(f"the trial {record.status}: {record.reason}")


def progress(event: dict[str, Any]) -> None:
    """An event of a training, on stderr."""
    console = stderr_console()
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


def run(suite: str, options: RunOptions) -> None:
    """A campaign with a live display, then its leaderboard."""
    if options.executor == "local":
        from ..executors.local.fork_server import start_server

        start_server()  # workers import torch beside what follows
    from ..campaign import driver as campaign
    from ..campaign import publish
    from ..progress.live_table import LiveTable
    from ..progress.log_lines import LogLines

    console = stderr_console()
    if console.is_terminal and not console.is_dumb_terminal:
        with LiveTable(console) as bars:
            result = campaign.run(suite, options, display=bars)
    else:
        result = campaign.run(suite, options, display=LogLines(console))
    if result.stopped_by is not None:
        console.print(
            f"stopped with {len(result.records)} records in {result.folder}; the same command continues",
            highlight=False,
            soft_wrap=True,
        )
        sys.exit(128 + result.stopped_by)
    out = stdout_console()
    out.print(publish.leaderboard_table(result.folder, result.records))
    _point_to(out, result.folder, options.tracking_uri)


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


def dry_run(suite: str, options: RunOptions) -> None:
    """What `run` would do, how many trials and steps, and about how long."""
    from ..campaign.dry_run import cost_table, estimate

    stdout_console().print(cost_table(estimate(suite, options)))
