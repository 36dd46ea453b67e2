"""The tensors of a recorded forward pass: their shapes, and which of them are read more than once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import GraphModule, Interpreter, Node
from torch.utils._pytree import tree_map_only

from .trace import IMAGES


class _Shapes(Interpreter):
    """Runs a graph and keeps the shapes of its tensors."""

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module)
        self.found: dict[Node, Any] = {}

    def run_node(self, n: Node) -> Any:
        value = super().run_node(n)
        shape = tree_map_only(torch.Tensor, lambda t: tuple(t.shape), value)
        if isinstance(shape, (tuple, list)) and n.op != "output":
            self.found[n] = list(shape) if isinstance(value, (tuple, list)) else shape
        return value


def shapes_of(module: GraphModule, shape: Sequence[int]) -> dict[Node, Any]:
    """Returns the shape of each node's tensor in a pass over a few images.

    Args:
        module: The recorded forward pass, from `traced`.
        shape: (C, H, W) of an image.

    Returns:
        Shapes by node; a list of them where a node gives several tensors.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> list(shapes_of(traced(torch.nn.Linear(4, 2), (4,)), (4,)).values())
        [(2, 4), (2,), (3, 4), (3, 2)]
    """
    shapes = _Shapes(module)
    with torch.no_grad():
        shapes.run(torch.zeros(IMAGES, *shape))
    return shapes.found


def shared_tensors(module: GraphModule) -> set[Node]:
    """Returns the nodes of tensors that a graph reads more than once, under one name or several.

    Args:
        module: The recorded forward pass.

    Returns:
        Their nodes; what is read twice keeps its size.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> shared_tensors(traced(torch.nn.Linear(4, 2), (4,)))
        set()
    """
    tensors = dict(module.named_parameters(remove_duplicate=False))
    nodes: dict[int, list[Node]] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr" and str(node.target) in tensors:
            nodes.setdefault(tensors[str(node.target)].untyped_storage()._cdata, []).append(node)
    return {node for found in nodes.values() for node in found if len(found) > 1 or len(found[0].users) > 1}
