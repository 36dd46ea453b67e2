"""A graph with the units that stay: smaller weights, constants in the biases, sizes that fit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from ..measurement.graph.atoms import Axis
from ..measurement.graph.coupling import Coupling, groups_of
from ..measurement.graph.trace import as_module
from .liveness import Flags, Kept, Layer, bias_of, is_own, weight_axes
from .selection import Part, narrow

aten = torch.ops.aten
_SIZED = {aten.view.default, aten.reshape.default, aten.expand.default}


def rewritten(
    module: GraphModule,
    coupling: Coupling,
    kept: Kept,
    layers: dict[Node, Layer],
    parts: Mapping[Node, Part],
) -> GraphModule:
    """Returns a module that computes the same with the units that stay.

    Args:
        module: The graph, from `traced`; it is the same afterwards.
        coupling: The axes of its tensors.
        kept: The atoms that stay.
        layers: Its layers with a stored weight.
        parts: The layers among them that compute a part of their outputs, or read a part of their inputs.

    Returns:
        The smaller module; its tensors have the names that they had.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> module = traced(nn.Linear(4, 2), (4,))
        >>> made = rewritten(module, Coupling({}), Kept(np.ones(1, bool), np.ones(1, bool)), {}, {})
        >>> made(torch.zeros(5, 4)).shape
        torch.Size([5, 2])
    """
    graph, mapping = torch.fx.Graph(), dict[Node, Node]()
    graph.output(graph.graph_copy(module.graph, mapping))
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    smaller: dict[str, Tensor] = {}
    for node, new in mapping.items():
        if node.op == "get_attr" and node in coupling.axes:
            smaller[str(node.target)] = _cut(tensors[str(node.target)], coupling.axes[node], kept)
        elif node.op == "call_function" and node in coupling.axes:
            _resize(node, new, coupling, kept)
    for node, layer in layers.items():
        _zero_unneeded(mapping[node], layer, coupling, kept, smaller)
        if groups_of(node) == 1:  # the inputs of groups are zero where they are removed
            _fold(mapping[node], layer, coupling, kept, smaller)
    for node, part in parts.items():
        narrow(mapping[node], part, smaller)
    return as_module(module, graph, smaller)


def _cut(tensor: Tensor, axes: tuple[Axis, ...], kept: Kept) -> Tensor:
    """Returns the elements of a parameter or buffer at the indices that stay; a parameter is a new one."""
    cut = tensor.detach()
    for dim, axis in enumerate(axes):
        stays = kept.of(axis)
        if not stays.all():
            cut = cut.index_select(dim, torch.from_numpy(np.flatnonzero(stays)))
    cut = cut.clone()
    return nn.Parameter(cut, requires_grad=False) if isinstance(tensor, nn.Parameter) else cut


def _resize(node: Node, new: Node, coupling: Coupling, kept: Kept) -> None:
    """Corrects the sizes and numbers of channels among an operator's arguments."""
    target, args, axes = node.target, list(new.args), coupling.axes[node]
    if target in _SIZED:
        sizes = [int(kept.of(axis).sum()) for axis in axes]
        args[1] = [
            given if not isinstance(given, int) or given == -1 else size
            for given, size in zip(args[1], sizes, strict=True)  # type: ignore[arg-type]
        ]
    elif target is aten.slice.Tensor and len(args) > 2:
        stays = kept.of(coupling.axes[node.args[0]][args[1]])  # type: ignore[index]
        args[2:4] = [_bound(bound, stays) for bound in args[2:4]]
    elif target in (aten.split.Tensor, aten.split_with_sizes.default, aten.chunk.default):
        dim = args[2] if len(args) > 2 else 0
        new.target = aten.split_with_sizes.default
        args[1:] = [[int(kept.of(part[dim]).sum()) for part in axes], dim]
    elif len(args) > 6 and groups_of(node) > 1:
        rows, _ = weight_axes(coupling, node)
        args[6] = int(kept.of(rows).sum()) * groups_of(node) // len(rows)
    new.args = tuple(args)


def _bound(bound: Any, stays: Flags) -> Any:
    """Returns the bound of a slice, counted among the indices that stay."""
    if not isinstance(bound, int) or bound >= len(stays):
        return bound
    return int(stays[:bound].sum()) if bound >= 0 else int(stays[: len(stays) + bound].sum())


def _zero_unneeded(
    new: Node, layer: Layer, coupling: Coupling, kept: Kept, smaller: dict[str, Tensor]
) -> None:
    """Zeroes the weights of inputs that stay unneeded; in groups, the outputs that read none but such."""
    rows, columns = weight_axes(coupling, layer.node)
    needed = kept.needed[columns]
    if groups_of(layer.node) == 1:
        dim, zero = 1, ~needed[kept.of(columns)]
    else:
        read: Flags = np.logical_or.reduce(layer.nonzero & needed, axis=1)
        dim, zero = 0, ~read[kept.of(rows)]
    if zero.any():
        weight = smaller[str(new.args[1].target)]  # type: ignore[union-attr]
        weight.data.index_fill_(dim, torch.from_numpy(np.flatnonzero(zero)), 0.0)


def _fold(new: Node, layer: Layer, coupling: Coupling, kept: Kept, smaller: dict[str, Tensor]) -> None:
    """Adds to a layer's bias what removed inputs gave."""
    rows, columns = weight_axes(coupling, layer.node)
    offset = torch.from_numpy(layer.offset[:, ~kept.needed[columns]].sum(1)[kept.of(rows)])
    if not offset.any():
        return
    weight, before = str(new.args[1].target), bias_of(new)  # type: ignore[union-attr]
    if before is not None and is_own(before):
        given = smaller[str(before.target)].detach()
        folded = (given.double() + offset).to(given.dtype)
        smaller[str(before.target)] = nn.Parameter(folded, requires_grad=False)
        return
    added = f"{weight.removesuffix('weight')}bias"
    while added in smaller:
        added += "_folded"
    smaller[added] = nn.Parameter(offset.to(smaller[weight].dtype), requires_grad=False)
    with new.graph.inserting_before(new):
        bias = new.graph.get_attr(added)
        if before is not None:
            bias = new.graph.call_function(aten.add.Tensor, (before, bias))
    new.args = (*new.args[:2], bias, *new.args[3:])
