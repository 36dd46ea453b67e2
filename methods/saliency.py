"""Pruning at initialisation by scores on labelled batches: SNIP and GraSP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .api import ParamGroup, Plan, Probe, Sparsifier, keep_count, knob, register, sparsity_knob
from .at_init import masked_groups, open_up
from .masks import global_top
from .net import Net

TEMPERATURE = 200.0


def batches_knob() -> Any:
    """How many labelled batches a score is taken over."""
    return knob(
        1,
        minimum=1,
        maximum=10_000,
        searched=False,
        doc="training batches to score on, out of the same budget",
    )


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Score in training mode, as the papers do, with every branch open, and put all back afterwards."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    gates, was_training = open_up(model), model.training
    model.train()
    try:
        yield
    finally:
        model.train(was_training)
        with torch.no_grad():
            for gamma in gates:
                gamma.zero_()
            for buffer, before in buffers:
                buffer.copy_(before)


def gradients(net: Net, value: Tensor, *, graph: bool = False) -> list[Tensor]:
    """∂value/∂w for each prunable weight; a weight that the model does not use gets zeros."""
    weights = list(net.weights_by_name.values())
    found: tuple[Tensor, ...] = torch.autograd.grad(
        value, weights, create_graph=graph, allow_unused=True, materialize_grads=True
    )
    return list(found)


@register("snip", reference="arXiv:1810.02340", version=2)
@dataclass
class Snip(Sparsifier):
    """S = |∂L/∂w ⊙ w| on labelled batches of the fresh net; the largest S over the net are kept.

    The survivors keep their initial values and train as usual. At high compression whole layers can empty.
    """

    sparsity: float = sparsity_knob()
    batches: int = batches_knob()

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        total = [torch.zeros_like(net.weight(name)) for name in net.names]
        with undisturbed(probe.model):
            for x, y in probe.batches(self.batches):
                for sum_, g in zip(total, gradients(net, probe.loss(x, y)), strict=True):
                    sum_.add_(g)
        scores = {name: (g * net.weight(name)).abs() for name, g in zip(net.names, total, strict=True)}
        return masked_groups(net, global_top(scores, keep_count(self.sparsity, net.size)))


def hessian_gradient(net: Net, batches: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """H·g, layer by layer: g = ∇L detached, z = ⟨g, ∇L⟩ with its graph, ∇z = H·g. L has logits/200.

    L is the mean over the batches. Attention runs unfused here, as its fused kernels have no second
    derivative.
    """

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(net.model(x) / TEMPERATURE, y) / len(batches)

    g = [torch.zeros_like(net.weight(name)) for name in net.names]
    product = [torch.zeros_like(one) for one in g]
    with sdpa_kernel(SDPBackend.MATH):
        for x, y in batches:
            for sum_, part in zip(g, gradients(net, loss(x, y)), strict=True):
                sum_.add_(part)
        for x, y in batches:
            live = gradients(net, loss(x, y), graph=True)
            z = torch.stack([(a * b).sum() for a, b in zip(g, live, strict=True)]).sum()
            for sum_, part in zip(product, gradients(net, z), strict=True):
                sum_.add_(part)
    return product


@register("grasp", reference="arXiv:2002.07376", version=2)
@dataclass
class Grasp(Sparsifier):
    """S = -w ⊙ Hg with g = ∇L detached and logits/200; the largest signed S over the net are removed.

    What is removed would lower the gradient's norm least (or raise it). H·g takes a second derivative: each
    batch is charged three steps, one for g and two for H·g.
    """

    sparsity: float = sparsity_knob()
    batches: int = batches_knob()

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        batches = list(probe.batches(self.batches))
        probe.charge(2 * sum(len(x) for x, _ in batches))
        with undisturbed(probe.model):
            product = hessian_gradient(net, batches)
        kept = {name: net.weight(name) * hg for name, hg in zip(net.names, product, strict=True)}
        return masked_groups(net, global_top(kept, keep_count(self.sparsity, net.size)))
