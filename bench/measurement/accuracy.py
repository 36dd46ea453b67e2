"""Accuracy of a model on a split, every example counted once."""

import torch
from torch import nn

from ...datasets.api import Split

EVAL_BATCH = 1024


@torch.inference_mode()
def correct(model: nn.Module, split: Split, device: torch.device) -> int:
    """How many examples of a split the model gets right, in eval mode; every example counts once."""
    was_training = model.training
    model.eval()
    hits = torch.zeros((), dtype=torch.int64, device=device)
    for x, y in split.batches(EVAL_BATCH, device):
        hits += (model(x).argmax(dim=1) == y).sum()
    model.train(was_training)
    return int(hits)


def accuracy(model: nn.Module, split: Split, device: torch.device) -> float:
    """Correct examples over all examples."""
    return correct(model, split, device) / len(split)
