"""Pruning at initialisation: choose a mask before training, then train what is left as usual."""

from dataclasses import dataclass

from torch import Tensor

from .api import ParamGroup, Plan, Probe, Sparsifier, knob, register, sparsity_knob
from .masks import DISTRIBUTIONS, random_masks
from .net import Net


def masked_groups(net: Net, masks: dict[str, Tensor]) -> list[ParamGroup]:
    """Mask the fresh net and train it as a dense one would be."""
    net.set_masks({name: mask.to(net.weight(name).device) for name, mask in masks.items()})
    return [net.weights(), net.others()]


@register("random", reference="arXiv:1911.11134")
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
