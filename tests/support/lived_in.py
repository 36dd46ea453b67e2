"""Networks with the statistics and biases of trained ones, as tests of compaction want them."""

import torch
from torch import Tensor, nn


def lived_in(model: nn.Module) -> nn.Module:
    """The model, with norms and biases of which none is zero."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
        for name, p in module.named_parameters(recurse=False):
            if name == "bias" or not p.detach().any():
                nn.init.normal_(p, std=0.3)
    return model.eval()


def shapes(model: nn.Module) -> list[tuple[int, ...]]:
    """The shapes of its weights."""
    return [tuple(p.shape) for p in model.parameters() if p.ndim > 1]


@torch.no_grad()
def difference(model: nn.Module, other: nn.Module, images: Tensor) -> float:
    """How far two models' logits are apart, as a fraction of the largest."""
    expected = model.eval()(images)
    return float((other(images) - expected).abs().max() / expected.abs().max())
