"""The memory format of convolution weights while a network is trained."""

import torch
from torch import nn

from ..config.trial_spec import Recipe


def memory_format(recipe: Recipe, device: torch.device) -> torch.memory_format:
    """Returns the memory format to train in: contiguous for float32 on a GPU, else channels last.

    The tensor cores of a GPU, which compute in bfloat16, read channels last only; other formats are converted
    in every step. On a CPU a step of a small convolutional net takes 0.7 of the time, that of ResNet-18 1.06
    (`benchmarks/memory_format.py`).

    Args:
        recipe: Its `precision` decides.
        device: The device that trains.

    Returns:
        `torch.channels_last` or `torch.contiguous_format`.

    Example:
        >>> memory_format(Recipe(), torch.device("cpu"))
        torch.channels_last
        >>> memory_format(Recipe(), torch.device("cuda"))
        torch.contiguous_format
    """
    last = device.type == "cpu" or recipe.precision == "bfloat16"
    return torch.channels_last if last else torch.contiguous_format


def set_memory_format(model: nn.Module, order: torch.memory_format) -> None:
    """Stores the weights of all 2-D convolutions in a memory format; their outputs then have it too.

    Args:
        model: The model to change, in place; values, shapes and parameter objects stay the same.
        order: `torch.channels_last` or `torch.contiguous_format`.

    Example:
        >>> conv = nn.Conv2d(8, 16, 3)
        >>> set_memory_format(conv, torch.channels_last)
        >>> conv.weight.shape, conv.weight.stride()  # neighbours in memory differ in the channel
        (torch.Size([16, 8, 3, 3]), (72, 1, 24, 8))
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            # `contiguous` would leave the weight of one input channel as it is, and so the layer's output.
            layer.weight.data = layer.weight.data.to(memory_format=order)
