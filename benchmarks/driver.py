"""What the driver costs a campaign: trials that do nothing, with and without records already there.

The executor answers at once with a made-up record, so all the time is the driver's: asking Optuna, writing
records through to the disk, telling the search, and MLflow beside it. `driver.py [TRIALS] [STORED]`.
"""

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from sparsebench.bench.campaign import driver as campaign
from sparsebench.bench.config.suite import Suite
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors.base import FinishedTrial, Running
from sparsebench.bench.executors.resources import Resources
from sparsebench.bench.system.peak_memory import peak, reset_peak
from sparsebench.bench.training.trial import record_of
from sparsebench.records.fields import CompressionPoint, Measurements, TrainingResult
from sparsebench.records.record import Record
from timing import write

STUDIES = 250  # that the stored records are of
CPU = torch.device("cpu")
CURVE = [{"step": float(n), "train_loss": 1 / (n + 1), "val_accuracy": 0.9, "lr": 0.1} for n in range(16)]


@dataclass
class Instant:
    """Runs nothing: a trial comes back with a record as large as a real one."""

    capacity: int = 2
    running: list[Running] = field(default_factory=list)
    out: list[Trial] = field(default_factory=list)

    def free(self) -> bool:
        return len(self.out) < self.capacity

    def submit(self, trial: Trial) -> None:
        self.out.append(trial)

    def wait(self, timeout: float) -> list[FinishedTrial]:
        back: list[FinishedTrial] = [(trial, made_up(trial)) for trial in self.out]
        self.out.clear()
        return back

    def forget(self, trial: Trial) -> None: ...

    def pause(self) -> None: ...

    def close(self) -> None: ...


def made_up(trial: Trial) -> Record:
    share = int(trial.config, 16) % 1000 / 1000
    layers = [
        {"name": f"{n}.weight", "shape": (300, 784), "nonzeros": int(235_200 * share)} for n in range(8)
    ]
    accuracy, test = 0.98 - 0.5 * share**2, None if trial.phase == "search" else 0.97
    points = [
        CompressionPoint(at=c, val_accuracy=accuracy, nonzeros=100, cut=c > 1, test_accuracy=test)
        for c in (1.0, *trial.compressions)
    ]
    measured = Measurements(
        classes=10, val_accuracy=accuracy, compression=1 / (1 - share), layers=layers, test_accuracy=test,
        at_compressions=points,
    )  # fmt: skip
    return record_of(trial, TrainingResult(curve=CURVE, steps=770), measured, threads=1, device="none")


def suite(entries: int, trials: int) -> Suite:
    """So many studies of so many trials each."""
    budget = {"trials": trials, "seeds": 1, "compressions": [4]}
    tasks = [{"dataset": "planted", "model": "lenet_300_100", "recipe": {"epochs": 1}}]
    named = [
        {"method": "magnitude", "label": f"magnitude-{n}", "finetune": 0.1 + 0.8 * n / max(entries, 800)}
        for n in range(entries)
    ]
    return Suite(name="driver", budget=budget, tasks=tasks, entries=named)


def timed(out: Path, chosen: Suite, uri: str | None, extend: bool = False) -> dict[str, float]:
    """A campaign's seconds from its first question to its last record, without tables and figures."""
    marks: list[float] = []
    drive = campaign.Campaign.drive

    def marked(self: campaign.Campaign) -> Any:
        before = len(self.store)
        start = time.perf_counter()
        drive(self)
        marks.extend((time.perf_counter() - start, len(self.store) - before))
        raise InterruptedError

    campaign.Campaign.drive = marked  # type: ignore[method-assign]
    reset_peak(CPU)
    start = time.perf_counter()
    try:
        campaign.run(chosen, out=out, tracking_uri=uri, extend=extend)
    except InterruptedError:
        pass
    finally:
        campaign.Campaign.drive = drive  # type: ignore[method-assign]
    seconds, count = marks
    return {
        "trials": count,
        "ms_a_trial": round(1000 * seconds / count, 2),
        "whole_seconds": round(time.perf_counter() - start, 2),
        "peak_MB": round(peak(CPU) / 1e6, 1),
    }


def instant(
    self: Resources,
    folder: Path,
    root: str | None,
    plugins: Sequence[Any],
    tasks: Any,
    digests: Mapping[str, str],
    base: str,
) -> Instant:
    return Instant()


def without_training() -> None:
    """Lets campaigns run nothing: no trial, and no step before the first of them."""
    Resources.start = instant  # type: ignore[method-assign, assignment]
    campaign.rehearse = lambda *asked, **more: None


def main(trials: int = 200, stored: int = 5000) -> None:
    without_training()
    table = {}
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Path(folder, "empty"), Path(folder, "full")
        uri = f"sqlite:///{Path(folder, 'mlflow.db')}"
        timed(Path(folder, "warm-up"), suite(2, 10), uri)
        each = stored // STUDIES
        table["0 stored"] = timed(empty, suite(trials // each, each), uri)
        table[f"making {stored}"] = timed(full, suite(STUDIES, each), uri)
        table[f"{stored} stored"] = timed(full, suite(STUDIES + trials // each, each), uri, extend=True)
        table[f"{stored} stored, one more in each study"] = timed(
            full, suite(STUDIES + trials // each, each + 1), uri, extend=True
        )
    first = table["0 stored"]
    for row in table.values():
        row["ratio"] = round(row["ms_a_trial"] / first["ms_a_trial"], 2)
    write("driver", "driver, records, Optuna and MLflow for a trial that does nothing", table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
