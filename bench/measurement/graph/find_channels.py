"""The channels of a network, from the coupling of its forward pass: what a structured method may remove."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx import Node

from ....errors import SparsebenchError
from ....methods.channels import STAYS, Channels
from ..flops import macs
from .atoms import PINNED, Axes, Axis
from .coupling import Coupling
from .coupling_rules import couple
from .graph_tensors import shapes_of, shared_tensors
from .trace import traced

aten = torch.ops.aten


def find_channels(model: nn.Module, prunable: Sequence[str], shape: tuple[int, ...]) -> Channels:
    """Returns the channels of a network that can be removed without a change of what the others compute.

    A channel is made by rows of prunable weights alone. Channels that are added, as in a residual sum, are
    one; what a norm over channels, a product of activations or the logits need stays.

    Args:
        model: The model; it is the same afterwards.
        prunable: The names of its prunable weights, in P's order.
        shape: (C, H, W) of an image.

    Returns:
        The channels.

    Raises:
        SparsebenchError: The forward pass cannot be recorded, or no channel can be removed.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> found = find_channels(net, ["1.weight", "3.weight"], (1, 2, 2))
        >>> found.rows["1.weight"].tolist(), found.columns["3.weight"].tolist(), found.vectors
        ([0, 1, 2], [0, 1, 2], {'1.bias': tensor([0, 1, 2])})
    """
    plain = copy.deepcopy(model).cpu()
    module = traced(plain, shape)
    coupling = couple(module.graph, shapes_of(module, shape), shared_tensors(module))
    nodes = list(module.graph.nodes)
    axes = _axes_by_name(coupling, nodes, plain)
    groups = coupling.atoms.groups()
    numbered = _Numbering(groups, _removable(groups, axes, set(prunable), _fixed(coupling, nodes)))
    if not numbered.count:
        raise SparsebenchError("no channel of this network can be removed")
    rows = {name: numbered.of(axes[name][0]) for name in prunable if name in axes}
    columns = {name: numbered.of(own[1]) for name, own in axes.items() if len(own) > 1}
    vectors = _with_channels({name: numbered.of(own[0]) for name, own in axes.items() if len(own) == 1})
    return Channels(
        sets=_sets(numbered.count, rows.values()),
        rows=_with_channels(rows),
        columns=_with_channels({name: columns[name] for name in prunable if name in columns}),
        readers=_with_channels({name: columns[name] for name in columns.keys() - set(prunable)}),
        vectors=vectors,
        scales=tuple(name for name in _scales(nodes) if name in vectors),
        cost=macs(plain, shape),
    )


def _axes_by_name(coupling: Coupling, nodes: Sequence[Node], model: nn.Module) -> dict[str, Axes]:
    """Returns the axes of the model's parameters, as far as its forward pass reads them."""
    parameters = dict(model.named_parameters())
    return {
        str(node.target): coupling.axes[node]
        for node in nodes
        if node.op == "get_attr" and str(node.target) in parameters
    }


def _removable(
    groups: NDArray[np.int64], axes: Mapping[str, Axes], prunable: set[str], fixed: list[Axis]
) -> set[int]:
    """Returns the groups of atoms that only rows of prunable weights make."""
    made = {int(g) for name in prunable & set(axes) for g in groups[axes[name][0]]}
    others = [own[0] for name, own in axes.items() if name not in prunable and len(own) > 1]
    kept = {int(g) for axis in [*others, *fixed] for g in groups[axis]}
    return made - kept - {int(groups[PINNED])}


def _fixed(coupling: Coupling, nodes: Sequence[Node]) -> list[Axis]:
    """Returns the axes of norms without a scale, which make a number out of a channel of zeros."""
    return [
        coupling.axes[node][1]
        for node in nodes
        if node.target is aten.batch_norm.default and not isinstance(node.args[1], Node)
    ]


def _scales(nodes: Sequence[Node]) -> Iterator[str]:
    """Yields the names of the scales of norms over a batch."""
    for node in nodes:
        if node.target is aten.batch_norm.default and isinstance(node.args[1], Node):
            yield str(node.args[1].target)


@dataclass
class _Numbering:
    """Numbers of channels by group of atoms, in the order in which rows of weights make them."""

    groups: NDArray[np.int64]
    removable: set[int]

    def __post_init__(self) -> None:
        found, first = np.unique(self.groups, return_index=True)
        own = [group for group in found[first.argsort()].tolist() if group in self.removable]
        self.numbers = {group: number for number, group in enumerate(own)}

    @property
    def count(self) -> int:
        """The number of channels."""
        return len(self.numbers)

    def of(self, axis: Axis) -> Tensor:
        """Returns the channel of each index of an axis, or `STAYS`."""
        return torch.tensor([self.numbers.get(int(group), STAYS) for group in self.groups[axis]])


def _with_channels(axes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: index for name, index in axes.items() if bool((index != STAYS).any())}


def _sets(count: int, rows: Iterable[Tensor]) -> Tensor:
    """Returns the set of each channel: those that rows of one weight make are together."""
    from scipy.sparse import coo_array  # type: ignore[import-untyped, unused-ignore]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped, unused-ignore]

    pairs = [
        (int(a), int(b))
        for index in rows
        for own in [index[index != STAYS].tolist()]
        for a, b in pairwise(own)
    ]
    first, second = zip(*pairs, strict=True) if pairs else ((), ())
    bonds = coo_array((np.ones(len(pairs), dtype=bool), (first, second)), shape=(count, count))
    return torch.from_numpy(connected_components(bonds, directed=False)[1].astype(np.int64))
