"""Records with common compressions that no run wrote: searches of made-up fronts, choices, confirmations."""

import math
import random
from collections.abc import Sequence
from typing import Any

from sparsebench.records.choice import choose
from sparsebench.records.fields import CompressionPoint
from sparsebench.records.record import Record
from synthetic_records import LAYERS, PENALTY, TOTAL, accuracy_of, record

COMPRESSIONS = (4.0, 16.0, 64.0, 256.0)
FIVE = {"dense": 1.2, "magnitude": 2.1, "l1": 2.0, "dwf-2": 2.3, "dwf-3": 2.6}


def measured_campaign(
    entries: dict[str, float] = FIVE, datasets: dict[str, tuple[float, float]] | None = None, **more: Any
) -> list[Record]:
    """`entries` by strength, `datasets` by (chance, dense accuracy); `more` as `measured_entry` takes it."""
    return [
        one
        for dataset, (chance, dense) in (datasets or {"made_up": (0.1, 0.98)}).items()
        for entry, strength in entries.items()
        for one in measured_entry(entry, dataset, strength, chance, dense, **more)
    ]


def measured_entry(
    entry: str, dataset: str, strength: float, chance: float, dense: float, trials: int = 8, seeds: int = 3,
    searches: int = 1, compressions: Sequence[float] = COMPRESSIONS,
) -> list[Record]:  # fmt: skip
    """The searches of one entry, and at each compression the best training with fresh seeds."""
    rng = random.Random(f"{entry}-{dataset}")
    found: list[Record] = []
    for replicate in range(searches):
        plans = [
            _plan(rng, entry, replicate, trial, strength, chance, compressions) for trial in range(trials)
        ]
        searched = {}
        for number, plan in enumerate(plans):
            shown = _shown(rng, plan, chance, dense, compressions)
            search = {name: value for name, value in shown.items() if not name.startswith("test")}
            search["at_compressions"] = [
                {**point, "test_accuracy": None} for point in search["at_compressions"]
            ]
            one = record(
                **plan["fields"], **search, dataset=dataset, phase="search", trial=number,
                seed=100 * replicate + number, id=f"{dataset}-{entry}-r{replicate}s{number}",
            )  # fmt: skip
            searched[one.id] = one, plan
        found += [one for one, _ in searched.values()]
        best = choose([one for one, _ in searched.values()], (1.0, *compressions))
        for trial in dict.fromkeys(one.id for one in best.values()):
            plan = searched[trial][1]
            found += [
                record(
                    **plan["fields"], **_shown(rng, plan, chance, dense, compressions),
                    dataset=dataset, phase="confirm", seed=1000 * (replicate + 1) + seed, confirms=trial,
                    id=f"{trial}-c{seed}",
                )
                for seed in range(seeds)
            ]  # fmt: skip
    return found


def _plan(
    rng: random.Random, entry: str, replicate: int, trial: int, strength: float, chance: float,
    compressions: Sequence[float],
) -> dict[str, Any]:  # fmt: skip
    """What a training is to be: a method with a target reaches it, the others a compression of their own."""
    method, aim = entry.split("-")[0], compressions[trial % len(compressions)]
    aimed = method not in (*PENALTY, "dense")
    own = aim if aimed else 1.0 if method == "dense" else 10 ** rng.uniform(0.1, 1.2)
    fields = {
        "entry": entry, "method": method, "config": f"r{replicate}k{trial}", "classes": round(1 / chance),
        "compressions": compressions, "aim": aim, "replicate": replicate, "target": aim if aimed else None,
        "params": {"lr": 10 ** rng.uniform(-2, -0.5), "strength": own}, "knobs": {"depth": 3},
        "recipe": {"lr": 0.1, "epochs": 3}, "versions": {"torch": "2.9.0"},
    }  # fmt: skip
    return {"fields": fields, "own": own, "strength": strength - abs(rng.gauss(0, 0.1)), "method": method}


def _shown(
    rng: random.Random, plan: dict[str, Any], chance: float, dense: float, compressions: Sequence[float]
) -> dict[str, Any]:
    """What a training shows: its own front up to its own compression, a steeper one where it is cut."""
    own, points = plan["own"], list[CompressionPoint]()
    for c in (1.0, *compressions):
        reached = max(c, own)
        bend = plan["strength"] - (0.4 * math.log10(c / own) ** 0.5 if c > own else 0.0)
        y = accuracy_of(bend, math.log10(reached), dense, chance)
        valid, test = (min(1.0, max(0.0, y + rng.gauss(0, 0.006))) for _ in range(2))
        points.append(CompressionPoint(c, valid, round(TOTAL / reached), c > own, test))
    exact = plan["method"] not in PENALTY
    return {
        "val_accuracy": points[0].val_accuracy, "test_accuracy": points[0].test_accuracy, "compression": own,
        "compression_exact": own if exact else max(1.0, own**0.4), "threshold": 0.0 if exact else 1e-3,
        "val_accuracy_exact": points[0].val_accuracy, "test_accuracy_exact": points[0].test_accuracy,
        "speedup": own**0.8, "layers": _layers(own),
        "at_compressions": [
            {"at": p.at, "val_accuracy": p.val_accuracy, "nonzeros": p.nonzeros, "cut": p.cut,
             "test_accuracy": p.test_accuracy}
            for p in points
        ],
        "curve": [
            _logged(step, own, points[0].val_accuracy, chance, plan["method"]) for step in range(0, 1001, 100)
        ],
    }  # fmt: skip


def _layers(own: float) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": shape, "nonzeros": round(math.prod(shape) / own)} for name, shape in LAYERS
    ]


def _logged(step: int, own: float, accuracy: float, chance: float, method: str) -> dict[str, float]:
    t = step / 1000
    row = {
        "step": float(step), "train_loss": 2.3 * math.exp(-5 * t),
        "val_accuracy": chance + (accuracy - chance) * (1 - math.exp(-15 * t)), "compression": own**t,
    }  # fmt: skip
    return row | ({"misalignment": 300 * math.exp(-18 * t)} if method == "dwf" else {})
