"""Datasets made from arrays in memory: their validation split, normalisation and digest."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

from ..errors import SparsebenchError
from .api import Data
from .on_device import OnDevice, channel_statistics
from .splits import SPLIT_SEED, held_out


@dataclass(frozen=True)
class Arrays:
    """Images in memory with their labels, before they are normalised.

    Attributes:
        images: The pixels `(N, C, H, W)`, uint8 or float32.
        labels: The classes, int64 `(N,)`.

    Example:
        >>> whole = Arrays(torch.zeros(3, 1, 8, 8), torch.tensor([4, 5, 6]))
        >>> whole.take(torch.tensor([2, 0])).labels
        tensor([6, 4])
    """

    images: Tensor
    labels: Tensor

    def take(self, indices: Tensor) -> "Arrays":
        """Returns a copy of the examples at `indices`, int64 `(M,)`, in that order."""
        return Arrays(self.images.index_select(0, indices), self.labels.index_select(0, indices))


def assemble(
    name: str,
    train: Arrays,
    test: Arrays,
    labels: Sequence[str],
    valid: int,
    *,
    standardise: bool = True,
    content: str | None = None,
) -> Data:
    """Returns an opened dataset of arrays: it holds out the validation split and computes the normalisation.

    Args:
        name: The name of the dataset.
        train: The training set, of which a stratified part becomes the validation split.
        test: The test set.
        labels: The names of the classes in the order of the labels.
        valid: The number of examples to hold out.
        standardise: Whether images are normalised by mean and standard deviation of each channel over the
            training examples that remain; False leaves them as they are.
        content: A digest of the files that the arrays were decoded from. It replaces the arrays in the
            dataset's digest, since decoders differ in single pixels; None hashes the arrays.

    Returns:
        The dataset, whose splits are held on the device that they are used on.

    Raises:
        SparsebenchError: So many examples cannot be held out with one left for training in each class.

    Example:
        >>> arrays = Arrays(torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1), torch.tensor([0, 1] * 4))
        >>> made = assemble("eight", arrays, arrays, ["even", "odd"], valid=2)
        >>> len(made.train), len(made.valid), len(made.test), made.shape
        (6, 2, 8, (1, 1, 1))
    """
    try:
        kept, held = held_out(train.labels, valid)
    except SparsebenchError as error:
        raise SparsebenchError(f"dataset {name!r}: valid = {valid}: {error}") from None
    fitted = train.take(kept)
    channels = fitted.images.shape[1]
    mean, std = torch.zeros(channels), torch.ones(channels)
    if standardise:
        mean, std = channel_statistics(fitted.images)
    splits = [OnDevice(part.images, part.labels, mean, std) for part in (fitted, train.take(held), test)]
    shape = (channels, fitted.images.shape[2], fitted.images.shape[3])
    arrays = [train.images, train.labels, test.images, test.labels] if content is None else []
    digest = _digest_of(arrays, f"{content or ''}{split_definition(valid)}")
    norm = (tuple(mean.tolist()), tuple(std.tolist()))
    return Data(name, shape, len(labels), splits[0], splits[1], splits[2], digest, tuple(labels), *norm)


def split_definition(valid: int) -> str:
    """Returns the rule of the validation split in words, for the digest: they change when the split does.

    Args:
        valid: The number of examples that are held out.

    Returns:
        The algorithm of `splits.py`, its seed and the number.

    Example:
        >>> split_definition(5000)
        'held_out philox seed=0 count=5000'
    """
    return f"held_out philox seed={SPLIT_SEED} count={valid}"


def _digest_of(tensors: Sequence[Tensor], definition: str) -> str:
    """Returns sha256, in hex, over dtype, shape and little-endian bytes of each tensor, then `definition`."""
    total = sha256()
    for tensor in tensors:
        array = np.ascontiguousarray(tensor.numpy())
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        total.update(f"{array.dtype.name}{tuple(array.shape)}".encode())
        total.update(array.data)
    total.update(definition.encode())
    return total.hexdigest()
