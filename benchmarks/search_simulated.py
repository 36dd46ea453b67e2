"""Searches on interpolated sweeps: thousands of them in a minute, to choose how many trials begin as anchors.

    python benchmarks/search_simulated.py

The sweeps of `search_ranges.py` say what a method reaches at each compression on a grid of two knobs. Between
the grid's values their accuracies are interpolated on log scales, with noise of 0.3 points for one training.
The package's own search looks for the best; what counts is the noiseless accuracy of its choice at each
compression, on average, and the best that the grid's range holds.
"""

import argparse
import json
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from sparsebench.bench.search import optuna_search
from sparsebench.bench.search.optuna_search import Search
from sparsebench.methods.api import Knob
from timing import RESULTS, write

NOISE = 0.003  # sd of the validation accuracy of one training
NINE = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
# task, method, depth; the second knob with its search range; the default learning rate with its range
PROBLEMS: dict[str, tuple[str, str, int | None, Knob, Knob]] = {
    "dwf-2, 770 steps": (
        "digits", "dwf", 2, Knob(4.0, 0.5, 18.0, "log", operating=True), Knob(0.2, 0.05, 1.0, "log")
    ),
    "dwf-3, 770 steps": (
        "digits", "dwf", 3, Knob(4.0, 0.5, 8.0, "log", operating=True), Knob(0.2, 0.05, 1.0, "log")
    ),
    "dwf-2, 1,284 steps": (
        "mnist-6", "dwf", 2, Knob(4.0, 0.5, 30.0, "log", operating=True), Knob(0.2, 0.05, 1.0, "log")
    ),
    "dwf-3, 1,284 steps": (
        "mnist-6", "dwf", 3, Knob(4.0, 1.0, 14.0, "log", operating=True), Knob(0.2, 0.05, 1.0, "log")
    ),
    "dwf-2, 3,210 steps": (
        "mnist-15", "dwf", 2, Knob(4.0, 0.5, 40.0, "log", operating=True), Knob(0.2, 0.05, 1.0, "log")
    ),
    "l1, 770 steps": (
        "digits", "l1", None, Knob(1e-4, 3e-5, 1e-2, "log", operating=True), Knob(0.05, 0.01, 0.2, "log")
    ),
    "l1, 1,284 steps": (
        "mnist-6", "l1", None, Knob(1e-4, 3e-5, 1e-2, "log", operating=True), Knob(0.05, 0.01, 0.2, "log")
    ),
}  # fmt: skip


class Surface:
    """What a method reaches at each compression, as a function of its learning rate and one more knob."""

    def __init__(self, lines: Sequence[dict[str, Any]], task: str, method: str, depth: int | None) -> None:
        name = "decay_budget" if method == "dwf" else "lam"
        grid: dict[tuple[float, float], list[float]] = {}
        for line in lines:
            own = line["settings"]
            if (line["task"], line["method"], own.get("depth")) == (task, method, depth):
                shown = {p[0]: p[2] for p in line["curve"]}
                grid[own["lr"], own[name]] = [shown.get(c) or 0.1 for c in NINE]
        rates, others = sorted({lr for lr, _ in grid}), sorted({value for _, value in grid})
        whole = [other for other in others if all((lr, other) in grid for lr in rates)]
        self._ends = [(np.log(axis[0]), np.log(axis[-1])) for axis in (rates, whole)]
        values = np.array([[grid[lr, other] for other in whole] for lr in rates])
        self._at = RegularGridInterpolator((np.log(rates), np.log(whole)), values)

    def __call__(self, lr: float, other: float) -> Any:
        """The accuracies; beyond the grid those at its edge."""
        return self._at([np.clip(np.log(x), *ends) for x, ends in zip((lr, other), self._ends, strict=True)])[
            0
        ]

    def best(self, lr: Knob, other: Knob, places: Sequence[int]) -> float:
        """The mean of the best accuracies within the ranges."""
        axes = [np.geomspace(knob.low, knob.high, 40) for knob in (lr, other)]  # type: ignore[arg-type]
        found = np.array([[self(x, y)[list(places)] for y in axes[1]] for x in axes[0]])
        return float(found.max((0, 1)).mean())


def searched(
    surface: Surface, knobs: dict[str, Knob], compressions: Sequence[float], trials: int, seed: int
) -> float:
    """The mean noiseless accuracy of what a search chooses at each compression."""
    random, places = np.random.default_rng(seed), [NINE.index(c) for c in compressions]
    search = Search("simulated", knobs, compressions, trials, 4, seed)
    trained = []
    while not search.done:
        for number, values in search.ask().items():
            true = surface(values["lr"], values["x"])[places]
            seen = true + NOISE * random.standard_normal(len(places))
            trained.append((seen, true))
            search.tell(number, dict(zip(compressions, seen.tolist(), strict=True)))
    chosen = [max(trained, key=lambda one: one[0][i])[1][i] for i in range(len(places))]
    return float(np.mean(chosen))


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=20, help="searches of each kind")
    args = parser.parse_args()
    lines = [json.loads(line) for line in (RESULTS / "search_ranges.jsonl").read_text().splitlines()]
    surfaces = {name: Surface(lines, *problem[:3]) for name, problem in PROBLEMS.items()}
    table: dict[str, dict[str, float]] = {}
    for compressions, trials, starts in (
        (NINE[1::2], 8, (1, 2, 3, 4)),
        (NINE, 12, (2, 4, 6, 9)),
        (NINE, 16, (2, 4, 6, 9)),
        (NINE, 24, (4, 6, 8, 9)),
    ):
        for start in starts:
            optuna_search.LEAST_START, optuna_search.START_SHARE = start, 10**9
            row: dict[str, float] = {}
            for name, (*_, other, lr) in PROBLEMS.items():
                knobs = {"lr": lr, "x": other}
                found = [
                    searched(surfaces[name], knobs, compressions, trials, n) for n in range(args.searches)
                ]
                row[name], row[f"sd of {name}"] = 100 * fmean(found), 100 * stdev(found)
            row["mean"] = fmean(row[name] for name in PROBLEMS)
            table[f"{len(compressions)} compressions, {trials} trials, {start} anchors"] = row
        places = [NINE.index(c) for c in compressions]
        table[f"{len(compressions)} compressions, the best there is"] = {
            name: 100 * surfaces[name].best(lr, other, places) for name, (*_, other, lr) in PROBLEMS.items()
        }
    write("search_simulated", "accuracy of what a search chooses, in percent", table, noise=NOISE)
    for key, row in table.items():
        print(key, " ".join(f"{row[name]:.2f}" for name in (*PROBLEMS, "mean") if name in row))


if __name__ == "__main__":
    main()
