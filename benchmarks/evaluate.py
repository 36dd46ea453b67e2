"""Evaluating a split against one forward over all of it: LeNet-300-100, MNIST's 10,000 test images."""

import torch
from loops import CPU, fresh_model, mnist
from sparsebench.bench.measurement.accuracy import accuracy
from timing import compare, one_thread, write

one_thread()
data, model = mnist(), fresh_model()
((x, y),) = data.test.batches(len(data.test), CPU)


@torch.inference_mode()
def one_forward() -> float:
    return float((model(x).argmax(1) == y).float().mean())


table = compare(
    {"one batched forward": one_forward, "sparsebench": lambda: accuracy(model, data.test, CPU)},
    "one batched forward",
    60,
)
write("evaluate", "milliseconds to evaluate 10,000 images", table)
