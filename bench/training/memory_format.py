"""In which order the numbers of a convolution lie in memory while a network is trained."""

import torch
from torch import nn

from ..config.trial_spec import Recipe


def memory_format(recipe: Recipe, device: torch.device) -> torch.memory_format:
    """Channels last for bfloat16 on a GPU: its tensor cores read nothing else and convert the rest."""
    last = device.type == "cuda" and recipe.precision == "bfloat16"
    return torch.channels_last if last else torch.contiguous_format


def set_memory_format(model: nn.Module, order: torch.memory_format) -> None:
    """Put the weights of all 2-D convolutions into that order, which what they compute then follows."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=order)
