"""What commands take on folders of many records: seconds and peak memory of each, in a process of its own.

The records are made up, but valid in every check of `pack` and `merge`.
"""

import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsebench.bench.config.seeds import seed_of
from sparsebench.bench.config.suite import Budget, Entry, Suite, Task
from sparsebench.bench.config.trial_spec import COMPRESSIONS, Recipe, Trial
from sparsebench.bench.training.trial import record_of
from sparsebench.methods.sparsity import kept_at
from sparsebench.records.choice import choose
from sparsebench.records.fields import CompressionPoint, Measurements, TrainingResult
from sparsebench.records.record import Record
from sparsebench.records.store import FILE
from timing import write

CURVE_ROWS, LAYERS = 16, 8
MODEL = "lenet_300_100"


# A process has the peak memory of the one that forked it for its least: this small one starts the command.
MEASURED = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
if status:
    raise SystemExit(f"{sys.argv[1:]}: status {status}")
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


@dataclass(frozen=True)
class Size:
    """How many records there are; `bulk` multiplies the rows of their curves and their layers."""

    tasks: int
    entries: int
    searched: int = 160
    seeds: int = 4
    bulk: int = 1


def suite_json(size: Size) -> str:
    """The `suite.json` of a folder; its first entry is dense."""
    labels = [("dense", "dense"), *((f"magnitude-{n}", "magnitude") for n in range(1, size.entries))]
    suite = Suite(
        name="scale",
        budget=Budget(trials=size.searched, seeds=size.seeds),
        tasks=tuple(Task(dataset=f"d{n}", model=MODEL) for n in range(size.tasks)),
        entries=tuple(Entry(method=method, label=label) for label, method in labels),
    )
    data = {task.name: f"{n:064x}" for n, task in enumerate(suite.tasks)}
    return json.dumps({"suite": suite.model_dump(mode="json"), "data": data, "methods": {}})


def made_up(size: Size) -> Iterator[Record]:
    """The search and the confirmations of every entry on every task."""
    for task in range(size.tasks):
        for entry in range(size.entries):
            rng = random.Random(f"{task} {entry}")
            places = [number / size.searched for number in range(size.searched)]
            searched = [_trial(task, entry, number, places[number], rng) for number in range(size.searched)]
            records = [
                _record(trial, entry, x, rng, size.bulk) for trial, x in zip(searched, places, strict=True)
            ]
            yield from records
            for number in sorted(
                {best.trial or 0 for best in choose(records, (1.0, *COMPRESSIONS)).values()}
            ):
                for k in range(size.seeds):
                    fresh = {"phase": "confirm", "number": None, "seed": seed_of(0, 0, "confirm", k)}
                    again = searched[number].model_copy(update={"confirms": searched[number].id, **fresh})
                    yield _record(again, entry, places[number], rng, size.bulk)


def _trial(task: int, entry: int, number: int, x: float, rng: random.Random) -> Trial:
    lr, decay = 10 ** rng.uniform(-2, -0.5), 10 ** rng.uniform(-5, -3)
    knobs = {"sparsity": 1 - 10 ** (-3 * x), "scope": "global"} if entry else {}
    return Trial(
        suite="scale", entry=f"magnitude-{entry}" if entry else "dense", dataset=f"d{task}",
        data_digest=f"{task:064x}", model=MODEL, recipe=Recipe(lr=lr, weight_decay=decay), number=number,
        method="magnitude" if entry else "dense", knobs=knobs, phase="search",
        params={"lr": lr, "weight_decay": decay}, seed=seed_of(0, 0, "search", number),
        compressions=COMPRESSIONS, aim=COMPRESSIONS[number % len(COMPRESSIONS)],
    )  # fmt: skip


def _record(trial: Trial, entry: int, x: float, rng: random.Random, bulk: int) -> Record:
    ratio = 10 ** (3 * x) if entry else 1.0
    accuracy = min(
        0.999, max(0.0, 0.1 + 0.88 / (1 + 10 ** (4 * x - 2.5 - entry / 100)) + rng.gauss(0, 0.004))
    )
    accuracy = accuracy if entry else 0.98 + rng.gauss(0, 0.003)
    layers: list[dict[str, Any]] = [
        {"name": f"{n}.weight", "shape": (300, 784), "nonzeros": max(1, round(235_200 / ratio))}
        for n in range(LAYERS * bulk)
    ]
    compression = 235_200 / max(1, round(235_200 / ratio))
    kept, total = sum(layer["nonzeros"] for layer in layers), 235_200 * len(layers)
    points = [
        CompressionPoint(
            at=c, val_accuracy=(left := max(0.0, accuracy - 0.1 * max(0.0, math.log10(c / ratio)))),
            nonzeros=min(kept, kept_at(c, total)), cut=kept > kept_at(c, total),
            test_accuracy=None if trial.phase == "search" else left,
        )
        for c in (1.0, *COMPRESSIONS)
    ]  # fmt: skip
    curve = [_row(n / (CURVE_ROWS * bulk), accuracy, ratio, rng) for n in range(1, CURVE_ROWS * bulk + 1)]
    measured = Measurements(
        classes=10, val_accuracy=accuracy, compression=compression, layers=layers, threshold=0.0,
        test_accuracy=None if trial.phase == "search" else accuracy - 0.002, speedup=max(1.0, ratio**0.8),
        compression_exact=compression, val_accuracy_exact=accuracy, total_compression=max(1.0, ratio * 0.99),
        at_compressions=points,
    )  # fmt: skip
    result = TrainingResult(
        curve=curve, steps=7050, budget={"train": 7050}, training_flops_ratio=1.0, training_memory_ratio=1.5,
        diagnostics={"pruned": 1 - 1 / ratio},
    )  # fmt: skip
    return record_of(trial, result, measured, threads=1, device="cpu (1 thread)").model_copy(
        update={"seconds": rng.uniform(10, 20), "peak_memory_bytes": rng.randrange(10**9)}
    )


def _row(t: float, accuracy: float, ratio: float, rng: random.Random) -> dict[str, float]:
    return {
        "step": round(7050 * t), "fraction": t, "lr": 0.1 * (1 - t), "train_loss": 2.3 * 10 ** (-2 * t),
        "val_accuracy": round(accuracy * (1 - 10 ** (-3 * t)) + rng.gauss(0, 0.004), 6),
        "compression": round(ratio**t, 4), "compression_at_1e-3": round(ratio**t * 1.01, 5),
    }  # fmt: skip


def write_folder(folder: Path, size: Size) -> Path:
    """Writes an output folder of this size."""
    folder.mkdir(parents=True)
    with (folder / FILE).open("w", encoding="utf-8") as file:
        file.writelines(record.to_json() + "\n" for record in made_up(size))
    (folder / "suite.json").write_text(suite_json(size))
    return folder


def write_halves(whole: Path, size: Size) -> list[Path]:
    """Writes the tasks of a folder into two folders."""
    halves = [whole.with_name(f"half-{number}") for number in range(2)]
    middle = f'"dataset":"d{(size.tasks + 1) // 2}"'.encode()
    for half in halves:
        half.mkdir()
        (half / "suite.json").write_bytes((whole / "suite.json").read_bytes())
    with (
        (whole / FILE).open("rb") as lines,
        (halves[0] / FILE).open("wb") as first,
        (halves[1] / FILE).open("wb") as second,
    ):
        file = first
        for line in lines:
            file = second if middle in line else file  # the tasks stand in their order
            file.write(line)
    return halves


def command(*words: object) -> dict[str, float]:
    """Runs `sparsebench` with these arguments; returns its seconds, processor seconds and peak memory."""
    start = time.perf_counter()
    asked = [sys.executable, "-I", "-S", "-c", MEASURED, "sparsebench", *map(str, words)]
    done = subprocess.run(asked, stdout=subprocess.PIPE, check=True)
    processor, peak = json.loads(done.stdout)
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "processor_seconds": round(processor, 1),
        "peak_MB": round(peak / 1024),
    }


def measured(place: Path, size: Size, ready: Path | None = None) -> dict[str, dict[str, float]]:
    """The table of one folder, which may be ready, and of the merge of its two halves."""
    folder = shutil.copytree(ready, place / "whole") if ready else write_folder(place / "whole", size)
    halves = write_halves(folder, size)
    archives = [half.with_suffix(".zip") for half in halves]
    table = {name: command(name, folder) for name in ("status", "report", "pack")}
    for half, archive in zip(halves, archives, strict=True):
        command("pack", half, "--out", archive)
    table["merge of two archives"] = command("merge", *archives, "--out", place / "merged")
    return table


SIZES = {
    "50,000 records": Size(tasks=10, entries=25),
    "200 entries on 12 tasks": Size(tasks=12, entries=200, searched=8, seeds=3),
    "100 records of a megabyte": Size(tasks=2, entries=2, searched=10, seeds=3, bulk=300),
}


def main(ready: Path | None = None) -> None:
    """Measures every size; folders of their names in `ready`, made by `write_folder`, are not made anew."""
    table = {}
    for name, size in SIZES.items():
        folder = ready / name if ready and (ready / name).is_dir() else None
        with tempfile.TemporaryDirectory() as place:
            rows = measured(Path(place), size, folder)
        table |= {f"{name}: {row}": found for row, found in rows.items()}
        write("scale", "whole commands on folders of many records", table)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
