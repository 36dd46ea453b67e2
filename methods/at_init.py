"""Pruning at initialisation: choose a mask before training, then train what is left as usual."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .api import ParamGroup, Plan, Probe, Sparsifier, knob, register, sparsity_knob
from .masks import DISTRIBUTIONS, random_masks
from .net import Net


def closed(model: nn.Module) -> list[nn.Parameter]:
    """Norms that start at γ = 0, as residual branches may: they hide their branch from any score."""
    named = model.named_parameters()
    return [p for name, p in named if p.ndim == 1 and name.endswith("weight") and not bool(p.any())]


def open_up(model: nn.Module) -> list[nn.Parameter]:
    """Set those to γ = 1, where the networks of the papers start; returns them."""
    found = closed(model)
    with torch.no_grad():
        for gamma in found:
            gamma.fill_(1.0)
    return found


def masked_groups(net: Net, masks: dict[str, Tensor]) -> list[ParamGroup]:
    """Mask the fresh net and train it as a dense one would be.

    A branch that is closed by γ = 0 is opened: what a mask takes away from its shortcut would leave neurons
    that give 0 and get no gradient, dead for good.
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
