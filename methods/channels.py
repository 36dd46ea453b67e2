"""The channels of a network: what can be removed whole, with all that belongs to it.

A channel is a neuron or a filter: a row of the weight that makes it (rows of several weights, where their
outputs are added), its bias, its scale and shift in a norm, and the columns that read it. The harness finds
the channels of a network; a structured method ranks them and sets them to zero.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .plan import Diverged

Tensors = Mapping[str, Tensor]
STAYS = -1
"""The channel of an index that cannot be removed."""


@dataclass(frozen=True)
class Channels:
    """Which indices of which tensors belong to each channel that can be removed.

    Attributes:
        sets: The set of each channel: channels of one dimension, such as the filters of one layer. Shape
            `(n,)`, sets numbered from 0.
        rows: The channel that each row of a prunable weight makes, `(out,)`, or `STAYS`, by name.
        columns: The channel that each column of a prunable weight reads, `(in,)`, or `STAYS`, by name.
        readers: The same for weights that are not prunable.
        vectors: The channel of each element of other parameters, or `STAYS`: biases, scales, shifts.
        scales: The names among `vectors` that are scales of norms over a batch.
        cost: Multiply-accumulates of the dense network by weight, and under other names what no channel
            changes.

    Example:
        >>> channels.sets.tolist(), {name: tuple(rows.shape) for name, rows in channels.rows.items()}
        ([0, 0, 0, 1, 1], {'0.weight': (3,), '2.weight': (2,)})
    """

    sets: Tensor
    rows: Tensors
    columns: Tensors
    readers: Tensors
    vectors: Tensors
    scales: tuple[str, ...]
    cost: Mapping[str, int]

    @property
    def count(self) -> int:
        """The number of channels."""
        return self.sets.numel()

    @property
    def dense(self) -> float:
        """The multiply-accumulates of one image in the dense network."""
        return float(sum(self.cost.values()))

    def axes(self, by: str) -> Tensors:
        """Returns the indices of prunable weights that make channels ("rows") or read them ("columns")."""
        return {"rows": self.rows, "columns": self.columns}[by]

    def read(self, weights: Tensors) -> Tensor:
        """Returns which channels a weight that is not zero reads, prunable or not.

        Args:
            weights: The weights by name, those of `readers` among them.

        Returns:
            True for each channel that is read, `(n,)`.

        Example:
            >>> zeros = {name: torch.zeros_like(w) for name, w in weights.items()}
            >>> channels.read(weights).all(), channels.read(zeros).any()
            (tensor(True), tensor(False))
        """
        found = torch.zeros(self.count + 1, dtype=torch.bool)
        for name, index in {**self.columns, **self.readers}.items():
            found[index[(weights[name] != 0).transpose(0, 1).flatten(1).any(1).cpu()]] = True
        return found[:-1]  # what stays is in the last one

    def sums(self, values: Tensors, by: str = "rows") -> Tensor:
        """Returns the sums over channels of a value at each weight.

        Args:
            values: A tensor for each prunable weight, of its shape.
            by: "rows" sums over the weights that make a channel, "columns" over those that read it.

        Returns:
            One sum a channel, `(n,)`, in float64.

        Example:
            >>> ones = {name: torch.ones_like(w) for name, w in weights.items()}
            >>> channels.sums(ones).tolist(), channels.sums(ones, "columns").tolist()
            ([2.0, 2.0, 2.0, 3.0, 3.0], [2.0, 2.0, 2.0, 4.0, 4.0])
        """
        found = torch.zeros(self.count + 1, dtype=torch.float64)
        for name, index in self.axes(by).items():
            lines = values[name].detach().transpose(0, 0 if by == "rows" else 1).flatten(1)
            found.index_add_(0, index % (self.count + 1), lines.double().sum(1).cpu())
        return found[:-1]  # what stays is in the last one

    def norms(self, weights: Tensors, by: str = "rows") -> Tensor:
        """Returns ‖w_g‖₂ of each channel.

        Args:
            weights: The prunable weights.
            by: "rows" or "columns", as in `sums`.

        Returns:
            One norm a channel, `(n,)`, in float64.

        Example:
            >>> channels.norms({name: 3 * torch.ones_like(w) for name, w in weights.items()})[:1].tolist()
            [4.242640687119285]
        """
        return self.sums({name: w.double().square() for name, w in weights.items()}, by).sqrt()

    def sizes(self, weights: Tensors, by: str = "rows") -> Tensor:
        """Returns the number of weights of each channel, as `sums` counts them."""
        return self.sums({name: torch.ones_like(w) for name, w in weights.items()}, by)

    def macs(self, alive: Tensor) -> float:
        """Returns the multiply-accumulates of one image where only some channels are left.

        Args:
            alive: True for each channel that is left, `(n,)`.

        Returns:
            The sum over the products of a forward pass, each at the share of its rows and columns.

        Example:
            >>> channels.macs(torch.ones(5) > 0), channels.macs(torch.tensor([1, 0, 0, 1, 1]) > 0)
            (20.0, 12.0)
        """
        total = 0.0
        for name, macs in self.cost.items():
            share = 1.0
            for axis in (self.rows, self.columns, self.readers):
                if name in axis:
                    share *= float(spread(alive.double().cpu(), axis[name]).mean())
            total += macs * share
        return total

    def fits(self, alive: Tensor, ratio: float) -> bool:
        """Returns whether the channels that are left cost at most 1/ratio of the dense network.

        Args:
            alive: True for each channel that is left, `(n,)`.
            ratio: The multiply-accumulates of the dense network over those that may be left.

        Returns:
            Whether they do, but for rounding.

        Example:
            >>> [channels.fits(torch.tensor([1, 0, 0, 1, 1]) > 0, ratio) for ratio in (1.5, 2.0)]
            [True, False]
        """
        return self.macs(alive) <= self.dense / ratio * (1 + 1e-12)

    def most(self, scores: Tensor, ratio: float) -> Tensor:
        """Returns the channels of the largest scores that together cost at most 1/ratio of the dense network.

        The best channel of each set stays, whatever its score, so that no layer ends empty; where these
        alone cost more, they are what is left.

        Args:
            scores: One score a channel, `(n,)`. Of equal ones the first is removed last.
            ratio: The multiply-accumulates of the dense network over those that may be left.

        Returns:
            True for each channel that stays.

        Raises:
            Diverged: A score is NaN.

        Example:
            >>> channels.most(torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0]), ratio=2.0).tolist()
            [True, True, False, True, False]
        """
        if bool(scores.isnan().any()):
            raise Diverged("the scores that should rank the channels are not numbers: training diverged")
        scores = scores.double().cpu()
        order = scores.argsort(descending=True, stable=True)
        sets, first = self.sets[order], torch.ones(self.count, dtype=torch.bool)
        for each in range(int(self.sets.max()) + 1):
            place = (sets == each).nonzero()[0]
            first[place] = False
        order = torch.cat([order[~first], order[first]])
        low, high = int((~first).sum()), self.count
        while low < high:  # the largest number of channels within the budget
            middle = math.ceil((low + high) / 2)
            if self.fits(self._chosen(order, middle), ratio):
                low = middle
            else:
                high = middle - 1
        return self._chosen(order, low)

    def _chosen(self, order: Tensor, number: int) -> Tensor:
        alive = torch.zeros(self.count, dtype=torch.bool)
        alive[order[:number]] = True
        return alive

    def masks(self, weights: Tensors, alive: Tensor) -> dict[str, Tensor]:
        """Returns the masks of the prunable weights of which some channels are left.

        Args:
            weights: The prunable weights, for shapes and devices.
            alive: True for each channel that is left.

        Returns:
            False in the rows and columns of the channels that are not left.

        Example:
            >>> found = channels.masks(weights, torch.tensor([1, 0, 0, 1, 1]) > 0)
            >>> found["0.weight"].int().tolist(), found["2.weight"].int().tolist()
            ([[1, 1], [0, 0], [0, 0]], [[1, 0, 0], [1, 0, 0]])
        """
        found = {}
        for name, w in weights.items():
            mask = torch.ones(w.shape, dtype=torch.bool, device=w.device)
            for by in ("rows", "columns"):
                if name in self.axes(by):
                    mask &= along(spread(alive.cpu(), self.axes(by)[name]).to(w.device), w, by)
            found[name] = mask
        return found

    @torch.no_grad()
    def zero_vectors(self, parameters: Tensors, alive: Tensor) -> None:
        """Sets biases, scales and shifts of removed channels to zero, in place.

        Args:
            parameters: The network's parameters by name.
            alive: True for each channel that is left.

        Example:
            >>> bias, other = torch.ones(3), torch.ones(2)
            >>> channels.zero_vectors({"0.bias": bias, "2.bias": other}, torch.tensor([1, 0, 0, 1, 1]) > 0)
            >>> bias.tolist()
            [1.0, 0.0, 0.0]
        """
        for name, index in self.vectors.items():
            parameters[name].detach().mul_(spread(alive.cpu(), index).to(parameters[name].device))


def spread(values: Tensor, index: Tensor) -> Tensor:
    """Returns the value of the channel at each index of a dimension, and 1 where the index stays.

    Args:
        values: One value a channel, `(n,)`.
        index: The channel of each index, or `STAYS`.

    Returns:
        One value an index, of the values' type.

    Example:
        >>> spread(torch.tensor([5.0, 7.0]), torch.tensor([1, STAYS, 0])).tolist()
        [7.0, 1.0, 5.0]
    """
    return torch.cat([values, torch.ones(1, dtype=values.dtype)])[index]  # -1 is the last one


def along(lines: Tensor, w: Tensor, by: str) -> Tensor:
    """Returns one value a row or column of a weight in a shape that multiplies the weight.

    Args:
        lines: The values.
        w: The weight, `(out, in, *k)`.
        by: "rows" or "columns".

    Returns:
        A view: `(out, 1, …)` or `(1, in, 1, …)`.

    Example:
        >>> along(torch.ones(3), torch.ones(2, 3, 5, 5), "columns").shape
        torch.Size([1, 3, 1, 1])
    """
    shape = [1] * w.dim()
    shape[0 if by == "rows" else 1] = -1
    return lines.view(shape)
