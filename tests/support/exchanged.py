"""Folders of results as campaigns write them, made by hand, to be joined, edited and refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.config.trial_spec import Recipe, Trial
from sparsebench.bench.exchange.merge import merge
from sparsebench.bench.exchange.pack import IncompatibleResults
from sparsebench.records.record import Record
from sparsebench.records.store import FILE

BUDGET = {"trials": 2, "seeds": 2, "points": 1, "generation": 4}


def made(entry: str = "l1", **spec: Any) -> list[dict[str, Any]]:
    """Two search trials and a confirmed point of one entry on one task, as a campaign would write them."""
    lines = []
    spec = {"lr": 0.1 + len(entry) / 100, **spec}  # an identity does not hold the label
    for number in range(2):
        trial = settled(entry, seed=0, phase="search", number=number, lam=10.0**-number, **spec)
        lines.append(written(trial, number))
    for seed in (1, 2):
        trial = settled(
            entry, seed=seed, phase="confirm", confirms=lines[0]["id"], number=None, lam=1.0, **spec
        )
        lines.append(written(trial, 0))
    return lines


def settled(entry: str, *, lam: float, lr: float, epochs: int = 2, **spec: Any) -> Trial:
    base = {
        "suite": "s",
        "entry": entry,
        "dataset": "toy",
        "data_digest": "d1",
        "model": "net",
        "method": "l1",
    }
    recipe = Recipe(epochs=epochs, lr=lr, weight_decay=0.0)
    params = {"lam": lam}
    return Trial.model_validate({**base, "recipe": recipe, "knobs": {"lam": lam}, "params": params, **spec})


def written(trial: Trial, number: int) -> dict[str, Any]:
    test = None if trial.phase == "search" else 0.9
    layers = [{"name": "fc", "shape": [10, 10], "nonzeros": 50 - 10 * number}]
    record = Record.model_validate({
        "id": trial.id, "config": trial.config, "confirms": trial.confirms, "suite": trial.suite,
        "entry": trial.entry, "dataset": trial.dataset, "dataset_args": trial.dataset_args,
        "keep_dense": trial.keep_dense, "model": trial.model, "model_args": trial.model_args,
        "recipe": trial.recipe.model_dump(), "method": trial.method, "method_version": trial.method_version,
        "knobs": trial.knobs, "params": trial.params, "trial": trial.number, "seed": trial.seed,
        "phase": trial.phase, "status": "ok", "classes": 10, "val_accuracy": 0.9, "test_accuracy": test,
        "compression": 100 / layers[0]["nonzeros"], "layers": layers, "threshold": 0.0,  # type: ignore[operator]
        "steps": 10, "seconds": 1.0, "command": trial.command, "versions": {"sparsebench": "0"},
        "data_digest": trial.data_digest, "device": "none",
    })  # fmt: skip
    content: dict[str, Any] = json.loads(record.to_json())
    del content["seal"]  # what is edited here has other things wrong than its seal
    return content


def suite_of(*entries: str, budget: dict[str, int] = BUDGET, epochs: int = 2, **task: Any) -> dict[str, Any]:
    task = {"dataset": "toy", "model": "net", "recipe": {"epochs": epochs}, **task}
    listed = [{"method": "l1", "label": entry} for entry in entries]
    suite = {"name": "s", "budget": budget, "tasks": [task], "entries": listed}
    return {"suite": suite, "data": {"toy-net": "d1"}, "methods": {"l1": 1}}


def folder(path: Path, lines: list[dict[str, Any]], suite: dict[str, Any] | None = None) -> Path:
    path.mkdir()
    (path / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    if suite is not None:
        (path / "suite.json").write_text(json.dumps(suite), encoding="utf-8")
    return path


def refused(sources: list[Path], out: Path) -> list[str]:
    with pytest.raises(IncompatibleResults, match="nothing was merged") as caught:
        merge(sources, out)
    assert not out.exists()
    return caught.value.reasons
