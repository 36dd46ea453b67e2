"""A training step with convolution weights channels last against contiguous, on one thread of a CPU."""

from typing import Any
from unittest.mock import patch

import torch
from loops import harness, harness_steps, mnist
from sparsebench.bench.training import loop
from sparsebench.bench.training.loop import Training
from sparsebench.datasets.api import Data
from timing import compare, one_thread, write

STEPS, REPETITIONS = 2, 15
ORDERS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
CASES: list[tuple[str, int, str, dict[str, Any]]] = [  # model, batch, method, its knobs
    ("lenet5", 256, "dense", {}),
    ("lenet5", 256, "dwf", {"depth": 3}),
    ("conv3_bn", 128, "dense", {}),
    ("conv3_bn", 128, "dwf", {"depth": 3}),
    ("conv3_bn", 128, "random", {"sparsity": 0.9}),
    ("test_resnet", 64, "dense", {}),
    ("test_efficientnet", 64, "dense", {}),
    ("resnet18_cifar", 8, "dense", {}),
]


def prepared(data: Data, case: tuple[str, int, str, dict[str, Any]], order: torch.memory_format) -> Training:
    """Returns a training of the harness in a memory format."""
    model, batch, method, knobs = case
    with patch.object(loop, "memory_format", lambda recipe, device: order):
        return harness(data, method, model=model, batch=batch, lr=0.01, **knobs)


one_thread()
images = mnist()
table = {}
for case in CASES:
    blocks = {name: harness_steps(prepared(images, case, order), STEPS) for name, order in ORDERS.items()}
    found = compare(blocks, "contiguous", REPETITIONS, STEPS)
    table[f"{case[0]}, {case[2]}"] = {
        "contiguous_ms": found["contiguous"]["cpu_ms"], "ratio": found["channels last"]["cpu_ratio"]
    }  # fmt: skip
write("memory_format", "a step with channels last against contiguous weights; MNIST, processor time", table)
