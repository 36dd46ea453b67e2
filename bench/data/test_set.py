"""The identity of a test set: which data, and which labels in which order."""

from hashlib import sha256

import torch
from torch import Tensor

from ...datasets.api import Data, Split

BATCH = 1024
CPU = torch.device("cpu")


def test_digest(data: Data) -> str:
    """Returns a digest of the test set that accuracies were measured on.

    Args:
        data: An opened dataset. The pixels count by the dataset's own digest: decoders differ in single ones.

    Returns:
        A SHA-256 in hex over that digest and the labels in their order.

    Example:
        >>> from dataclasses import replace
        >>> test_digest(data) == test_digest(replace(data, test=data.valid))
        False
    """
    total = sha256(f"{data.digest}\0{len(data.test)}\0".encode())
    for labels in _labels(data.test):
        total.update(labels.to(torch.int64).cpu().contiguous().numpy().astype("<i8").tobytes())
    return total.hexdigest()


def _labels(split: Split) -> list[Tensor]:
    held = getattr(split, "labels", None)
    if isinstance(held, Tensor) and held.shape == (len(split),):
        return [held]
    return [labels for _, labels in split.batches(BATCH, CPU)]
