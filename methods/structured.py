"""Structured pruning: whole channels are ranked, the lowest are removed, and the rest is fine-tuned."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import SparsebenchError
from .api import Clock, ParamGroup, Plan, Probe, knob, register
from .knobs import finetune_knob, finetune_lr_knob
from .net import Net
from .one_shot import PrunedOnce


def speedup_knob(default: float = 2.0) -> Any:
    """Returns the field of a target of a structured method: how many times fewer multiply-accumulates.

    A search covers 1.5 to 32, log-uniform; allowed is 1 to 1000.

    Args:
        default: The target where none is given.

    Returns:
        A dataclass field with the operating knob of the method.

    Example:
        >>> speedup_knob().metadata["knob"].check("filter_l1: speedup", "4")
        4.0
    """
    return knob(
        default, low=1.5, high=32.0, log=True, minimum=1.0, maximum=1e3, operating=True,
        doc="multiply-accumulates of the dense network over those that are left",
    )  # fmt: skip


def remove(net: Net, alive: Tensor) -> None:
    """Sets all that belongs to the other channels to zero, and masks their weights.

    Args:
        net: The net, whose masks are replaced.
        alive: True for each channel that stays, `(n,)`.

    Example:
        >>> alive = torch.ones(net.channels.count, dtype=torch.bool)
        >>> alive[:290] = False  # of the 300 neurons of the first layer
        >>> remove(net, alive)
        >>> {name: int(net.weight(name).count_nonzero()) for name in net.names}
        {'1.weight': 640, '3.weight': 1000, '5.weight': 1000}
    """
    weights = net.effective_weights()
    net.set_masks(net.channels.masks(weights, alive))
    net.channels.zero_vectors(dict(net.model.named_parameters()), alive)


def remove_empty(net: Net, by: str, least: float = 0.0) -> None:
    """Removes the channels whose weights, on one side, have no larger norm than `least`.

    Args:
        net: The net.
        by: "rows" or "columns".
        least: The norm up to which a channel counts as zero; one that no prunable weight reads has no columns
            and stays.

    Example:
        >>> net.weight("1.weight")[:290] = 0
        >>> remove_empty(net, "rows")
        >>> int(net.weight("3.weight").any(0).sum())
        10
    """
    weights = net.effective_weights()
    empty = (net.channels.norms(weights, by) <= least) & (net.channels.sizes(weights, by) > 0)
    if bool(empty.any()):
        remove(net, ~empty)


def per_set(scores: Tensor, sets: Tensor) -> Tensor:
    """Returns scores by which every set of channels loses the same share.

    Args:
        scores: One score a channel, `(n,)`.
        sets: The set of each channel.

    Returns:
        The share of the channels of its set that have no larger score; the best one has 1.

    Example:
        >>> per_set(torch.tensor([9.0, 7.0, 0.2, 0.1]), torch.tensor([0, 0, 1, 1])).tolist()
        [1.0, 0.5, 1.0, 0.5]
    """
    found = torch.empty(scores.numel(), dtype=torch.float64)
    for each in range(int(sets.max()) + 1):
        own = (sets == each).nonzero().squeeze(1)
        order = scores[own].argsort(stable=True, descending=True)
        found[own[order]] = 1 - torch.arange(own.numel(), dtype=torch.float64) / own.numel()
    return found


@dataclass
class ChannelPruning(PrunedOnce):
    """Train, remove the channels with the lowest scores, fine-tune the rest. A subclass gives the scores.

    A removed channel's weights, bias, scale and shift are zero, and so are the weights that read it. As many
    are removed as leave at most 1/`speedup` of the multiply-accumulates; the best of each layer stays.

    Attributes:
        speedup: The target, in multiply-accumulates.
        scope: "layerwise" removes the same share of each layer, "global" ranks over the net.
        finetune: The share of the steps after pruning; 0 leaves fine-tuning out.
        finetune_lr: The peak learning rate of fine-tuning as a multiple of that of training.

    Example:
        >>> class Constant(ChannelPruning):
        ...     def scores(self, net):
        ...         return torch.ones(net.channels.count)
        >>> Constant(speedup=4.0).finalize(net)
        >>> [int(net.weight(name).any(1).sum()) for name in net.names]  # of 300, 100 and 10 neurons
        [118, 39, 10]
    """

    speedup: float = speedup_knob()
    scope: str = knob(
        "layerwise", choices=("layerwise", "global"), searched=False,
        doc="the same share of each layer, or one ranking over the net",
    )  # fmt: skip
    finetune: float = finetune_knob()
    finetune_lr: float = finetune_lr_knob()

    def scores(self, net: Net) -> Tensor:
        """Returns one score a channel, comparable between layers; the lowest are removed."""
        raise NotImplementedError

    def is_pruned(self, net: Net) -> bool:
        return "alive" in self.state

    def after_step(self, net: Net, clock: Clock) -> None:
        if self.is_pruned(net):
            net.channels.zero_vectors(dict(net.model.named_parameters()), self.state["alive"])

    def prune_once(self, net: Net) -> None:
        scores = self.scores(net)
        if self.scope == "layerwise":
            scores = per_set(scores, net.channels.sets)
        self.state["alive"] = net.channels.most(scores, self.speedup)
        remove(net, self.state["alive"])


@register("filter_l1", reference="arXiv:1608.08710")
@dataclass
class FilterL1(ChannelPruning):
    """Channels are ranked by the mean |w| of the filter or neuron that makes them.

    Attributes:
        speedup: The target, in multiply-accumulates.
        scope: "layerwise" removes the same share of each layer, as the paper does; or "global".
        finetune: The share of the steps after pruning; 0 leaves fine-tuning out.
        finetune_lr: The peak learning rate of fine-tuning as a multiple of that of training.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> net.weight("1.weight")[7] = 9.0
        >>> int(configure("filter_l1", {}).scores(net).argmax())
        7
    """

    def scores(self, net: Net) -> Tensor:
        weights = net.effective_weights()
        sizes = net.channels.sizes(weights)
        return net.channels.sums({name: w.abs() for name, w in weights.items()}) / sizes


@register("filter_random", reference="arXiv:1801.10447")
@dataclass
class FilterRandom(ChannelPruning):
    """Channels are removed at random, the same share of each layer: what a ranking has to beat.

    Attributes:
        speedup: The target, in multiply-accumulates.
        scope: "layerwise", or "global", at random over the net.
        finetune: The share of the steps after pruning; 0 leaves fine-tuning out.
        finetune_lr: The peak learning rate of fine-tuning as a multiple of that of training.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> tuple(configure("filter_random", {}).scores(net).shape)
        (400,)
    """

    def scores(self, net: Net) -> Tensor:
        return torch.rand(net.channels.count, generator=net.generator, dtype=torch.float64)


@register("slimming", reference="arXiv:1708.06519")
@dataclass
class NetworkSlimming(ChannelPruning):
    """The scales γ of BatchNorm start at ½ and carry an L1 penalty; the channels of the lowest |γ| go.

    Attributes:
        lam: The strength of Σ|γ|.
        speedup: The target, in multiply-accumulates.
        scope: "global" ranks |γ| over the net, as the paper does; or "layerwise".
        finetune: The share of the steps after pruning; 0 leaves fine-tuning out.
        finetune_lr: The peak learning rate of fine-tuning as a multiple of that of training.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> configure("slimming", {}).attach(net, plan=None, probe=None)  # a net without BatchNorm
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: slimming ranks channels by the scales of BatchNorm, and not ...
    """

    scope: str = knob(
        "global", choices=("layerwise", "global"), searched=False,
        doc="one ranking over the net, or the same share of each layer",
    )  # fmt: skip
    lam: float = knob(1e-4, low=1e-5, high=1e-2, log=True, minimum=0.0, maximum=1e3, doc="strength of Σ|γ|")

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        scaled = {int(channel) for name in net.channels.scales for channel in net.channels.vectors[name]}
        if not scaled.issuperset(range(net.channels.count)):
            raise SparsebenchError(
                "slimming ranks channels by the scales of BatchNorm, and not all channels of this network "
                "have one"
            )
        for _, scale in self._scales(net):
            scale.fill_(0.5)
        return super().attach(net, plan, probe)

    def _scales(self, net: Net) -> list[tuple[Tensor, Tensor]]:
        """Returns the channels and the scales of each norm."""
        parameters = dict(net.model.named_parameters())
        return [(net.channels.vectors[name], parameters[name].detach()) for name in net.channels.scales]

    def before_step(self, net: Net, clock: Clock) -> bool:
        parameters = dict(net.model.named_parameters())
        for name in net.channels.scales:
            scale = parameters[name]
            if scale.grad is not None and "alive" not in self.state:
                scale.grad.add_(scale.detach().sign(), alpha=self.lam)
        return True

    def scores(self, net: Net) -> Tensor:
        """The largest |γ| of each channel: channels that are added have one in each norm."""
        found = torch.zeros(net.channels.count + 1, dtype=torch.float64)
        for index, scale in self._scales(net):
            found.scatter_reduce_(0, index % found.numel(), scale.abs().double().cpu(), "amax")
        return found[:-1]
