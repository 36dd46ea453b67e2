"""Synthetic classification with a known sparse teacher, so that its recovery can be checked."""

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
    """Generates x ~ N(0, I) with y = argmax_c (W x + noise·ε)_c, ε ~ N(0, I), of the teacher W = `truth`.

    The inputs are yielded as they are drawn, without a further normalisation.

    Args:
        root: The data root, which is not used.
        download: Not used either.
        size: The side of an input, whose shape is (1, size, size).
        classes: The number of classes, the rows of W.
        nonzeros: The number of nonzero entries in each row of W, of size².
        noise: The standard deviation of the noise on each logit; at 0 the teacher has no error.
        n: The number of examples for training and validation; n/5 more are generated for the test.
        valid: The number of examples among `n` to hold out for validation.
        seed: The seed of the teacher, the inputs and the noise.

    Returns:
        The dataset, with the identity as its normalisation.

    Raises:
        SparsebenchError: An argument is out of range, or some class has no example.

    Example:
        >>> from sparsebench.datasets.api import open_dataset
        >>> opened = open_dataset("planted", n=320, valid=64)
        >>> opened.shape, opened.classes, len(opened.train), len(opened.valid), len(opened.test)
        ((1, 8, 8), 10, 256, 64, 64)
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
    """Returns the sparse linear teacher W of `planted`; `truth(...) != 0` is the mask to recover.

    The nonzero entries are ±u with u uniform on [1, 2], so none is too small to be found. Their places are
    drawn for each row independently, as those of its smallest raw Philox words.

    Args:
        size: The side of an input of size² pixels.
        classes: The number of rows.
        nonzeros: The number of nonzero entries in each row.
        seed: The seed.

    Returns:
        The teacher, float32 `(classes, size²)`.

    Example:
        >>> truth(size=3, classes=2, nonzeros=4).count_nonzero(dim=1)
        tensor([4, 4])
        >>> images, labels = next(data.test.batches(64, torch.device("cpu")))  # planted, without noise
        >>> torch.equal((images.flatten(1) @ truth().T).argmax(1), labels)
        True
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
