"""Validation splits: stratified, seeded, the same on every platform."""

import numpy as np
import torch
from torch import Tensor

from ..errors import SparsebenchError

SPLIT_SEED = 0
"""The seed of every built-in split: a split is part of its dataset and does not depend on a trial's seed."""


def held_out(labels: Tensor, count: int, seed: int = SPLIT_SEED) -> tuple[Tensor, Tensor]:
    """Returns the indices of a stratified split of a training set: the remaining examples and those held out.

    Of class c with n_c of N examples, count·n_c/N are held out, rounded by largest remainders (ties to the
    lower class), and at most n_c − 1. Example i is assigned the i-th raw 64-bit word of Philox(key=seed); the
    examples with a class's smallest words are held out. The raw stream of a NumPy bit generator is guaranteed
    never to change, unlike `permutation` or `torch.randperm`.

    Args:
        labels: The class of each example, int64 `(N,)` on the CPU.
        count: The number of examples to hold out.
        seed: The key of the generator.

    Returns:
        The indices `(kept, held)`, int64 and ascending, which together are 0 … N − 1.

    Raises:
        SparsebenchError: `count` is below 1 or leaves some class without a training example; or every class
            has one alone.

    Example:
        >>> labels = torch.tensor([0] * 6 + [1] * 4)
        >>> kept, held = held_out(labels, 5)
        >>> held, labels[held]  # 5·6/10 of class 0 and 5·4/10 of class 1
        (tensor([0, 1, 2, 8, 9]), tensor([0, 0, 0, 1, 1]))
    """
    classes, sizes = np.unique(labels.numpy(), return_counts=True)
    most = int(len(labels) - len(classes))
    if most < 1:
        raise SparsebenchError(
            f"too few to split: {len(labels)} examples in {len(classes)} classes, of which every class keeps "
            "one for training and the held-out split needs one"
        )
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
    """Returns `count` apportioned to classes of these sizes, below each size; in integer arithmetic alone."""
    total = int(sizes.sum())
    shares = [divmod(count * int(size), total) for size in sizes]
    quotas = [min(whole, int(size) - 1) for (whole, _), size in zip(shares, sizes, strict=True)]
    by_remainder = sorted(range(len(sizes)), key=lambda c: (-shares[c][1], c))
    while sum(quotas) < count:
        for c in by_remainder:
            if sum(quotas) < count and quotas[c] < sizes[c] - 1:
                quotas[c] += 1
    return quotas
