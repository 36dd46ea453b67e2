"""How far the cut by |w| depends on the scales of a network's layers under BatchNorm.

    python benchmarks/cut_rule.py runs/cut_rule --data DIR

BatchNorm undoes the scale of the layer before it, so two networks that compute the same can be cut in
different ways by |w|. LAMP's scores (Lee et al., ICLR 2021, arXiv:2010.07611) do not change with a layer's
scale: w² over the sum of the squares in its layer that are not smaller. The same finished models are cut by
both rules here; a figure and a table show what a leaderboard would say with the other. The folder keeps the
trained models: called again the script measures only.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sparsebench import train
from sparsebench.bench.export.load_snippet import build_network
from sparsebench.bench.measurement.accuracy import accuracy
from sparsebench.bench.measurement.cuts import restored
from sparsebench.bench.models.model_file import read_model
from sparsebench.datasets.api import open_dataset
from sparsebench.methods.masks import top
from sparsebench.methods.sparsity import kept_at
from timing import write
from torch import Tensor

COMPRESSIONS = (2, 4, 8, 16, 32, 64, 128)
RECIPE = {"epochs": 2, "batch_size": 128}
ENTRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "dense": ("dense", {"lr": 0.1}),
    "l1": ("l1", {"lr": 0.1, "lam": 1e-4}),
    "l1, stronger": ("l1", {"lr": 0.1, "lam": 4e-4}),
    "dwf-2": ("dwf", {"depth": 2, "lr": 0.2, "lam": 1e-4}),
    "dwf-3": ("dwf", {"depth": 3, "lr": 0.2, "lam": 1e-4}),
    "dwf-3, stronger": ("dwf", {"depth": 3, "lr": 0.2, "lam": 4e-4}),
}


def lamp(w: Tensor) -> Tensor:
    """LAMP's score of each weight of one layer: w² over the sum of all squares that are not smaller."""
    squares, order = w.flatten().double().square().sort()
    not_smaller = squares.flip(0).cumsum(0).flip(0)
    scores = torch.empty_like(squares)
    scores[order] = squares / not_smaller.clamp_min(torch.finfo(torch.float64).tiny)
    return scores


@torch.no_grad()
def cut(weights: Sequence[Tensor], scores: Sequence[Tensor], keep: int) -> None:
    """Keeps the weights of the largest scores, in place."""
    mask = top(torch.cat([s.reshape(-1) for s in scores]), keep)
    for w, kept in zip(weights, mask.split([w.numel() for w in weights]), strict=True):
        w.masked_fill_(~kept.view_as(w), 0.0)


def curves(file: Path, data_root: str | None) -> dict[str, list[float]]:
    """Test accuracy at each compression by both rules, and the sparsity by itself."""
    state, card = read_model(file)
    network = build_network(card)
    network.load_state_dict(state)
    network.eval()
    data = open_dataset(card.dataset, data_root, **card.dataset_args)
    weights = [network.get_parameter(name).detach() for name in card.prunable]
    size, device = sum(w.numel() for w in weights), torch.device("cpu")
    found: dict[str, list[float]] = {"uncut": [accuracy(network, data.test, device)]}
    rules = {"|w|": [w.abs() for w in weights], "LAMP": [lamp(w) for w in weights]}
    for rule, scores in rules.items():
        found[rule] = []
        for c in COMPRESSIONS:
            with restored(weights):
                cut(weights, scores, kept_at(c, size))
                found[rule].append(accuracy(network, data.test, device))
    return found


def draw(found: dict[str, dict[str, list[float]]], path: Path) -> None:
    """The figure: accuracy against compression, a panel an entry, a line a rule."""
    import pandas as pd
    import seaborn as sns

    rows = [
        {"entry": entry, "compression": c, "test accuracy, %": 100 * a, "kept by": rule}
        for entry, own in found.items()
        for rule in ("|w|", "LAMP")
        for c, a in zip(COMPRESSIONS, own[rule], strict=True)
    ]
    sns.set_theme(style="whitegrid", context="paper")
    grid = sns.relplot(
        pd.DataFrame(rows), x="compression", y="test accuracy, %", hue="kept by", style="kept by",
        col="entry", col_wrap=3, kind="line", markers=True, height=2.2, aspect=1.3,
    )  # fmt: skip
    grid.set(xscale="log", xticks=COMPRESSIONS, xticklabels=[str(c) for c in COMPRESSIONS])
    grid.set_titles("{col_name}")
    grid.savefig(path, dpi=150)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data")
    parser.add_argument("--figure", type=Path, default=Path("docs/cut-rule.png"))
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for entry, (method, settings) in ENTRIES.items():
        file = args.folder / f"{entry.replace(', ', '-')}.safetensors"
        if not file.exists():
            train("mnist", "test_resnet", method, settings={**settings, **RECIPE}, data=args.data, save=file)
        found[entry] = curves(file, args.data)
        print(entry, json.dumps(found[entry]))
    draw(found, args.figure)
    table = {
        f"{entry}, {rule}": {f"@{c}": round(a, 4) for c, a in zip(COMPRESSIONS, own[rule], strict=True)}
        for entry, own in found.items()
        for rule in ("|w|", "LAMP")
    }
    what = "test accuracy of the same networks, cut by |w| and by LAMP's scores"
    write("cut_rule", what, table, recipe=RECIPE, entries=ENTRIES)


if __name__ == "__main__":
    main()
