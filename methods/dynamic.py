"""Dynamic sparse training: a sparse mask from the start, whose connections move while it trains."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .api import Clock, knob, register
from .at_init import Random
from .masks import top
from .net import Net

Growth = Callable[[str], Tensor]  # a layer's name to the scores by which its weights grow
NEAR_ZERO = 1e-3


def moved(weight: Tensor, mask: Tensor, growth: Tensor, share: float) -> Tensor:
    """The mask after one update: drop the k = int(share·nonzeros) smallest |w|, grow the k best by `growth`.

    All that is not kept may grow, what was just dropped too. Where the score is 0, such as the gradient at a
    dead neuron, what was dropped goes first: a new weight there could not leave 0.
    """
    live = int(mask.sum())
    k = int(share * live)
    keep = top(weight.abs().masked_fill(~mask, -1.0), live - k)
    growth = growth.masked_fill(mask & (growth == 0), torch.finfo(growth.dtype).tiny)
    return keep | top(growth.masked_fill(keep, -math.inf), k)


def random_like(net: Net, name: str, draw: Callable[..., Tensor]) -> Tensor:
    """Random numbers in the shape and place of a weight, from the net's own generator."""
    w = net.weight(name)
    return draw(w.shape, generator=net.generator).to(w.device)


@register("set", reference="doi:10.1038/s41467-018-04316-3", version=2)
@dataclass
class SparseEvolutionaryTraining(Random):
    """Every ΔT steps, in each layer: drop the f(t)·nnz smallest |w|, grow as many at random.

    f(t) = α/2·(1+cos(πt/T_end)). The first mask is random at ERK densities, and every layer keeps its number
    of weights; layers that are dense are left alone. New weights start at random values of a thousandth of
    the layer's mean |w|: from 0, those at inputs that never change would still be 0 at the end, and the net
    sparser than it says. ΔT is T_end over `updates`, at least 4 steps: a short training moves its mask as
    often as a long one, but a new weight needs steps to outgrow the smallest before the next update.
    """

    least_interval: ClassVar[int] = 4

    alpha: float = knob(
        0.3, low=0.1, high=0.5, minimum=0.0, maximum=1.0, doc="α, the share of a layer that moves at first"
    )
    updates: int = knob(
        50,
        low=20,
        high=200,
        log=True,
        minimum=1,
        maximum=100_000,
        doc="how often the mask is updated up to T_end",
    )
    end: float = knob(0.75, minimum=0.01, maximum=1.0, doc="T_end, as a share of the steps")

    def share(self, clock: Clock) -> float:
        """f(t), the share of a layer's weights to move; 0 between updates and from T_end on."""
        end = int(self.end * clock.steps)
        interval = max(self.least_interval, end // self.updates)
        if not 0 < clock.step < end or clock.step % interval:
            return 0.0
        return self.alpha / 2 * (1 + math.cos(math.pi * clock.step / end))

    def update(self, net: Net, share: float, growth: Growth) -> None:
        """Move the masks of all layers that are neither dense nor empty."""
        masks = dict(net.masks)
        for name, mask in masks.items():
            if not mask.all():
                masks[name] = moved(net.weight(name), mask, growth(name), share)
        net.set_masks(masks)

    def after_step(self, net: Net, clock: Clock) -> None:
        if share := self.share(clock):
            before = net.masks
            self.update(net, share, lambda name: random_like(net, name, torch.rand))
            for name, mask in net.masks.items():
                w, grown = net.weight(name), mask & ~before[name]
                scale = NEAR_ZERO * w.abs().sum() / mask.sum().clamp_min(1)
                w.copy_(torch.where(grown, scale * random_like(net, name, torch.randn), w))


@register("rigl", reference="arXiv:1911.11134", version=2)
@dataclass
class RigL(SparseEvolutionaryTraining):
    """Every ΔT steps, in each layer: drop the f(t)·nnz smallest |w|, grow those with the largest |∂L/∂w|.

    f(t) = α/2·(1+cos(πt/T_end)), ∂L/∂w the dense gradient of the effective weight on one batch. The update
    takes the place of that batch's gradient step. New weights start from 0 without momentum; one that is
    dropped and grown at once keeps its value. First mask, dense layers and ΔT as for `set`, but ΔT is at
    least 10 steps: of fewer, too many would not be gradient steps.
    """

    least_interval: ClassVar[int] = 10

    def before_step(self, net: Net, clock: Clock) -> bool:
        share = self.share(clock)
        if share:
            self.update(net, share, lambda name: net.grad(name).abs())
        return not share

    def after_step(self, net: Net, clock: Clock) -> None:
        """The mask moves in `before_step`, in place of a step."""
