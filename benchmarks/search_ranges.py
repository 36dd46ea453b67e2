"""What the search range of each method covers: one knob swept, the curve of every training in a table.

    python benchmarks/search_ranges.py measure OUT.jsonl --task digits      # 770 steps
    python benchmarks/search_ranges.py measure OUT.jsonl --task mnist-6     # 1,284 steps; mnist-15: 3,210
    python benchmarks/search_ranges.py measure OUT.jsonl --task mnist-30    # 6,420 steps
    python benchmarks/search_ranges.py measure OUT.jsonl --task channels        # structured, 280 steps
    python benchmarks/search_ranges.py measure OUT.jsonl --task mnist-channels  # structured, 1,284 steps
    python benchmarks/search_ranges.py table OUT.jsonl…

A training is that of `sparsebench train`; a line holds its settings and its accuracy at the common
compressions. Trainings that the file has are not repeated.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

WEIGHTS: dict[str, Any] = {
    "model": "lenet_300_100", "granularity": "weights", "at": (2, 4, 8, 16, 32, 64, 128, 256, 512),
}  # fmt: skip
CHANNELS: dict[str, Any] = {"granularity": "channels", "at": (1.5, 2, 4, 8, 16, 32)}
MNIST: dict[str, Any] = {"dataset": "mnist", "batch_size": 256, "model": "lenet_300_100"}
TASKS: dict[str, dict[str, Any]] = {
    "digits": {"dataset": "digits", "epochs": 22, "batch_size": 32, **WEIGHTS},
    "channels": {"dataset": "digits", "epochs": 8, "batch_size": 32, "model": "conv3_bn", **CHANNELS},
    "mnist-channels": {**MNIST, "epochs": 6, **CHANNELS},
    **{f"mnist-{epochs}": {**MNIST, "epochs": epochs, **WEIGHTS} for epochs in (6, 15, 30)},
}
SWEPT = {
    "dwf": "decay_budget", "cs": "s0", "str": "decay", "l1": "lam", "l1_prox": "lam", "pwd": "lam",
    "l0": "lam", "dense": "lr", "group_lasso": "lam", "dgating": "decay_budget", "slimming": "lam",
}  # fmt: skip
SHOWN = {"weights": (4, 16, 64, 256), "channels": (2, 4, 8, 16, 32)}
# The decay budget B = 2λ·Ση/(1-μ), from which λ follows.
BUDGETS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 25.0, 40.0, 80.0)


def sweeps(task: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields method and settings of every training: all of them on the digits, a coarser grid on MNIST."""
    special = {
        "digits": fine_sweeps, "mnist-30": long_sweeps, "channels": structured_sweeps,
        "mnist-channels": neuron_sweeps,
    }  # fmt: skip
    yield from special.get(task, coarse_sweeps)()


def neuron_sweeps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields coarser grids of the same methods on a net without BatchNorm."""
    for lr, lam in itertools.product((0.05, 0.2), (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1)):
        yield "group_lasso", {"lam": lam, "lr": lr}
    for depth, lr, budget in itertools.product((2, 3, 4), (0.1, 0.3), (1.0, 3.0, 10.0, 30.0, 60.0, 120.0)):
        yield "dgating", {"depth": depth, "lr": lr, "decay_budget": budget}


def structured_sweeps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the grids of structured methods whose knob is no target, and dense nets, which are cut."""
    for lr, lam in itertools.product((0.02, 0.05, 0.2), (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)):
        yield "group_lasso", {"lam": lam, "lr": lr}
    budgets = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 250.0, 500.0)
    for depth, lr, budget in itertools.product((2, 3, 4), (0.05, 0.1, 0.3), budgets):
        yield "dgating", {"depth": depth, "lr": lr, "decay_budget": budget}
    for lam, share in itertools.product((1e-5, 1e-4, 1e-3, 3e-3, 1e-2), (4.0, 16.0)):
        yield "slimming", {"lam": lam, "speedup": share}
    for lr in (0.03, 0.1, 0.3):
        yield "dense", {"lr": lr, "weight_decay": 1e-4}


def coarse_sweeps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields settings enough to see where a range ends."""
    for lr, lam in itertools.product((0.05, 0.2), (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)):
        yield "l1", {"lam": lam, "lr": lr}
    for lam in (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2):
        yield "l1_prox", {"lam": lam, "lr": 0.1}
    for depth, lr, budget in itertools.product((3,), (0.2, 0.5, 0.8), (1.0, 2.0, 4.0, 8.0, 15.0, 25.0, 40.0)):
        yield "dwf", {"depth": depth, "lr": lr, "decay_budget": budget}
    for lr, budget in itertools.product((0.1, 0.3), (1.0, 2.0, 4.0, 8.0, 15.0, 25.0)):
        yield "dwf", {"depth": 4, "lr": lr, "decay_budget": budget}
    for s0, rate in itertools.product((-1.0, -0.5, -0.2, -0.05, 0.05), (1.0, 10.0)):
        yield "cs", {"s0": s0, "mask_rate": rate}
    for decay, lr in itertools.product((6.0, 12.0, 24.0, 48.0), (0.1, 0.3)):
        yield "str", {"s0": 0.0, "decay": decay, "weight_decay": 3e-3, "lr": lr}
    for p, lam in itertools.product((2 / 3, 1.0), (1e-3, 3e-3, 1e-2, 3e-2)):
        yield "pwd", {"p": p, "lr": 0.1, "lam": lam}
    for lam in (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3):
        yield "l0", {"reach": 60.0, "lam": lam}
    for lr in (0.03, 0.1, 0.2, 0.3, 0.5):
        yield "dense", {"lr": lr, "weight_decay": 1e-4}


def long_sweeps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields for each method a few settings around its best of 3,210 steps, whose learning rate they have."""
    for lam in (1e-5, 1e-4, 3e-4, 1e-3):
        yield "l1", {"lam": lam, "lr": 0.2}
        yield "l1_prox", {"lam": lam, "lr": 0.1}
        yield "pwd", {"p": 1.0, "lr": 0.1, "lam": lam}
    for depth, lr, budgets in (
        (2, 0.8, (2.0, 8.0, 15.0, 25.0, 40.0)),
        (3, 0.8, (2.0, 4.0, 8.0, 15.0, 25.0)),
        (3, 0.5, (8.0, 15.0)),
        (4, 0.8, (2.0, 4.0, 8.0, 15.0)),
        (4, 0.3, (2.0, 4.0, 8.0, 15.0)),
    ):
        for budget in budgets:
            yield "dwf", {"depth": depth, "lr": lr, "decay_budget": budget}
    for s0 in (-1.0, -0.5, -0.2, -0.05):
        yield "cs", {"s0": s0, "mask_rate": 10.0}
    for decay in (6.0, 12.0, 24.0, 48.0):
        yield "str", {"s0": 0.0, "decay": decay, "weight_decay": 3e-3, "lr": 0.3}
    for lam in (1e-5, 3e-5, 1e-4, 3e-4):
        yield "l0", {"reach": 60.0, "lam": lam}
    for lr in (0.1, 0.2, 0.3):
        yield "dense", {"lr": lr, "weight_decay": 1e-4}


def fine_sweeps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the grids of the digits."""
    for depth, lr, budget in itertools.product((2, 3, 4), (0.1, 0.2, 0.4, 0.8), BUDGETS):
        yield "dwf", {"depth": depth, "lr": lr, "decay_budget": budget}
    for s0, rate in itertools.product(
        (-3.0, -2.0, -1.0, -0.5, -0.3, -0.1, 0.0, 0.05, 0.3), (1.0, 10.0, 30.0)
    ):
        yield "cs", {"s0": s0, "mask_rate": rate}
    for decay, decay_of_theta, lr in itertools.product(
        (3.0, 6.0, 12.0, 24.0, 48.0), (1e-4, 3e-3), (0.1, 0.3)
    ):
        yield "str", {"s0": 0.0, "decay": decay, "weight_decay": decay_of_theta, "lr": lr}
    for lr, lam in itertools.product((0.02, 0.05, 0.2), (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)):
        yield "l1", {"lam": lam, "lr": lr}
        yield "l1_prox", {"lam": lam, "lr": lr}
    for p, lr, lam in itertools.product((0.5, 0.8, 1.0), (0.05, 0.2), (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)):
        yield "pwd", {"p": p, "lr": lr, "lam": lam}
    for reach, lam in itertools.product((20.0, 60.0, 200.0), (1e-7, 1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)):
        yield "l0", {"reach": reach, "lam": lam}
    for lr in (0.03, 0.1, 0.2, 0.3, 0.5):
        for decay_of_w in (0.0, 1e-4, 1e-3):
            yield "dense", {"lr": lr, "weight_decay": decay_of_w}


def measure(out: Path, task: str, methods: set[str], data: str | None) -> None:
    """Runs the trainings that the file lacks and appends a line for each."""
    from sparsebench.bench.config.lr_schedule import eta_sum
    from sparsebench.bench.config.search_space import full_knobs, settle_recipe, split_settings
    from sparsebench.bench.config.trial_spec import Recipe, Trial
    from sparsebench.bench.executors.execute import prepare_process
    from sparsebench.bench.training import trial as trials
    from sparsebench.methods.api import registry
    from sparsebench.methods.plan import Round

    prepare_process(threads=1)
    base = TASKS[task]
    opened = trials.open_data(base["dataset"], data)
    steps = base["epochs"] * (len(opened.train) // base["batch_size"])
    done = {json.loads(line)["key"] for line in out.read_text().splitlines()} if out.exists() else set()
    for method, settings in sweeps(task):
        key = json.dumps([task, method, settings], sort_keys=True)
        if key in done or (methods and method not in methods):
            continue
        asked = dict(settings)
        if "decay_budget" in asked:
            unit = eta_sum("cosine", 0.05, asked["lr"], [Round()], steps, 0.9)
            asked["lam"] = asked.pop("decay_budget") / (2 * unit)
        cls = registry[method]
        knobs, rest = split_settings(cls, asked)
        recipe = Recipe(epochs=base["epochs"], batch_size=base["batch_size"], warmup=0.05)
        trial = Trial(
            suite="single", entry=method, dataset=base["dataset"], data_digest=opened.digest,
            model=base["model"], granularity=base["granularity"], method=method,
            recipe=settle_recipe(recipe, cls, rest), knobs=full_knobs(method, knobs), seed=0, phase="single",
            compressions=base["at"],
        )  # fmt: skip
        record = trials.run(trial, data_root=data, device="cpu")
        line = {
            "key": key, "task": task, "steps": steps, "method": method, "settings": settings,
            "status": record.status, "seconds": round(record.seconds, 2), "own": record.compression_exact,
            "validated": record.compression,
            "curve": [
                [p.at, p.val_accuracy, p.test_accuracy, p.nonzeros, p.cut] for p in record.at_compressions
            ],
        }  # fmt: skip
        with out.open("a") as file:
            file.write(json.dumps(line) + "\n")


def table(lines: Sequence[Mapping[str, Any]], granularity: str) -> str:
    """The trainings as Markdown: where a knob is best at each compression, and the range of its search."""
    shown = SHOWN[granularity]
    rows = [
        "| method | knob | steps | searched | " + " | ".join(f"best @{c}" for c in shown) + " |",
        "|---|---|---:|---:|" + "---:|" * len(shown),
    ]
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for line in (line for line in lines if TASKS[line["task"]]["granularity"] == granularity):
        depth = line["settings"].get("depth")
        label = f"{line['method']}-{depth}" if depth else line["method"]
        groups.setdefault((label, line["steps"]), []).append(line)
    for (label, steps), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1])):
        name = SWEPT[group[0]["method"]]
        cells = " | ".join(_best(group, name, c) for c in shown)
        searched = _range(group[0], name)
        rows.append(f"| {label} | {name} | {steps:,} | {searched} | {cells} |")
    return "\n".join(rows)


def _best(group: Sequence[Mapping[str, Any]], name: str, c: float) -> str:
    """The value of the knob in the training that is best at a compression on validation data, its accuracy,
    and the values that come within half a point of it."""
    shown = [(p[1], p[2], line["settings"][name]) for line in group for p in line["curve"] if p[0] == c]
    if not shown:
        return "–"
    best, test, value = max(shown)
    near = [v for a, _, v in shown if a > best - 0.005]
    span = f" ({min(near):g}…{max(near):g})" if min(near) < max(near) else ""
    return f"{value:g}{span}: {100 * test:.1f}"


def _range(line: Mapping[str, Any], name: str) -> str:
    """The range that a search of these steps varies."""
    from sparsebench.bench.config.suite import Entry, Task
    from sparsebench.bench.search.entry_space import EntrySpace

    given = TASKS[line["task"]]
    recipe = {name: given[name] for name in ("epochs", "batch_size")}
    task = Task(
        dataset=given["dataset"], model=given["model"], granularity=given["granularity"],
        recipe=recipe,  # type: ignore[arg-type]
    )  # fmt: skip
    fixed = {"depth": line["settings"]["depth"]} if "depth" in line["settings"] else {}
    images = line["steps"] // given["epochs"] * given["batch_size"]
    knob = EntrySpace(task, Entry(method=line["method"], **fixed), images).knobs[name]
    return f"{knob.low:.3g} … {knob.high:.3g}"


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("measure", "table"))
    parser.add_argument("out", type=Path, nargs="+", help="files; the first is written")
    parser.add_argument("--task", choices=TASKS, default="digits")
    parser.add_argument("--methods", default="")
    parser.add_argument("--data")
    args = parser.parse_args()
    if args.what == "table":
        lines = [json.loads(line) for file in args.out for line in file.read_text().splitlines()]
        print(*(table(lines, granularity) for granularity in SHOWN), sep="\n\n")
        return
    measure(args.out[0], args.task, set(filter(None, args.methods.split(","))), args.data)


if __name__ == "__main__":
    sys.exit(main())
