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
from .second_derivative import implemented, twice_differentiable

TEMPERATURE = 200.0


def _batches_knob() -> Any:
    """Returns the field `batches`: the number of labelled batches over which a score is summed."""
    return knob(
        1,
        minimum=1,
        maximum=10_000,
        searched=False,
        doc="training batches to score on, out of the same budget",
    )


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Puts a model into the state for scoring, and restores its mode, buffers and norms afterwards.

    Scores are taken in training mode, as in the papers, with γ = 1 for norms that start at γ = 0.

    Args:
        model: The fresh model.

    Yields:
        Nothing; the model is in training mode within.

    Example:
        >>> norm = nn.BatchNorm1d(2)
        >>> with undisturbed(norm):
        ...     out = norm(torch.ones(4, 2))  # in training mode this updates the running mean
        >>> norm.running_mean.tolist()
        [0.0, 0.0]
    """
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


def _gradients(net: Net, value: Tensor, *, graph: bool = False) -> list[Tensor]:
    """Returns ∂value/∂w for each prunable weight; zeros for a weight that the model does not use."""
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

    Attributes:
        sparsity: The fraction of zeros over all prunable weights.
        batches: The number of training batches over which ∂L/∂w is summed; each costs one step.

    Example:
        >>> from sparsebench.bench.training.probe import TrainingProbe
        >>> from sparsebench.methods.api import configure
        >>> batch = torch.randn(32, *data.shape), torch.arange(32) % data.classes
        >>> probe = TrainingProbe(net.model, data.shape, iter([batch]), batch_size=32, total_steps=100)
        >>> groups = configure("snip", {"sparsity": 0.9}).attach(net, plan=None, probe=probe)
        >>> sum(int(mask.sum()) for mask in net.masks.values()), probe.spent  # 10% of 50,200 weights
        (5020, 1)
    """

    sparsity: float = sparsity_knob()
    batches: int = _batches_knob()

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        total = [torch.zeros_like(net.weight(name)) for name in net.names]
        with undisturbed(probe.model):
            for x, y in probe.batches(self.batches):
                for sum_, g in zip(total, _gradients(net, probe.loss(x, y)), strict=True):
                    sum_.add_(g)
        scores = {name: (g * net.weight(name)).abs() for name, g in zip(net.names, total, strict=True)}
        return masked_groups(net, global_top(scores, keep_count(self.sparsity, net.size)))


def hessian_gradient(net: Net, batches: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """Returns H·g, the Hessian of the loss times its gradient, by layer.

    g = ∇L is detached, z = ⟨g, ∇L⟩ has a graph, and ∇z = H·g. L is the mean cross-entropy over the batches,
    of logits/200. Attention runs unfused here, as its fused kernels have no second derivative.

    Args:
        net: The net; both derivatives are with respect to its prunable weights.
        batches: Images and labels.

    Returns:
        A tensor of each prunable weight's shape, in the net's order.

    Raises:
        SparsebenchError: An operator of the model has no second derivative.

    Example:
        >>> model = nn.Linear(1, 2, bias=False)  # logits/200 = w for an image of 200
        >>> _ = nn.init.zeros_(model.weight)  # so p = (½, ½), g = (-½, ½), H = [[¼, -¼], [-¼, ¼]]
        >>> net = Net(model, ["weight"], torch.Generator())
        >>> hessian_gradient(net, [(torch.tensor([[200.0]]), torch.tensor([0]))])[0].tolist()
        [[-0.25], [0.25]]
    """

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(net.model(x) / TEMPERATURE, y) / len(batches)

    g = [torch.zeros_like(net.weight(name)) for name in net.names]
    product = [torch.zeros_like(one) for one in g]
    with sdpa_kernel(SDPBackend.MATH):
        for x, y in batches:
            for sum_, part in zip(g, _gradients(net, loss(x, y)), strict=True):
                sum_.add_(part)
        for x, y in batches:
            value = loss(x, y)
            with twice_differentiable(value):
                live = _gradients(net, value, graph=True)
            z = torch.stack([(a * b).sum() for a, b in zip(g, live, strict=True)]).sum()
            with implemented():
                second = _gradients(net, z)
            for sum_, part in zip(product, second, strict=True):
                sum_.add_(part)
    return product


@register("grasp", reference="arXiv:2002.07376", version=2)
@dataclass
class Grasp(Sparsifier):
    """S = -w ⊙ Hg with g = ∇L detached and logits/200; the largest signed S over the net are removed.

    What is removed would lower the gradient's norm least (or raise it). H·g takes a second derivative: each
    batch is charged three steps, one for g and two for H·g. A model with an operator that has no second
    derivative is refused.

    Attributes:
        sparsity: The fraction of zeros over all prunable weights.
        batches: The number of training batches over which L is averaged; each costs three steps.

    Example:
        >>> from sparsebench.bench.training.probe import TrainingProbe
        >>> from sparsebench.methods.api import configure
        >>> batch = torch.randn(32, *data.shape), torch.arange(32) % data.classes
        >>> probe = TrainingProbe(net.model, data.shape, iter([batch]), batch_size=32, total_steps=100)
        >>> groups = configure("grasp", {"sparsity": 0.9}).attach(net, plan=None, probe=probe)
        >>> sum(int(mask.sum()) for mask in net.masks.values()), probe.spent
        (5020, 3)
    """

    sparsity: float = sparsity_knob()
    batches: int = _batches_knob()

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        batches = list(probe.batches(self.batches))
        probe.charge(2 * sum(len(x) for x, _ in batches))
        with undisturbed(probe.model):
            product = hessian_gradient(net, batches)
        kept = {name: net.weight(name) * hg for name, hg in zip(net.names, product, strict=True)}
        return masked_groups(net, global_top(kept, keep_count(self.sparsity, net.size)))
