"""Which indices of which tensors can only be removed together: the axes of a graph's tensors."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.fx import Node

from .atoms import Atoms, Axes, Axis
from .trace import CONVOLUTIONS

aten = torch.ops.aten
Shapes = dict[Node, Any]
"""The shape that each node's tensor has in the recorded pass; a list of shapes where a node gives several."""
LAYERS = CONVOLUTIONS | {aten.linear.default}
"""Operators that multiply by a weight and add a bias."""


def arguments(node: Node) -> tuple[Any, ...]:
    """Returns the arguments of an operator's node: nodes, numbers, or lists of them.

    Args:
        node: The node.

    Returns:
        Its arguments by position.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> [arguments(node) for node in traced(torch.nn.Flatten(), (4, 2)).graph.nodes][1:2]
        [(input_1, 1)]
    """
    return node.args


def groups_of(node: Node) -> int:
    """Returns the number of groups of a layer: 1, except for grouped and depthwise convolutions.

    Args:
        node: A node of one of `LAYERS`.

    Returns:
        The operator's last argument, where it is given.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> graph = traced(torch.nn.Conv2d(4, 4, 3, groups=2), (4, 8, 8)).graph
        >>> [groups_of(node) for node in graph.nodes if node.target in LAYERS]
        [2]
    """
    args = arguments(node)
    return int(args[6]) if node.target in CONVOLUTIONS and len(args) > 6 else 1


class Coupling:
    """The axes of all tensors of a graph; `couple` fills them in, node by node.

    Args:
        shapes: The shapes of the nodes' tensors.
        select: Whether layers may select their inputs and place their outputs.

    Attributes:
        atoms: The atoms of the indices.
        axes: The axes of each node's tensor; a list of axes where a node gives several.
        shapes: The shapes.
        select: Whether layers select.

    Example:
        >>> coupling = Coupling({})
        >>> coupling.broadcast([coupling.fixed((3, 1)), (coupling.atoms.fresh(2),)], (3, 2))
        (array([0, 0, 0]), array([1, 2]))
    """

    def __init__(self, shapes: Shapes, select: bool = False) -> None:
        self.atoms = Atoms()
        self.axes: dict[Node, Any] = {}
        self.shapes = shapes
        self.select = select

    def operands(self, node: Node) -> list[Node]:
        """Returns the operands of a node that are tensors, or lists of them."""
        return [operand for operand in node.all_input_nodes if operand in self.axes]

    def pin(self, node: Node) -> None:
        """Keeps every index of what a node gives."""
        given = self.axes[node]
        for axes in given if isinstance(given, list) else [given]:
            for axis in axes:
                self.atoms.pin(axis)

    def fixed(self, shapes: Any) -> Any:
        """Returns pinned axes for a shape, or a list of them for a list of shapes."""
        if isinstance(shapes, list):
            return [self.fixed(shape) for shape in shapes]
        return tuple(self.atoms.pinned(size) for size in shapes)

    def keep(self, node: Node, dims: Iterable[int]) -> Axes:
        """Returns the axes of a node's tensor after pinning some of its dimensions."""
        axes: Axes = self.axes[node]
        for dim in dims:
            self.atoms.pin(axes[dim])
            axes = replaced(axes, dim, self.atoms.pinned(len(axes[dim])))
        return axes

    def broadcast(self, operands: Iterable[Axes], shape: Iterable[int]) -> Axes:
        """Binds axes that meet, counted from the last; one of size 1 that meets a larger one is pinned."""
        found: list[Axis] = []
        operands = list(operands)
        for back, size in enumerate(reversed(list(shape)), 1):
            meeting = [axes[-back] for axes in operands if len(axes) >= back]
            full = [axis for axis in meeting if len(axis) == size]
            for axis in meeting:
                if len(axis) != size:
                    self.atoms.pin(axis)
            for axis in full[1:]:
                self.atoms.bind(full[0], axis)
            found.insert(0, full[0] if full else self.atoms.pinned(size))
        return tuple(found)


def replaced(axes: Axes, dim: int, axis: Axis) -> Axes:
    """Returns axes with that of one dimension replaced.

    Args:
        axes: The axes of a tensor.
        dim: The dimension; negative from the end.
        axis: The new axis.

    Returns:
        The axes, of which one is new.

    Example:
        >>> zero = Atoms().pinned(1)
        >>> [len(axis) for axis in replaced((zero, zero, zero), -1, Atoms().fresh(4))]
        [1, 1, 4]
    """
    dim %= len(axes)
    return (*axes[:dim], axis, *axes[dim + 1 :])
