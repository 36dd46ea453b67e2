"""Which units of a graph have an effect on the logits that no bias can have."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import Node

from ..measurement.graph.atoms import PINNED, Axis
from ..measurement.graph.coupling import LAYERS, Coupling, groups_of
from .constants import Traced

aten = torch.ops.aten
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Layer:
    """A layer of the graph, with what is known of its inputs and outputs.

    Attributes:
        node: Its node.
        nonzero: (rows, columns) whether any weight between an output and an input is not zero.
        foldable: For each input, whether all that it adds to any output is a constant of that output.
        offset: For each output and input, that constant; zero where the input is not foldable. Empty for a
            convolution in groups, of whose inputs only zeros are folded.
        constant: For each output, whether it is the same for every image.

    Example:
        >>> flags = np.array([True, False])
        >>> layer = Layer(None, flags[None], ~flags, np.zeros((1, 2)), np.array([False]))
        >>> layer.needed(np.array([True])).tolist()
        [True, False]
    """

    node: Node
    nonzero: Flags
    foldable: Flags
    offset: NDArray[np.float64]
    constant: Flags

    def needed(self, rows: Flags) -> Flags:
        """Returns which inputs the given outputs need: a weight that is not zero, and no constant."""
        found: Flags = self.nonzero[rows].any(0) & ~self.foldable
        return found


def layer_facts(node: Node, x: Traced, weight: Traced, out: Traced) -> Layer:
    """Returns what is known of a layer whose weight is stored.

    An input with one known value is folded exactly where every output position meets it alike: in a linear
    layer, in a convolution without padding, and anywhere where the value is zero.

    Args:
        node: The node, of one of `LAYERS`.
        x: Its input.
        weight: Its weight.
        out: Its output.

    Returns:
        The facts.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> known = Traced(torch.ones(3, 1), torch.zeros(3, 1, dtype=torch.bool))
        >>> weight = Traced(torch.full((2, 1), 4.0), torch.zeros(2, 1, dtype=torch.bool))
        >>> node = list(traced(torch.nn.Linear(1, 2), (1,)).graph.nodes)[3]
        >>> layer_facts(node, known, weight, known).offset.tolist()
        [[4.0], [4.0]]
    """
    linear = node.target is aten.linear.default
    constant = (~out.unknown).movedim(-1 if linear else 1, 0).flatten(1).all(1).numpy()
    known, value = x.constants(-1 if linear else 1)
    if (groups := groups_of(node)) > 1:
        rows = (weight.value != 0).flatten(1).any(1).numpy()
        same = np.arange(groups).repeat(len(rows) // groups)[:, None]
        same = same == np.arange(groups).repeat(len(known) // groups)
        foldable = (known & (value == 0)).numpy()
        return Layer(node, rows[:, None] & same, foldable, np.zeros((0, 0)), constant)
    total = weight.value.double().flatten(2).sum(2) if not linear else weight.value.double()
    alike = known & ((value == 0) | _meets_alike(node, weight.value))
    offset = total * torch.where(alike, value, 0.0).double()
    nonzero = (weight.value != 0).flatten(2).any(2) if not linear else weight.value != 0
    return Layer(node, nonzero.numpy(), alike.numpy(), offset.numpy(), constant)


def _meets_alike(node: Node, kernel: Tensor) -> bool:
    """Whether every output position of a layer meets inputs alone, none of them padding."""
    if node.target is aten.linear.default:
        return True
    padding: Any = node.args[4] if len(node.args) > 4 else 0
    if isinstance(padding, str):
        return padding == "valid" or kernel[0, 0].numel() == 1
    return not any(padding if isinstance(padding, (list, tuple)) else [padding])


@dataclass(frozen=True)
class Kept:
    """Which atoms stay.

    Attributes:
        stays: For each atom, whether its indices stay.
        needed: For each atom, whether the logits need it; one that stays without keeps a dimension from
            being empty.

    Example:
        >>> kept = Kept(np.array([True, True, False]), np.array([True, False, False]))
        >>> kept.of(np.array([0, 2, 1])).tolist()
        [True, False, True]
    """

    stays: Flags
    needed: Flags

    def of(self, axis: Axis) -> Flags:
        """Returns which indices of an axis stay."""
        found: Flags = self.stays[axis]
        return found


def kept_atoms(coupling: Coupling, layers: Iterable[Layer]) -> Kept:
    """Returns the atoms that the logits need, found from the logits backwards, and one for each empty axis.

    A unit is needed where its index is pinned, or where a needed output of some layer reads it through a
    weight that is not zero and cannot have it as a bias.

    Args:
        coupling: The axes of all tensors.
        layers: The layers of the graph with a stored weight.

    Returns:
        The atoms that stay.

    Example:
        >>> coupling = Coupling({})
        >>> kept_atoms(coupling, []).stays.tolist()
        [True]
    """
    groups = coupling.atoms.groups()
    needed = np.zeros(int(groups.max()) + 1, dtype=bool)
    needed[groups[PINNED]] = True
    mixing = list(layers)
    before = -1
    while (count := int(needed.sum())) != before:
        before = count
        for layer in reversed(mixing):
            rows, columns = (groups[axis] for axis in weight_axes(coupling, layer.node))
            needed[columns[layer.needed(needed[rows])]] = True
    stays = needed.copy()
    for given in coupling.axes.values():
        for axes in given if isinstance(given, list) else [given]:
            for axis in axes:
                if len(axis) and not stays[groups[axis]].any():
                    stays[groups[axis[0]]] = True
    return Kept(stays[groups], needed[groups])


def weight_axes(coupling: Coupling, node: Node) -> tuple[Axis, Axis]:
    """Returns the axes of a layer's outputs and inputs.

    Args:
        coupling: The axes of all tensors.
        node: The layer's node.

    Returns:
        The atoms of its outputs and inputs.

    Example:
        >>> node = None
        >>> weight_axes(Coupling({}), node)
        Traceback (most recent call last):
        AttributeError: 'NoneType' object has no attribute 'args'
    """
    x, weight = cast(tuple[Node, Node], node.args[:2])
    channel = -1 if node.target is aten.linear.default else 1
    return coupling.axes[weight][0], coupling.axes[x][channel]


def bias_of(node: Node) -> Node | None:
    """Returns the bias of a layer.

    Args:
        node: The layer's node.

    Returns:
        The node of its bias, or None.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> bias_of(list(traced(torch.nn.Linear(1, 1), (1,)).graph.nodes)[3])
        bias
    """
    given = node.args[2] if len(node.args) > 2 else None
    return given if isinstance(given, Node) else None


def is_own(tensor: Node) -> bool:
    """Returns whether a tensor is stored for its one reader, and neither computed nor read elsewhere.

    Args:
        tensor: The node of the tensor.

    Returns:
        True for a parameter or a buffer of one reader.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> [is_own(node) for node in traced(torch.nn.Linear(1, 1), (1,)).graph.nodes]
        [True, True, False, False, False]
    """
    return tensor.op == "get_attr" and len(tensor.users) == 1


def has_stored_weight(node: Node) -> bool:
    """Returns whether a node is a layer whose weight is a parameter or a buffer, not computed.

    Args:
        node: A node of a graph.

    Returns:
        True for a layer of a stored weight.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> [has_stored_weight(node) for node in traced(torch.nn.Linear(1, 1), (1,)).graph.nodes]
        [False, False, False, True, False]
    """
    weight: Any = node.args[1] if node.target in LAYERS else None
    return weight is not None and weight.op == "get_attr"
