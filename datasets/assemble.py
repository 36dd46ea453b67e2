"""From arrays to an opened dataset: the validation split, the normalisation and the digest."""

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
    """Images `(N, C, H, W)`, uint8 or float32, with their int64 labels `(N,)`."""

    images: Tensor
    labels: Tensor

    def take(self, indices: Tensor) -> "Arrays":
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
    """A `Data` on the device: `valid` examples held out of `train`, normalised by what remains of it.

    `content` stands for the arrays in the digest, where they were decoded from files: decoders differ.
    Errors: `SparsebenchError` where `valid` is not possible.
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
    digest = digest_of(arrays, f"{content or ''}{split_definition(valid)}")
    norm = (tuple(mean.tolist()), tuple(std.tolist()))
    return Data(name, shape, len(labels), splits[0], splits[1], splits[2], digest, tuple(labels), *norm)


def split_definition(valid: int) -> str:
    """The rule that made the validation split, in words that change when its outcome does."""
    return f"held_out philox seed={SPLIT_SEED} count={valid}"


def digest_of(tensors: Sequence[Tensor], definition: str) -> str:
    """sha256, in hex, over dtype, shape and little-endian bytes of each tensor, then `definition`."""
    total = sha256()
    for tensor in tensors:
        array = np.ascontiguousarray(tensor.numpy())
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        total.update(f"{array.dtype.name}{tuple(array.shape)}".encode())
        total.update(array.data)
    total.update(definition.encode())
    return total.hexdigest()
