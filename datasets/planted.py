"""Synthetic classification whose sparse truth is known, so that its recovery can be checked."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import SparsebenchError
from .api import Data, register_dataset
from .assemble import Arrays, assemble


@register_dataset(
    "planted",
    summary="Gaussian inputs labelled by a sparse linear teacher; made on the spot, no download",
    shape=(1, 8, 8),
    classes=10,
    train_size=4096,
    args={"size": 8, "classes": 10, "nonzeros": 6, "noise": 0.0, "n": 5120, "valid": 1024, "seed": 0},
)
def planted(
    root: Path,
    download: bool,
    *,
    size: int,
    classes: int,
    nonzeros: int,
    noise: float,
    n: int,
    valid: int,
    seed: int,
) -> Data:
    """x ~ N(0, I) of shape (1, size, size), y = argmax_c (W x + noise·ε)_c with ε ~ N(0, I) and W = `truth`.

    `n` examples, `valid` of them for validation, and n/5 more for the test. The inputs are handed out as
    drawn, not normalised again. Errors: `SparsebenchError` for a setting that makes no classification task.
    """
    _check(size, classes, nonzeros, noise, n, seed)
    teacher = truth(size=size, classes=classes, nonzeros=nonzeros, seed=seed).double().numpy()
    stream = np.random.Generator(np.random.Philox(key=[seed, 1]))
    count = n + n // 5
    inputs = stream.standard_normal((count, size * size)).astype(np.float32)
    logits = noise * stream.standard_normal((count, classes))
    for c, row in enumerate(teacher):
        support = np.flatnonzero(row)
        logits[:, c] += (inputs[:, support] * row[support]).sum(1)
    images = torch.from_numpy(inputs).view(count, 1, size, size)
    labels = torch.from_numpy(logits.argmax(1).astype(np.int64))
    if len(np.unique(labels.numpy())) < classes:
        raise SparsebenchError(f"dataset 'planted': n = {n} is too small to show each of {classes} classes")
    names = [str(c) for c in range(classes)]
    train, test = Arrays(images[:n], labels[:n]), Arrays(images[n:], labels[n:])
    return assemble("planted", train, test, names, valid, standardise=False)


def truth(*, size: int = 8, classes: int = 10, nonzeros: int = 6, seed: int = 0) -> Tensor:
    """The teacher W, float32 `(classes, size²)`: `nonzeros` entries a row; `truth(...) != 0` is the mask.

    The entries are ±u with u uniform on [1, 2], at places drawn afresh for each row: none is so small that
    it could not be found. A row's places are those of its smallest raw Philox words.
    """
    stream = np.random.Philox(key=[seed, 0])
    teacher = np.zeros((classes, size * size), dtype=np.float32)
    for row in teacher:
        places = np.argsort(stream.random_raw(size * size), kind="stable")[:nonzeros]
        words = stream.random_raw(nonzeros)
        magnitude = 1.0 + (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        row[places] = np.where(words & np.uint64(1), magnitude, -magnitude)
    return torch.from_numpy(teacher)


def _check(size: int, classes: int, nonzeros: int, noise: float, n: int, seed: int) -> None:
    bounds = {
        "size": (size, 1, 1024),
        "classes": (classes, 2, 10_000),
        "nonzeros": (nonzeros, 1, size * size),
        "noise": (noise, 0, 1e6),
        "n": (n, 10, 10**8),
        "seed": (seed, 0, 2**63 - 1),
    }
    for name, (value, least, most) in bounds.items():
        if not least <= value <= most:
            raise SparsebenchError(
                f"dataset 'planted': {name} = {value} is out of range: {least} to {most:g}"
            )
