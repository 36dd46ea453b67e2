"""What examples in docstrings may use without making it first; CONTRIBUTING.md lists the names."""

import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from synthetic_records import campaign

SIZE = {"n": 320, "valid": 64}


@cache
def records() -> Any:
    """Records of three entries on one task, searched and confirmed with three seeds."""
    return campaign(
        {"dense": 9.0, "magnitude": 1.7, "dwf-3": 2.2}, {"made_up": (0.1, 0.98)}, trials=4, seeds=3
    )


def record() -> Any:
    """A confirmed record of dwf-3."""
    return next(r for r in records() if r.entry == "dwf-3" and r.phase == "confirm")


def board() -> Any:
    """The leaderboard of those records' task."""
    from sparsebench.reports.analysis.boards import boards

    return boards(records())[0]


def trial() -> Any:
    """A trial of one epoch on planted data."""
    from sparsebench.bench.config.trial_spec import Recipe, Trial

    recipe = Recipe(epochs=1, lr=0.05, weight_decay=0.0)
    return Trial(
        suite="suite", entry="dense", dataset="planted", dataset_args=SIZE, data_digest=data().digest,
        model="lenet_300_100", method="dense", recipe=recipe,
    )  # fmt: skip


@cache
def data() -> Any:
    """A planted set of 256 training images, of 8×8 pixels in two classes or more."""
    from sparsebench.datasets.api import open_dataset

    return open_dataset("planted", **SIZE)


def model() -> Any:
    """A fresh LeNet-300-100 for those images."""
    import torch
    from sparsebench.bench.models.factory import create

    torch.manual_seed(0)
    return create("lenet_300_100", data().shape, data().classes)


def net() -> Any:
    """What a method sees of that model."""
    import torch
    from sparsebench.bench.measurement.forward import products
    from sparsebench.bench.measurement.graph.find_channels import find_channels
    from sparsebench.bench.measurement.prunable import prunable_weights
    from sparsebench.methods.api import Net

    made = model()
    names = prunable_weights(made, products(made, data().shape))
    find = partial(find_channels, made, names, data().shape)
    return Net(made, names, torch.Generator().manual_seed(0), find)


def weights() -> Any:
    """The weights of three linear layers, from 2 inputs to 3, 2 and 4 outputs."""
    import torch

    return {"0.weight": torch.ones(3, 2), "2.weight": torch.ones(2, 3), "4.weight": torch.ones(4, 2)}


def channels() -> Any:
    """The channels of a network of those layers."""
    from sparsebench.bench.measurement.graph.find_channels import find_channels
    from torch import nn

    layers = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 4)]
    return find_channels(nn.Sequential(*layers), list(weights()), (2,))


def folder() -> Path:
    """An output folder with those records, made anew in the working folder."""
    from sparsebench.records.store import FILE

    made = Path("run").absolute()
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    (made / FILE).write_text("".join(one.to_json() + "\n" for one in records()))
    return made


def made_up_latency() -> Any:
    """A function that makes a latency of an entry of those records, from a compression and a batch size."""
    from latencies import made_up_latency as make

    return make


NAMES: dict[str, Callable[[], Any]] = {
    made.__name__: made
    for made in (records, record, board, trial, data, model, net, folder, weights, channels, made_up_latency)
}
