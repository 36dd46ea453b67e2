"""Dynamic sparse training: a sparse mask from the start, in which weights are dropped and grown."""

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

Growth = Callable[[str], Tensor]  # from a layer's name to the scores by which its weights are grown
NEAR_ZERO = 1e-3


def moved(weight: Tensor, mask: Tensor, growth: Tensor, share: float) -> Tensor:
    """Returns a mask after one update: the k smallest |w| are dropped, the k largest scores are grown.

    k = int(share·nonzeros). A weight that was just dropped may be grown again, and among scores of 0, such
    as the gradients at a dead neuron, it comes first: a new weight there could not leave 0.

    Args:
        weight: The layer's weight.
        mask: Its mask, True for the active weights.
        growth: The scores, at least 0, by which weights are grown.
        share: The fraction of the active weights to replace.

    Returns:
        The new mask, with as many active weights.

    Example:
        >>> weight = torch.tensor([5.0, 1.0, 3.0, 0.0])
        >>> moved(weight, weight != 0, growth=torch.tensor([0.0, 0.1, 0.0, 0.9]), share=0.34).tolist()
        [True, False, True, True]
    """
    live = int(mask.sum())
    k = int(share * live)
    keep = top(weight.abs().masked_fill(~mask, -1.0), live - k)
    growth = growth.masked_fill(mask & (growth == 0), torch.finfo(growth.dtype).tiny)
    return keep | top(growth.masked_fill(keep, -math.inf), k)


def _random_like(net: Net, name: str, draw: Callable[..., Tensor]) -> Tensor:
    """Returns random numbers in the shape and on the device of a weight, from the net's generator."""
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

    Attributes:
        alpha: α, the share of a layer's weights that the first update replaces.
        updates: The number of ΔT up to T_end, with an update after each; fewer where ΔT would be too short.
        end: T_end as a share of the steps; afterwards the mask is constant.

    Example:
        >>> from sparsebench.bench.training.clock import TrainingClock
        >>> from sparsebench.methods.api import configure
        >>> clocks = [TrainingClock(steps=1000, momentum=0.9, step=step) for step in (15, 16, 375, 750)]
        >>> [round(configure("set", {}).share(clock), 3) for clock in clocks]  # ΔT = 15, T_end = 750
        [0.3, 0.0, 0.15, 0.0]
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
        idle={"alpha": (0,)},
    )
    end: float = knob(
        0.75, minimum=0.01, maximum=1.0, doc="T_end, as a share of the steps", idle={"alpha": (0,)}
    )

    def share(self, clock: Clock) -> float:
        """f(t), the share of a layer's weights to replace; 0 between updates and from T_end on."""
        end = int(self.end * clock.steps)
        interval = max(self.least_interval, end // self.updates)
        if not 0 < clock.step < end or clock.step % interval:
            return 0.0
        return self.alpha / 2 * (1 + math.cos(math.pi * clock.step / end))

    def update(self, net: Net, share: float, growth: Growth) -> None:
        """Updates the masks of all layers that are not dense."""
        masks = dict(net.masks)
        for name, mask in masks.items():
            if not mask.all():
                masks[name] = moved(net.weight(name), mask, growth(name), share)
        net.set_masks(masks)

    def after_step(self, net: Net, clock: Clock) -> None:
        if share := self.share(clock):
            before = net.masks
            self.update(net, share, lambda name: _random_like(net, name, torch.rand))
            for name, mask in net.masks.items():
                w, grown = net.weight(name), mask & ~before[name]
                scale = NEAR_ZERO * w.abs().sum() / mask.sum().clamp_min(1)
                w.copy_(torch.where(grown, scale * _random_like(net, name, torch.randn), w))


@register("rigl", reference="arXiv:1911.11134", version=2)
@dataclass
class RigL(SparseEvolutionaryTraining):
    """Every ΔT steps, in each layer: drop the f(t)·nnz smallest |w|, grow those with the largest |∂L/∂w|.

    f(t) = α/2·(1+cos(πt/T_end)), ∂L/∂w the dense gradient of the effective weight on one batch. The update
    takes the place of that batch's gradient step. New weights start from 0 without momentum; one that is
    dropped and grown at once keeps its value. First mask, dense layers and ΔT as for `set`, but ΔT is at
    least 10 steps: of fewer, too many would not be gradient steps.

    Example:
        >>> from sparsebench.bench.training.clock import TrainingClock
        >>> from sparsebench.methods.api import configure
        >>> method = configure("rigl", {})
        >>> groups = method.attach(net, plan=None, probe=None)
        >>> clocks = [TrainingClock(steps=1000, momentum=0.9, step=step) for step in (15, 16)]
        >>> [method.before_step(net, clock) for clock in clocks]  # no gradient step at the update
        [False, True]
    """

    least_interval: ClassVar[int] = 10

    def before_step(self, net: Net, clock: Clock) -> bool:
        share = self.share(clock)
        if share:
            self.update(net, share, lambda name: net.grad(name).abs())
        return not share

    def after_step(self, net: Net, clock: Clock) -> None:
        """Does nothing: `before_step` updates the mask, in place of a step."""
