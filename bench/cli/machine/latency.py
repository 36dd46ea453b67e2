"""`sparsebench latency`: measures the models of a folder's boards on this machine."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from ....errors import SparsebenchError
from ....records.measured.latency import FILE, Latency
from ....reports.tables.latency import format_speed, milliseconds
from ...latency.options import Options
from ..console import print_line, stderr_console, stdout_console
from ..results import read_records
from ..run import point_to


def print_latency(
    folder: Path,
    options: Options,
    data: Path | None = None,
    tasks: Sequence[str] = (),
    entries: Sequence[str] = (),
) -> None:
    """Measures the models of a folder, prints their times, and writes the report again with them.

    Args:
        folder: The output folder.
        options: How to measure.
        data: Folder of the datasets.
        tasks: Only these tasks; all where there are none.
        entries: Only these entries.

    Raises:
        SparsebenchError: The folder has no records or no models, a name is not one of it, or nothing could be
            measured.

    Example:
        >>> print_latency(folder, Options())
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: '...' has no models of a board...
    """
    from ...campaign import publish
    from ...campaign.counted import counted
    from ...campaign.latencies import board_models_at, measure_models

    records = read_records(folder)
    boards = publish.ranked(folder, records)
    models = board_models_at(folder, counted(folder, records), boards, tasks, entries)
    if not models:
        raise SparsebenchError(
            f"{str(folder)!r} has no models of a board: a complete run keeps them in its folder `models`"
        )
    console = stderr_console()
    found = []
    for one in measure_models(folder, models, options, partial(print_line, console), data):
        found.append(one)
        print_line(console, progress_line(one))
    if not found:
        raise SparsebenchError(f"none of {len(models)} models could be measured; the lines above say why")
    stdout_console().print(latency_table(found))
    publish.report_folder(folder, publish.timed(folder, boards), say=partial(print, file=sys.stderr))
    out = stdout_console()
    print_line(out, f"{'times':>12}  {folder / FILE}")
    point_to(out, folder)


def progress_line(one: Latency) -> str:
    """Returns the line that is printed when a model has been measured.

    Args:
        one: Its times.

    Returns:
        The line.

    Example:
        >>> progress_line(made_up_latency("dwf-3", at=64, batch=64))
        'made_up-net  dwf-3 @64  batch 64: 0.1 ms dense (ONNX Runtime), 0.04 ms (compacted): 2.50×'
    """
    at = "" if one.at is None else f" @{one.at:g}"
    return (
        f"{one.task}  {one.entry}{at}  batch {one.batch}: {milliseconds(one.dense_seconds)} ms dense "
        f"({one.fastest_dense}), {milliseconds(one.seconds)} ms ({one.fastest_sparse}): "
        f"{format_speed(one.speedup)}"
    )


def latency_table(found: Sequence[Latency]) -> Table:
    """Returns a table of measured times, one line a model and batch size.

    Args:
        found: The times, of one machine.

    Returns:
        The table.

    Example:
        >>> from rich.console import Console
        >>> Console(width=140).print(latency_table([made_up_latency("dwf-3", at=64, batch=64)]))
        Made-up CPU, 1 thread
        ...
        │ made_up-net │ dwf-3 │ 64 │    64 │ 0.1 ONNX Runtime │ 0.04 compacted │ 0.10 │ 2.50× │  10.0 │ ...
    """
    table = Table(title=found[0].machine.title, title_justify="left")
    for name in ("task", "entry"):
        table.add_column(name)
    for name in (
        "at",
        "batch",
        "dense ms",
        "sparse ms",
        "spread",
        "speed-up",
        "MACs ÷",
        "file kB",
        "memory kB",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        cells: list[Any] = [
            one.task,
            one.entry,
            "" if one.at is None else f"{one.at:g}",
            one.batch,
            f"{milliseconds(one.dense_seconds)} {one.fastest_dense}",
            f"{milliseconds(one.seconds)} {one.fastest_sparse}",
            f"{one.sparse[one.fastest_sparse].spread:.2f}",
            format_speed(one.speedup),
            f"{one.size.macs / max(1, one.compacted.macs):.1f}",
            f"{one.size.file_bytes / 1e3:.4g} → {one.compacted.file_bytes / 1e3:.4g}",
            f"{one.size.memory_bytes / 1e3:.4g} → {one.compacted.memory_bytes / 1e3:.4g}",
        ]
        table.add_row(*map(str, cells))
    return table
