"""Layers that read and compute only a part of channels that stay, such as those of a residual sum.

A channel of a sum stays as long as one summand needs it. A layer that adds nothing but a constant to it
computes its other outputs alone; they are put in their places, and constants in the others:

    x ─index_select─▶ smaller layer ─pad with one zero channel─▶ index_select ─▶ + constants
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import Graph, Node

from ..measurement.graph.coupling import Coupling, groups_of
from .liveness import Flags, Kept, Layer, bias_of, is_own, weight_axes

aten = torch.ops.aten


@dataclass(frozen=True)
class Part:
    """The part of a layer that is computed.

    Attributes:
        computed: For each output of the whole layer, whether the smaller one computes it.
        stays: For each output, whether the tensor behind the layer has it.
        read: For each input, whether the smaller layer reads it.
        given: For each input, whether the tensor before the layer has it.
        groups: The number of groups of the whole layer.

    Example:
        >>> whole = np.array([True, True])
        >>> Part(np.array([True, False]), whole, whole, whole, 1).is_whole
        False
    """

    computed: Flags
    stays: Flags
    read: Flags
    given: Flags
    groups: int

    @property
    def is_whole(self) -> bool:
        """Whether the layer computes all outputs that stay, from all inputs that there are."""
        return bool((self.computed == self.stays).all() and (self.read == self.given).all())


def part_of(layer: Layer, coupling: Coupling, kept: Kept) -> Part:
    """Returns the outputs of a layer that are not constant, and the inputs that these need.

    Args:
        layer: The layer.
        coupling: The axes of all tensors.
        kept: The atoms that stay.

    Returns:
        The part: at least one output and one input, of a convolution in groups a whole group of each.

    Example:
        >>> part_of(None, Coupling({}), None)
        Traceback (most recent call last):
        AttributeError: 'NoneType' object has no attribute 'node'
    """
    groups = groups_of(layer.node)
    rows, columns = weight_axes(coupling, layer.node)
    stays, given = kept.of(rows), kept.of(columns)
    live = layer.nonzero & kept.needed[columns] & stays[:, None]
    nonzero: Flags = np.logical_or.reduce(live, axis=1)
    computed: Flags = _whole_groups(nonzero, groups) & stays
    if not computed.any():
        computed = _first(stays, groups)
    read: Flags = np.logical_or.reduce(live[computed], axis=0)
    if groups > 1:
        read = _of_groups(computed, groups, len(columns))
    read &= given
    return Part(computed, stays, read if read.any() else _first(given, groups), given, groups)


def narrow(new: Node, part: Part, smaller: dict[str, Tensor]) -> None:
    """Replaces a layer of the new graph by one that computes a part of its outputs, and what places them.

    Args:
        new: The node of the layer, whose tensors have what stays, and belong to it alone.
        part: The part.
        smaller: The tensors of the new graph by name; those of the layer are replaced.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import as_module, traced
        >>> module = traced(nn.Linear(2, 2), (2,))
        >>> whole, first = np.array([True, True]), np.array([True, False])
        >>> smaller = dict(module.named_parameters())
        >>> layer = next(node for node in module.graph.nodes if node.op == "call_function")
        >>> narrow(layer, Part(first, whole, first, whole, 1), smaller)
        >>> made = as_module(module, module.graph, smaller)
        >>> made.weight.shape, made(torch.zeros(5, 2)).shape
        (torch.Size([1, 1]), torch.Size([5, 2]))
    """
    graph, name = new.graph, str(new.args[1].target)  # type: ignore[union-attr]
    weight = smaller[name].detach()
    dim = -1 if new.target is aten.linear.default else 1
    if not (part.read == part.given).all():
        index = _positions(part.read, part.given)
        if part.groups == 1:
            weight = weight.index_select(1, index)
        with graph.inserting_before(new):
            at = _tensor(graph, f"{name.removesuffix('weight')}inputs", index, smaller)
            x = graph.call_function(aten.index_select.default, (new.args[0], dim, at))
        new.args = (x, *new.args[1:])
    if not (part.computed == part.stays).all():
        weight = weight.index_select(0, _positions(part.computed, part.stays))
        _place_outputs(new, part, dim, smaller)
    if part.groups > 1:
        new.args = (*new.args[:6], int(part.read.sum()) // weight.shape[1])
    smaller[name] = nn.Parameter(weight.clone(), requires_grad=False)


def _place_outputs(new: Node, part: Part, dim: int, smaller: dict[str, Tensor]) -> None:
    """Puts the outputs that a layer computes in their places, and constants in all others."""
    graph, stem = new.graph, str(new.args[1].target).removesuffix("weight")  # type: ignore[union-attr]
    index = _positions(part.computed, part.stays)
    count, spatial = len(index), 0 if dim == -1 else smaller[str(new.args[1].target)].ndim - 2  # type: ignore[union-attr]
    places = torch.full((int(part.stays.sum()),), count)  # the channel of zeros behind the computed ones
    places[index] = torch.arange(count)
    with graph.inserting_before(new):
        constants = _constants(new, index, spatial, smaller)
    followers = list(new.users)
    with graph.inserting_after(new):
        padded = graph.call_function(aten.constant_pad_nd.default, (new, [*[0, 0] * spatial, 0, 1]))
    with graph.inserting_after(padded):
        placed = graph.call_function(aten.index_select.default, (padded, dim, padded))
    with graph.inserting_before(placed):
        placed.args = (padded, dim, _tensor(graph, f"{stem}outputs", places, smaller))
    if constants is not None:
        with graph.inserting_after(placed):
            placed = graph.call_function(aten.add.Tensor, (placed, constants))
    for follower in followers:
        follower.replace_input_with(new, placed)


def _constants(new: Node, index: Tensor, spatial: int, smaller: dict[str, Tensor]) -> Node | None:
    """Takes from a layer the biases of outputs that it does not compute; returns them, shaped for a sum.

    A bias of its own keeps those of the computed outputs, any other is returned as a whole.
    """
    bias, shape = bias_of(new), [-1, *[1] * spatial]
    if bias is None:
        return None
    if not is_own(bias):
        new.args = (*new.args[:2], None, *new.args[3:])
        return new.graph.call_function(aten.view.default, (bias, shape))
    constants = smaller[str(bias.target)].detach().clone()
    smaller[str(bias.target)] = nn.Parameter(constants[index].clone(), requires_grad=False)
    constants[index] = 0
    if not constants.any():
        return None
    name = f"{str(new.args[1].target).removesuffix('weight')}constants"  # type: ignore[union-attr]
    return _tensor(new.graph, name, constants.reshape(shape), smaller)


def _tensor(graph: Graph, name: str, value: Tensor, smaller: dict[str, Tensor]) -> Node:
    """Returns a node of a new buffer at the place where the graph inserts."""
    smaller[name] = value
    return graph.create_node("get_attr", name)


def _positions(chosen: Flags, among: Flags) -> Tensor:
    """Returns the positions of the chosen indices among those that are there."""
    return torch.from_numpy(np.flatnonzero(chosen[among]))


def _whole_groups(flags: Flags, groups: int) -> Flags:
    """Marks all indices of each group of which one is marked; every index is its own without groups."""
    return flags if groups == 1 else _of_groups(flags, groups, len(flags))


def _of_groups(flags: Flags, groups: int, size: int) -> Flags:
    """Marks the indices of another dimension that belong to the groups of which an index is marked."""
    return np.repeat(flags.reshape(groups, -1).any(1), size // groups)


def _first(there: Flags, groups: int) -> Flags:
    """Marks the first index that is there, with its group."""
    found: Flags = np.zeros_like(there)
    found[np.flatnonzero(there)[0]] = True
    return _whole_groups(found, groups) & there
