"""Accuracy of a model on a split, every example counted once."""

import torch
from torch import nn

from ...datasets.api import Split

EVAL_BATCH = 1024


@torch.inference_mode()
def correct(model: nn.Module, split: Split, device: torch.device) -> int:
    """Returns how many examples of a split the model classifies correctly, in eval mode.

    Args:
        model: A classifier on `device`; its train or eval mode is the same afterwards.
        split: The examples; each is counted once, in batches of `EVAL_BATCH`, never augmented.
        device: Where the batches are put.

    Returns:
        The number of examples whose largest logit is that of their label.

    Example:
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> images, labels = torch.eye(3).view(3, 1, 1, 3), torch.tensor([0, 1, 1])
        >>> split = OnDevice(images, labels, mean=torch.zeros(1), std=torch.ones(1))
        >>> correct(nn.Flatten(), split, torch.device("cpu"))  # it predicts 0, 1 and 2
        2
    """
    was_training = model.training
    model.eval()
    hits = torch.zeros((), dtype=torch.int64, device=device)
    for x, y in split.batches(EVAL_BATCH, device):
        hits += (model(x).argmax(dim=1) == y).sum()
    model.train(was_training)
    return int(hits)


def accuracy(model: nn.Module, split: Split, device: torch.device) -> float:
    """Returns the accuracy of a model on a split: correct examples over all examples.

    Args:
        model: A classifier on `device`.
        split: The examples to classify.
        device: Where the batches are put.

    Returns:
        A fraction in [0, 1].

    Example:
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> images, labels = torch.eye(4).view(4, 1, 1, 4), torch.tensor([0, 1, 2, 2])
        >>> split = OnDevice(images, labels, mean=torch.zeros(1), std=torch.ones(1))
        >>> accuracy(nn.Flatten(), split, torch.device("cpu"))  # it predicts 0, 1, 2 and 3
        0.75
    """
    return correct(model, split, device) / len(split)
