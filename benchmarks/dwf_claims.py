"""What bears on two claims of Deep Weight Factorization (Kolb et al., ICLR 2025, arXiv:2502.02496).

    python benchmarks/dwf_claims.py OUT.jsonl --data DIR

Equivalence: L2 on the factors is the non-convex penalty Σ|w|^(2/D) once the factors of each weight have equal
magnitudes. The share of the L2 that they have too much is followed through the training. Start: the paper's
Algorithm D.1 beside two that keep less of a dense start, factors that each start as a dense layer does, and
normal ones whose product has a dense layer's variance, with rare large and many tiny weights. MNIST on
LeNet-300-100, 6 epochs, three seeds. Trainings that the file has are not repeated.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from sparsebench import train
from sparsebench.methods.api import knob, register
from sparsebench.methods.dwf import DeepWeightFactorization
from sparsebench.methods.factors import layer_sigma
from sparsebench.methods.net import Net
from torch import Tensor

SEEDS, DEPTHS, SHOWN = (1, 2, 3), (2, 3, 4), (1, 4, 16, 64)
STARTS = ("d1", "as dense", "normal")
RECIPE = {"epochs": 6, "batch_size": 256, "warmup": 0.05, "lr": 0.5, "lam": 6e-4}


@register("dwf-start", reference="arXiv:2502.02496")
@dataclass
class StartedOtherwise(DeepWeightFactorization):
    """DWF with a choice of the first factors, which also tells the share of misalignment in its L2."""

    start: str = knob("d1", choices=STARTS, searched=False, doc="how the factors start")

    def initial(self, net: Net, w: Tensor) -> Tensor:
        if self.start == "d1":
            return super().initial(net, w)
        sigma = layer_sigma(w)
        scale = sigma if self.start == "as dense" else sigma ** (1 / self.depth)
        return torch.randn((self.depth, *w.shape), generator=net.generator) * scale

    def diagnostics(self, net: Net) -> dict[str, float]:
        l2 = float(net.factorized.omega.detach().double().square().sum()) / self.depth
        return {"misaligned_share": super().diagnostics(net)["misalignment"] / l2}


def trainings() -> Iterator[tuple[int, str, int]]:
    """Yields depth, start and seed."""
    for depth in DEPTHS:
        for start in STARTS:
            for seed in SEEDS:
                yield depth, start, seed


def measured(depth: int, start: str, seed: int, data: str | None) -> dict[str, Any]:
    """One training: its accuracy at the compressions, and the misaligned share at ten times of it."""
    settings = {"depth": depth, "start": start, **RECIPE}
    record = train("mnist", "lenet_300_100", "dwf-start", settings=settings, seed=seed, data=data)
    rows = [(row["step"], row["misaligned_share"]) for row in record.curve]
    return {
        "accuracy": {f"{p.at:g}": p.test_accuracy for p in record.at_compressions},
        "misaligned_share": rows[:: max(1, len(rows) // 10)] + rows[-1:],
        "status": record.status,
    }


def table(found: dict[str, dict[str, Any]]) -> str:
    """Both tables as Markdown: means over the seeds."""

    def own(depth: int, start: str) -> Sequence[dict[str, Any]]:
        return [found[key] for seed in SEEDS if (key := json.dumps([depth, start, seed])) in found]

    def cell(values: Sequence[float]) -> str:
        return f"{100 * fmean(values):.1f} ± {100 * stdev(values):.1f}" if len(values) > 1 else "–"

    lines = [
        "| start | D | " + " | ".join(f"@{c}" for c in SHOWN) + " |",
        "|---|---:|" + "---:|" * len(SHOWN),
    ]
    for start in STARTS:
        for depth in DEPTHS:
            runs = [r["accuracy"] for r in own(depth, start) if r["status"] == "ok"]
            cells = [cell([r[str(c)] for r in runs]) for c in SHOWN]
            lines.append(f"| {start} | {depth} | {' | '.join(cells)} |")
    lines += [
        "",
        "| D | misaligned share of the L2 at the start | halfway | at the end |",
        "|---:|---:|---:|---:|",
    ]
    for depth in DEPTHS:
        curves = [[share for _, share in r["misaligned_share"]] for r in own(depth, "d1")]
        ends = [(c[0], c[len(c) // 2], c[-1]) for c in curves]
        lines.append(
            f"| {depth} | " + " | ".join(f"{fmean(at):.2g}" for at in zip(*ends, strict=True)) + " |"
        )
    return "\n".join(lines)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data")
    args = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    if args.out.exists():
        found = dict(json.loads(line) for line in args.out.read_text().splitlines())
    for depth, start, seed in trainings():
        key = json.dumps([depth, start, seed])
        if key not in found:
            found[key] = measured(depth, start, seed, args.data)
            with args.out.open("a") as file:
                file.write(json.dumps([key, found[key]]) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
