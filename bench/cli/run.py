"""`sparsebench run` and `sparsebench train`: their execution, progress display and results."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from ...commands import path_word
from ...errors import SparsebenchError, printable
from ...records.fields import CompressionPoint as CompressionPoint
from ...records.record import Record
from ..campaign.options import RunOptions
from ..system.mlflow_address import named_address
from ..system.urls import without_login
from ..tracking.client import DATABASE
from .console import print_json, print_line, stderr_console, stdout_console


def print_training(dataset: str, model: str, method: str, *, threads: int, **options: Any) -> None:
    """Trains one trial; prints its record as JSON on stdout and its progress on stderr.

    Args:
        dataset: The dataset's name.
        model: The model's name.
        method: The method's name.
        threads: CPU threads of torch; the results may depend on it in the last bits.
        options: Further arguments of `sparsebench.train`: `settings`, `seed`, `data`, `device`, `save`, ….

    Raises:
        SparsebenchError: A name or setting that is not valid; a trial that failed or diverged, after its
            record was printed.

    Example:
        >>> print_training("planted", "lenet_300_100", "dense", threads=1,
        ...       settings={"epochs": 1}, data_args={"n": 320, "valid": 64})
        {"schema":2,...,"method":"dense",...,"status":"ok",...}
    """
    import torch

    from ..training.train import train as train_once

    torch.set_num_threads(threads)
    record = train_once(dataset, model, method, on_event=print_progress, **options)
    print_curve(record)
    print_json(
        json.dumps(json.loads(record.to_json()), indent=2) if sys.stdout.isatty() else record.to_json()
    )
    if record.status != "ok":
        raise SparsebenchError(f"the trial {record.status}: {record.reason}")


def print_progress(event: dict[str, Any]) -> None:
    """Prints an event of a training on stderr.

    Args:
        event: `{"warning": text}`, or `{"row": a row of the curve, "steps": steps of the whole training}`.

    Example:
        >>> row = {"step": 385, "train_loss": 0.21, "val_accuracy": 0.958, "compression_at_1e-3": 12.4}
        >>> from contextlib import redirect_stderr
        >>> with redirect_stderr(sys.stdout):
        ...     print_progress({"row": row, "steps": 770})
        step 385/770  loss 0.2100  val 95.80 %  compression at |w| ≥ 1e-3: 12.4
    """
    console = stderr_console()
    if "warning" in event:
        print_line(console, f"warning: {event['warning']}")
        return
    row = event["row"]
    extra = f"  misalignment {row['misalignment']:.4g}" if "misalignment" in row else ""
    print_line(
        console,
        f"step {row['step']:>7.0f}/{event['steps']}  loss {row['train_loss']:.4f}  "
        f"val {100 * row['val_accuracy']:.2f} %  "
        f"compression at |w| ≥ 1e-3: {row['compression_at_1e-3']:.3g}{extra}",
    )


def print_curve(record: Record) -> None:
    """Prints on stderr what a record shows at the common compressions.

    Args:
        record: The record of a trial.

    Example:
        >>> point = CompressionPoint(at=64, val_accuracy=0.95, nonzeros=4159, cut=True, test_accuracy=0.94)
        >>> from contextlib import redirect_stderr
        >>> with redirect_stderr(sys.stdout):
        ...     print_curve(record.model_copy(update={"at_compressions": [point], "compressions": [64, 1e6]}))
        compression  validation %  test %  weights
                 64         95.00   94.00    4,159  cut
        cut: the largest weights by magnitude alone, without retraining
        left out, as the network is too small: 1e+06
    """
    if not record.at_compressions:
        return
    channels = record.granularity == "channels"
    titles = ("fewer MACs" if channels else "compression", "validation %", "test %", "weights")
    rows = [
        (
            f"{p.at:g}",
            f"{100 * p.val_accuracy:.2f}",
            _percent(p.test_accuracy),
            f"{p.nonzeros:,}",
            "cut" * p.cut,
        )
        for p in record.at_compressions
    ]
    widths = [max(map(len, column)) for column in zip(titles, *(row[:4] for row in rows), strict=True)]
    console = stderr_console()
    for cells in ((*titles, ""), *rows):
        aligned = (cell.rjust(width) for cell, width in zip(cells[:4], widths, strict=True))
        print_line(console, "  ".join([*aligned, cells[4]]).rstrip())
    if any(point.cut for point in record.at_compressions):
        largest = "channels by norm" if channels else "weights by magnitude"
        print_line(console, f"cut: the largest {largest} alone, without retraining")
    if left := sorted(set(record.compressions) - {point.at for point in record.at_compressions}):
        print_line(console, f"left out, as the network is too small: {', '.join(f'{c:g}' for c in left)}")


def _percent(accuracy: float | None) -> str:
    return "–" if accuracy is None else f"{100 * accuracy:.2f}"


def print_run(suite: str, options: RunOptions) -> None:
    """Runs a campaign with a progress display, then prints its leaderboard and the paths of its files.

    The display is a live table where stderr is a terminal, else lines of a log. Where a signal stopped the
    campaign, the process exits with 128 + the signal's number, as shells do.

    Args:
        suite: The name of a shipped suite, or the path of a TOML file.
        options: The options of the run.

    Raises:
        SparsebenchError: A suite or an option that is not valid, or an output folder that cannot be used.

    Example:
        >>> print_run("quikstart", RunOptions(executor="ray"))
        Traceback (most recent call last):
        ...
        sparsebench.errors.UnknownName: unknown suite 'quikstart': did you mean 'quickstart' or ...?
    """
    if options.executor == "local":
        from ..executors.local.fork_server import start_server

        start_server()  # workers import torch beside what follows
    from ...reports.tables.terminal import LeaderboardTable
    from ..campaign import driver as campaign
    from ..progress.live_table import LiveTable
    from ..progress.log_lines import LogLines

    console = stderr_console()
    if console.is_terminal and not console.is_dumb_terminal:
        with LiveTable(console) as bars:
            result = campaign.run(suite, options, display=bars)
    else:
        result = campaign.run(suite, options, display=LogLines(console))
    if result.stopped_by is not None:
        print_line(
            console,
            f"stopped with {len(result.records)} records in {result.folder}; the same command continues",
        )
        sys.exit(128 + result.stopped_by)
    out = stdout_console()
    out.print(LeaderboardTable(result.boards))
    point_to(out, result.folder, named_address(options.tracking_uri))
    for sentence in result.failed:
        print_line(console, f"problem: {printable(sentence)}")
    if not result.complete:
        sys.exit(1)


def point_to(out: Console, folder: Path, tracked: str | None = None) -> None:
    """Prints the paths of a run's files.

    Args:
        out: The console.
        folder: The output folder.
        tracked: The MLflow server used in place of the folder's own.

    Example:
        >>> point_to(stdout_console(), folder)
         records  /.../run/records.jsonl
        ...
    """
    fronts = sorted(folder.glob("fronts-*.png"))
    lines = [("records", folder / "records.jsonl"), ("table", folder / "leaderboard.md")]
    lines += [("pages", folder / "site" / "index.html")]
    lines += [("fronts", path) for path in fronts]
    for name, path in lines:
        print_line(out, f"{name:>12}  {path}")
    own = f"sparsebench {'ui' if (folder / DATABASE).is_file() else 'track'} {path_word(folder)}"
    mlflow = without_login(tracked) if tracked else own
    print_line(out, f"{'MLflow':>12}  {mlflow}")


def print_dry_run(suite: str, options: RunOptions) -> None:
    """Prints what a run would cost: trials, optimizer steps and an estimate of the time; trains nothing.

    Args:
        suite: The name of a shipped suite, or the path of a TOML file.
        options: The options of the run; its devices and budget count.

    Raises:
        SparsebenchError: A suite, an option or a device that is not valid.

    Example:
        >>> print_dry_run("quickstart", RunOptions(methods=["dense"], trials=8, devices="cpu:1"))
        task                  prunable  entries  search trials  confirm trials  steps a trial  ms a step
        digits-lenet_300_100    99.2 %        1              8            ≤ 15            770        ...
        quickstart: at most 23 trials, 17,710 optimizer steps; about ...
    """
    from ..campaign.dry_run import cost_table, estimate

    stdout_console().print(cost_table(estimate(suite, options)))
