"""Pruning at initialisation: the random mask, and helpers of all methods that prune the fresh net."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .api import ParamGroup, Plan, Probe, Sparsifier, knob, register, sparsity_knob
from .masks import DISTRIBUTIONS, random_masks
from .net import Net


def _closed(model: nn.Module) -> list[nn.Parameter]:
    """Returns the γ of norms that start at 0, as in residual branches: any score of the branch is 0."""
    named = model.named_parameters()
    return [p for name, p in named if p.ndim == 1 and name.endswith("weight") and not bool(p.any())]


def open_up(model: nn.Module) -> list[nn.Parameter]:
    """Sets the scale γ of norms that start at 0 to 1, as in the networks of the papers.

    Some residual networks start the last norm of a branch at γ = 0; any score of the branch would be 0.

    Args:
        model: The fresh model, changed in place.

    Returns:
        The γ parameters that were changed, so that a caller can set them back.

    Example:
        >>> norm = nn.BatchNorm2d(2)
        >>> _ = nn.init.zeros_(norm.weight)
        >>> [gamma.tolist() for gamma in open_up(norm)]
        [[1.0, 1.0]]
    """
    found = _closed(model)
    with torch.no_grad():
        for gamma in found:
            gamma.fill_(1.0)
    return found


def masked_groups(net: Net, masks: dict[str, Tensor]) -> list[ParamGroup]:
    """Masks the fresh net and returns the parameter groups of ordinary, dense training.

    Norms with γ = 0 are set to γ = 1 where a weight is pruned: beside a branch that is 0, neurons whose
    shortcut is pruned would output 0 and receive no gradient throughout the training.

    Args:
        net: The fresh net.
        masks: A boolean mask by layer, True for the weights that remain, on any device.

    Returns:
        The weights under the recipe's decay, and all other parameters without.

    Example:
        >>> weights, others = masked_groups(net, {name: net.weight(name) > 0 for name in net.names})
        >>> all(bool((w >= 0).all()) for w in weights.params)
        True
    """
    if not all(bool(mask.all()) for mask in masks.values()):
        open_up(net.model)
    net.set_masks({name: mask.to(net.weight(name).device) for name, mask in masks.items()})
    return [net.weights(), net.others()]


@register("random", reference="arXiv:1911.11134", version=2)
@dataclass
class Random(Sparsifier):
    """w = m ⊙ θ with a random mask m, drawn before training and never changed.

    Layer densities are ERK, ε·Σ(shape)/Π(shape) with ε solved for the total, or uniform.

    Attributes:
        sparsity: The fraction of zeros over all layers, met to the nearest weight.
        distribution: "erk", by which larger layers are sparser, or "uniform".

    Example:
        >>> from sparsebench.methods.api import configure
        >>> groups = configure("random", {"sparsity": 0.9}).attach(net, plan=None, probe=None)
        >>> {name: int(mask.sum()) for name, mask in net.masks.items()}  # 10% of 50,200 weights
        {'1.weight': 2091, '3.weight': 2297, '5.weight': 632}
    """

    sparsity: float = sparsity_knob()
    distribution: str = knob(
        "erk",
        choices=tuple(DISTRIBUTIONS),
        searched=False,
        doc="layer densities: Erdős–Rényi kernel, or the same",
    )

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        shapes = {name: tuple(net.weight(name).shape) for name in net.names}
        return masked_groups(net, random_masks(shapes, self.sparsity, self.distribution, net.generator))
