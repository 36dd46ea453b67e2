"""Studies whose trials are run by a formula in place of training."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparsebench.bench.config.suite import Suite
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.search.study import Study, TaskFacts, studies
from sparsebench.bench.training.trial import record_of
from sparsebench.methods.api import keep_count
from sparsebench.records.fields import CompressionPoint, Measurements, TrainingResult
from sparsebench.records.record import Record
from sparsebench.records.store import Store

Run = Callable[[Trial], Record]
COMPRESSIONS = (4.0, 16.0, 64.0)
SIZE = 266_200
IMAGES = 1149


def suite(method: str = "magnitude", trials: int = 10, generation: int = 4, **entry: Any) -> Suite:
    budget = {"trials": trials, "seeds": 2, "generation": generation, "compressions": COMPRESSIONS}
    return Suite(
        name="s",
        seed=100,
        budget=budget | {"searches": entry.pop("searches", 1)},
        tasks=[{"dataset": "digits", "model": "lenet_300_100", "recipe": {"epochs": 1}}],
        entries=[{"method": method, **({"depth": 2} if method == "dwf" else {}), **entry}],
    )  # type: ignore[arg-type]


def every(folder: Path, plan: Suite | None = None) -> list[Study]:
    plan = plan or suite()
    return studies(plan, {plan.tasks[0].name: TaskFacts("digest", IMAGES)}, Store(folder))


def study(folder: Path, plan: Suite | None = None) -> Study:
    return every(folder, plan)[0]


def run(trial: Trial, **fields: Any) -> Record:
    """Accuracy falls with what is cut beyond the sparsity, and with the distance of lr from 0.1."""
    sparsity = trial.knobs.get("sparsity", 0.0)
    base = 0.95 - abs((trial.recipe.lr or 0) - 0.1) / 2
    points = [
        CompressionPoint(
            at=c, val_accuracy=base - max(0.0, 1 - 1 / c - sparsity) ** 8 / 2,
            nonzeros=keep_count(max(sparsity, 1 - 1 / c), SIZE), cut=1 - 1 / c > sparsity,
        )
        for c in (1.0, *trial.compressions)
    ]  # fmt: skip
    result = {
        "status": "ok", "classes": 10, "val_accuracy": base, "compression": 1 / (1 - sparsity),
        "test_accuracy": None if trial.phase == "search" else base, "device": "cpu",
        "at_compressions": points,
    } | fields  # fmt: skip
    given = Measurements(**{key: value for key, value in result.items() if key in Measurements.model_fields})
    more = {key: value for key, value in result.items() if key not in Measurements.model_fields}
    return record_of(trial, TrainingResult(), given, threads=1, **more)


def diverged(trial: Trial) -> Record:
    return run(trial, status="diverged", val_accuracy=0.1, compression=1.0, at_compressions=[])


def finish(one: Study, run: Run = run, slots: int = 1, order: random.Random | None = None) -> list[Trial]:
    """Everything the study has to give, on so many slots, each record written before it is taken."""
    handed: list[Trial] = []
    out: list[Trial] = []
    while not one.done or out:
        while len(out) < slots and (trial := one.next()) is not None:
            out.append(trial)
            handed.append(trial)
        if out:
            trial = out.pop(order.randrange(len(out)) if order else 0)
            record = run(trial)
            one.store.append(record)
            one.take(trial, record)
    one.store.close()  # as a driver does at its end
    return handed


def phase(handed: list[Trial], name: str) -> list[Trial]:
    return [trial for trial in handed if trial.phase == name]
