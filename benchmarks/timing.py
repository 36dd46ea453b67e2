"""Times of several contestants in one run: blocks in turn, medians of paired ratios, results as JSON."""

import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from sparsebench.bench.executors.execute import prepare_process
from sparsebench.bench.latency.machine import device_name

Block = Callable[[], object]
RESULTS = Path(__file__).with_name("results")
LOAD = os.getloadavg()  # before anything was run


def one_thread() -> None:
    """What a worker of the harness does before anything else."""
    prepare_process(threads=1)


def machine() -> dict[str, Any]:
    """Where the numbers come from."""
    return {
        "processor": device_name("cpu"),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load_before": [round(x, 1) for x in LOAD],
    }


def _clocks() -> tuple[float, float]:
    """Wall clock, and processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(u.ru_utime + u.ru_stime for u in used)


def interleaved(blocks: Mapping[str, Block], repetitions: int) -> dict[str, list[tuple[float, float]]]:
    """Every block once to warm up, then all of them in turn: (wall, processor) seconds of each call."""
    for block in blocks.values():
        block()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in blocks}
    for _ in range(repetitions):
        for name, block in blocks.items():
            wall, cpu = _clocks()
            block()
            end_wall, end_cpu = _clocks()
            times[name].append((end_wall - wall, end_cpu - cpu))
    return times


def compare(
    blocks: Mapping[str, Block], reference: str, repetitions: int, per_block: int = 1
) -> dict[str, dict[str, float]]:
    """Milliseconds of each contestant (medians over a block's `per_block` units), and ratios to one of them.

    A ratio is the median of the ratios of neighbouring blocks. Processor time is what a busy machine
    disturbs least; wall time is what a user waits for.
    """
    times = interleaved(blocks, repetitions)
    table = {}
    for name, own in times.items():
        row = {}
        for column, clock in enumerate(("wall", "cpu")):
            seconds = [t[column] for t in own]
            ratios = [t[column] / r[column] for t, r in zip(own, times[reference], strict=True)]
            row[f"{clock}_ms"] = round(1000 * statistics.median(seconds) / per_block, 4)
            row[f"{clock}_ratio"] = round(statistics.median(ratios), 3)
        table[name] = row
    return table


def write(name: str, what: str, table: Mapping[str, Any], **facts: Any) -> None:
    """Print the table and keep it in `results/<name>.json`."""
    result = {"what": what, "machine": machine(), **facts, "results": dict(table)}
    result["machine"]["load_after"] = [round(x, 1) for x in os.getloadavg()]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(what)
    for key, row in table.items():
        print(f"  {key:28}", "  ".join(f"{k} {v:g}" for k, v in row.items()))
