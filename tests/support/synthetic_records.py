"""Records that no run wrote: smooth made-up fronts, clearly synthetic, for tests of the reports."""

import math
import random
import re
from typing import Any

from sparsebench.records.hashing import IDENTITY, digest
from sparsebench.records.record import Record

LAYERS = (("fc1", (300, 784)), ("fc2", (100, 300)), ("fc3", (10, 100)))
TOTAL = sum(math.prod(shape) for _, shape in LAYERS)
PENALTY = ("dwf", "l1", "spred", "pwd")


def identity(name: str) -> str:
    """The id of a made-up trial: a name in the form of an id."""
    return name if re.fullmatch(IDENTITY, name) else digest(name)


def record(**given: Any) -> Record:
    """One valid record; what is not given is made up."""
    base: dict[str, Any] = {
        "config": "c0", "suite": "synthetic", "entry": "random", "dataset": "made_up", "model": "net",
        "method": "random", "knobs": {}, "seed": 0, "phase": "confirm", "status": "ok", "classes": 10,
        "command": "none", "data_digest": "synthetic", "device": "none", "steps": 100, "seconds": 1.5,
        "training_flops_ratio": 1.0,
    }  # fmt: skip
    base |= given
    names = ("dataset", "entry", "config", "phase", "seed")
    base.setdefault("id", "-".join(str(base[name]) for name in names))
    if base["phase"] == "confirm":
        base.setdefault("confirms", f"search-{base['config']}")
    base |= {name: identity(base[name]) for name in ("id", "confirms") if base.get(name) is not None}
    return Record.model_validate(base)


def confirm(entry: str, config: str, seed: int, accuracy: float, ratio: float, **more: Any) -> Record:
    """One confirmed seed of a point, at a compression ratio."""
    given = {"method": entry, "compression": ratio, "test_accuracy": accuracy, "val_accuracy": accuracy}
    return record(entry=entry, config=config, seed=seed, **(given | more))


def accuracy_of(strength: float, x: float, dense: float = 0.98, chance: float = 0.1) -> float:
    """A made-up front: dense accuracy that breaks down around 10^strength."""
    return chance + (dense - chance) / (1 + math.exp(5 * (x - strength)))


def entry_records(
    entry: str, dataset: str, strength: float, trials: int, seeds: int, chance: float, dense: float
) -> list[Record]:
    """Search trials over three decades, and a confirm phase of up to eight of them."""
    rng = random.Random(f"{entry}-{dataset}")
    method = entry.split("-")[0]
    found: list[Record] = []
    every = max(1, trials // 8)
    for trial in range(trials):
        x = 0.0 if method == "dense" else 0.2 + 2.8 * trial / max(trials - 1, 1)
        params = {
            "lr": 10 ** rng.uniform(-2, -0.5),
            "weight_decay": 10 ** rng.uniform(-5, -3),
            "strength": 10**x,
        }
        common = _common(entry, method, dataset, trial, round(1 / chance)) | {"params": params}
        made = [_measured(rng, x, strength, chance, dense, method) for _ in range(seeds + 1)]
        search = {k: v for k, v in made[0].items() if not k.startswith("test")}
        found.append(record(**common, phase="search", seed=0, id=f"{dataset}-{entry}-s{trial}", **search))
        if trial % every == 0 and trial // every < 8:
            found += [
                record(**common, phase="confirm", seed=1000 + seed, confirms=f"{dataset}-{entry}-s{trial}",
                       id=f"{dataset}-{entry}-c{trial}-{seed}", **made[seed + 1])
                for seed in range(seeds)
            ]  # fmt: skip
    return found


def _common(entry: str, method: str, dataset: str, trial: int, classes: int) -> dict[str, Any]:
    return {"entry": entry, "method": method, "dataset": dataset, "config": f"k{trial}", "classes": classes}


def _measured(
    rng: random.Random, x: float, strength: float, chance: float, dense: float, method: str
) -> dict[str, Any]:
    x = max(0.0, x + rng.gauss(0, 0.02)) if method != "dense" else 0.0
    y = min(1.0, max(0.0, accuracy_of(strength, x, dense, chance) + rng.gauss(0, 0.004)))
    density = 10**-x
    layers = [
        {"name": name, "shape": shape, "nonzeros": round(math.prod(shape) * min(1.0, density * (1 + 2 * i)))}
        for i, (name, shape) in enumerate(LAYERS)
    ]
    out: dict[str, Any] = {
        "val_accuracy": y, "test_accuracy": y, "compression": 10**x, "speedup": 10 ** (0.8 * x),
        "layers": layers, "threshold": 0.0,
    }  # fmt: skip
    if method in PENALTY:
        out |= {"threshold": 1e-3, "compression_exact": 10 ** (0.6 * x), "val_accuracy_exact": y,
                "test_accuracy_exact": y}  # fmt: skip
    if method == "dwf":
        out["curve"] = [_phase(step, x, y, chance) for step in range(0, 1001, 50)]
    return out


def _phase(step: int, x: float, y: float, chance: float) -> dict[str, float]:
    t = step / 1000
    return {
        "step": step, "fraction": t, "train_loss": 2.3 * math.exp(-5 * t), "lr": 0.5 * (1 - t),
        "val_accuracy": chance + (y - chance) * (1 - math.exp(-15 * t)),
        "compression": 10 ** (x / (1 + math.exp(-14 * (t - 0.6)))), "misalignment": 300 * math.exp(-18 * t),
    }  # fmt: skip


def campaign(
    entries: dict[str, float], datasets: dict[str, tuple[float, float]], trials: int = 16, seeds: int = 3
) -> list[Record]:
    """`entries` by strength, `datasets` by (chance, dense accuracy)."""
    return [
        r
        for dataset, (chance, dense) in datasets.items()
        for entry, strength in entries.items()
        for r in entry_records(entry, dataset, strength, trials, seeds, chance, dense)
    ]


NINE = {
    "dense": 9.0, "random": 0.9, "magnitude": 1.7, "magnitude-raw": 1.0, "l1": 1.65, "l1_prox": 1.6,
    "dwf-2": 1.9, "dwf-3": 2.2, "dwf-4": 2.15,
}  # fmt: skip
