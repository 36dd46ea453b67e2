"""Which examples are held out of a training set: stratified, seeded, the same on every platform."""

import numpy as np
import torch
from torch import Tensor

from ..errors import SparsebenchError

SPLIT_SEED = 0
"""The seed of every built-in split: a split belongs to its dataset, never to a trial."""


def held_out(labels: Tensor, count: int, seed: int = SPLIT_SEED) -> tuple[Tensor, Tensor]:
    """Indices `(kept, held)`, both ascending, that part a training set stratified by class.

    `labels` is int64 `(N,)`. Class c with n_c of N examples gives count·n_c/N of them, rounded by largest
    remainders (ties to the lower class), and always keeps one at least. Example i draws the i-th raw 64-bit
    word of Philox(key=seed); the examples with a class's smallest words are held out. The raw stream of a
    NumPy bit generator is guaranteed never to change, unlike `permutation` or `torch.randperm`.

    Errors: `SparsebenchError` where `count` is below 1 or leaves some class without a training example.
    """
    classes, sizes = np.unique(labels.numpy(), return_counts=True)
    most = int(len(labels) - len(classes))
    if not 1 <= count <= most:
        raise SparsebenchError(
            f"cannot hold {count} examples out of {len(labels)} in {len(classes)} classes: take 1 to {most}, "
            "so that every class keeps one for training"
        )
    words = np.random.Philox(key=seed).random_raw(len(labels))
    held = np.zeros(len(labels), dtype=bool)
    for label, quota in zip(classes, _quotas(sizes, count), strict=True):
        members = np.flatnonzero(labels.numpy() == label)
        held[members[np.argsort(words[members], kind="stable")[:quota]]] = True
    return torch.from_numpy(np.flatnonzero(~held)), torch.from_numpy(np.flatnonzero(held))


def _quotas(sizes: np.ndarray, count: int) -> list[int]:
    """`count` shared out over classes of these sizes, in whole numbers below each size (integers only)."""
    total = int(sizes.sum())
    shares = [divmod(count * int(size), total) for size in sizes]
    quotas = [min(whole, int(size) - 1) for (whole, _), size in zip(shares, sizes, strict=True)]
    by_remainder = sorted(range(len(sizes)), key=lambda c: (-shares[c][1], c))
    while sum(quotas) < count:
        for c in by_remainder:
            if sum(quotas) < count and quotas[c] < sizes[c] - 1:
                quotas[c] += 1
    return quotas
