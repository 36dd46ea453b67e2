"""The ways to bring a finished model to a common compression, in place and without retraining."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from ...methods.channels import Channels
from ...methods.masks import top
from ...methods.sparsity import kept_at
from .flops import speedup


class Cut(Protocol):
    """How a model is cut: by single weights or by whole channels.

    Attributes:
        tensors: Detached views of the model's own tensors that a cut may change.

    Example:
        >>> cut: Cut = WeightCut({"fc": torch.tensor([[0.5, -2.0]])}, cost={"fc": 2})
        >>> cut.limit(), cut.to(2), cut.nonzeros(), cut.speedup()
        (2.0, True, 1, 2.0)
    """

    tensors: Sequence[Tensor]

    def limit(self) -> float:
        """Returns the largest compression to which a cut leaves a network."""

    def to(self, at: float) -> bool:
        """Cuts the model to a compression where it is not there yet; returns whether something was cut."""

    def nonzeros(self) -> int:
        """Returns the nonzero prunable weights."""

    def speedup(self) -> float:
        """Returns the multiply-accumulates of the dense model over those that are left."""


class WeightCut:
    """The cut to the k(c) weights of largest magnitude over all of P.

    Args:
        weights: The prunable weights by name, detached views of the model's own tensors, in P's order.
        cost: Multiply-accumulates of the dense model by parameter name.

    Example:
        >>> w = torch.tensor([[3.0, 1.0], [-2.0, 0.5]])
        >>> cut = WeightCut({"fc": w}, cost={"fc": 4})
        >>> cut.to(4 / 3), w.tolist(), cut.to(4 / 3)
        (True, [[3.0, 1.0], [-2.0, 0.0]], False)
    """

    def __init__(self, weights: Mapping[str, Tensor], cost: Mapping[str, int]) -> None:
        self.weights, self.cost = weights, cost
        self.tensors: Sequence[Tensor] = list(weights.values())
        self.size = sum(w.numel() for w in self.tensors)

    def limit(self) -> float:
        return float(self.size)

    def to(self, at: float) -> bool:
        return cut_to(self.tensors, kept_at(at, self.size))

    def nonzeros(self) -> int:
        return nonzeros(self.tensors)

    def speedup(self) -> float:
        return speedup(self.cost, {n: int(w.count_nonzero()) / w.numel() for n, w in self.weights.items()})


class ChannelCut:
    """The cut to the channels of largest norm over the root of their size, at most 1/r of the products.

    A channel's norm is that of the weights that make it. It is removed whole: with its bias, its scale and
    shift, and the weights that read it. Multiply-accumulates count what is left then. `compact` may remove
    more: constant channels, and heads of attention.

    Args:
        model: The model.
        prunable: The names of its prunable weights.
        channels: Its channels.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 4))
        >>> cut = ChannelCut(net, list(weights), channels)
        >>> round(cut.limit(), 2), cut.to(2), cut.to(2), cut.speedup()  # 20 products before
        (2.86, True, False, 2.0)
    """

    def __init__(self, model: nn.Module, prunable: Sequence[str], channels: Channels) -> None:
        self.channels = channels
        self.parameters = {name: p.detach() for name, p in model.named_parameters()}
        self.weights = {name: self.parameters[name] for name in prunable}
        self.tensors: Sequence[Tensor] = [
            *self.weights.values(),
            *(self.parameters[name] for name in channels.vectors),
        ]

    def alive(self) -> Tensor:
        """Returns the channels that have an effect: they are made, and one that has an effect reads them."""
        made = self.channels.norms(self.weights) > 0
        for name, index in self.channels.vectors.items():
            own = index[(self.parameters[name] != 0).cpu() & (index >= 0)]
            made[own] = True
        alive, before = made, -1
        while int(alive.sum()) != before:
            before = int(alive.sum())
            masks = self.channels.masks(self.weights, alive)
            left = {name: w * masks[name] for name, w in self.weights.items()}
            alive = alive & self.channels.read({**self.parameters, **left})
        return alive

    def _scores(self, alive: Tensor) -> Tensor:
        sizes = self.channels.sizes(self.weights)
        return torch.where(alive, self.channels.norms(self.weights) / sizes.sqrt(), -1.0)

    def limit(self) -> float:
        least = self.channels.most(self._scores(self.alive()), math.inf)
        return self.channels.dense / self.channels.macs(least)

    @torch.no_grad()
    def to(self, at: float) -> bool:
        alive = self.alive()
        if self.channels.fits(alive, at):
            return False
        alive = self.channels.most(self._scores(alive), at)
        for name, mask in self.channels.masks(self.weights, alive).items():
            self.weights[name].mul_(mask)
        self.channels.zero_vectors(self.parameters, alive)
        return True

    def nonzeros(self) -> int:
        return nonzeros(self.weights.values())

    def speedup(self) -> float:
        return max(1.0, self.channels.dense / max(1.0, self.channels.macs(self.alive())))


@torch.no_grad()
def cut_to(weights: Sequence[Tensor], keep: int) -> bool:
    """Keeps the `keep` weights of largest magnitude over all tensors, and sets the others to zero, in place.

    Of equal magnitudes the first in the order of tensors and indices stays. Tensors that together have no
    more nonzeros are not changed.

    Args:
        weights: The prunable tensors, in P's order.
        keep: How many weights stay at most.

    Returns:
        Whether something was cut.

    Example:
        >>> w = [torch.tensor([0.5, -2.0]), torch.tensor([1.0, 0.25])]
        >>> cut_to(w, 2), [t.tolist() for t in w], cut_to(w, 2)
        (True, [[0.0, -2.0], [1.0, 0.0]], False)
    """
    if nonzeros(weights) <= keep:
        return False
    mask = top(torch.cat([w.abs().reshape(-1) for w in weights]), keep)
    for w, kept in zip(weights, torch.split(mask, [w.numel() for w in weights]), strict=True):
        w.masked_fill_(~kept.view_as(w), 0.0)
    return True


def nonzeros(weights: Iterable[Tensor]) -> int:
    """Returns how many elements of tensors are not zero.

    Args:
        weights: The tensors.

    Returns:
        The number over all of them.

    Example:
        >>> nonzeros([torch.tensor([0.0, 1.0]), torch.tensor([2.0])])
        2
    """
    return sum(int(w.count_nonzero()) for w in weights)


@contextmanager
def restored(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Gives tensors the values again that they have now, in place, when the block ends.

    Args:
        tensors: The tensors, detached views of a model's own.

    Yields:
        Nothing: the block may change the tensors.

    Example:
        >>> w = torch.ones(2)
        >>> with restored([w]):
        ...     _ = w.zero_()
        >>> w
        tensor([1., 1.])
    """
    whole = [w.clone() for w in tensors]
    try:
        yield
    finally:
        for w, was in zip(tensors, whole, strict=True):
            w.copy_(was)
