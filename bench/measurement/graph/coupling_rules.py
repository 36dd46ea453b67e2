"""Which indices of which tensors can only be removed together, operator by operator.

An operator without a rule keeps its operands as they are, and so does a weight that several layers share.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.fx import Graph, Node

from .atoms import Axes, reshaped
from .coupling import LAYERS, Coupling, Shapes, arguments, groups_of, replaced
from .trace import is_pointwise

aten = torch.ops.aten
Rule = Callable[[Coupling, Node], Any]


def couple(graph: Graph, shapes: Shapes, shared: set[Node], *, select: bool = False) -> Coupling:
    """Returns the axes of all tensors of a graph.

    Args:
        graph: The graph, from `traced`.
        shapes: The shapes of its nodes' tensors.
        shared: The nodes of tensors that have a second use, whose size stays.
        select: Whether layers may select their inputs and place their outputs: then the groups of a
            convolution can be removed before it and stay behind it, and the other way round.

    Returns:
        The coupling, in which every node of `shapes` has its axes.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> graph = traced(torch.nn.Linear(4, 2), (4,)).graph
        >>> nodes = [node for node in graph.nodes if node.op != "output"]
        >>> coupling = couple(graph, dict(zip(nodes, [(2, 4), (2,), (3, 4), (3, 2)])), set())
        >>> [axis.tolist() for axis in coupling.axes[nodes[-1]]]
        [[0, 0, 0], [1, 2]]
    """
    walk = Coupling(shapes, select)
    for node in graph.nodes:
        if node.op == "output":
            for operand in walk.operands(node):
                walk.pin(operand)
        elif node in shapes:
            walk.axes[node] = _axes(walk, node, node in shared)
    return walk


def _axes(walk: Coupling, node: Node, shared: bool) -> Any:
    if node.op == "get_attr" and not shared:
        return tuple(walk.atoms.fresh(size) for size in walk.shapes[node])
    if node.op != "call_function":
        return walk.fixed(walk.shapes[node])
    rule: Rule = RULES.get(node.target) or (_pointwise if is_pointwise(node.target) else _unknown)
    return rule(walk, node)


def _unknown(walk: Coupling, node: Node) -> Any:
    """An operator without a rule: everything stays."""
    for operand in walk.operands(node):
        walk.pin(operand)
    return walk.fixed(walk.shapes[node])


def _pointwise(walk: Coupling, node: Node) -> Axes:
    return walk.broadcast((walk.axes[operand] for operand in walk.operands(node)), walk.shapes[node])


def _layer(walk: Coupling, node: Node) -> Any:
    """Outputs are the weight's rows and the bias; inputs are its columns, or the rows' group."""
    x, weight, *bias = walk.operands(node)
    if weight.op != "get_attr":
        return _unknown(walk, node)
    matrix: Axes = walk.axes[weight]
    channel = len(walk.axes[x]) - 1 if node.target is aten.linear.default else 1
    rows, columns, groups = matrix[0], walk.axes[x][channel], groups_of(node)
    for vector in bias:
        walk.atoms.bind(rows, walk.axes[vector][0])
    for axis in matrix[2:]:
        walk.atoms.pin(axis)
    if groups == 1:
        walk.atoms.bind(columns, matrix[1])
    else:  # a group is removed as a whole
        walk.atoms.pin(matrix[1])
        inside, outside = columns.reshape(groups, -1).T, rows.reshape(groups, -1).T
        for first, *others in (inside, outside):
            for part in others:
                walk.atoms.bind(first, part)
        if not walk.select or not rows.any():
            walk.atoms.bind(inside[0], outside[0])
    fixed = walk.keep(x, (d for d in range(len(walk.axes[x])) if d not in (0, channel)))
    if node.target is aten.linear.default:
        return replaced(fixed, -1, rows)
    return (fixed[0], rows, *walk.fixed(walk.shapes[node][2:]))


def _channels_last(walk: Coupling, node: Node) -> Axes:
    """A norm over the last dimensions reads all of their elements."""
    for operand in walk.operands(node)[1:]:
        walk.pin(operand)
    return walk.keep(walk.operands(node)[0], range(-len(arguments(node)[1]), 0))


def _batch_norm(walk: Coupling, node: Node) -> Any:
    x, *vectors = walk.operands(node)
    for vector in vectors:
        walk.atoms.bind(walk.axes[x][1], walk.axes[vector][0])
    return walk.axes[x]


def _windows(walk: Coupling, node: Node) -> Axes:
    """Pooling and padding change the size of the last dimensions, which are kept."""
    (x,) = walk.operands(node)
    before, after = walk.axes[x], walk.shapes[node]
    sizes = arguments(node)[1]
    behind = len(sizes) if isinstance(sizes, (list, tuple)) else 1
    if node.target in (aten.pad.default, aten.constant_pad_nd.default):
        behind //= 2
    elif node.target in _ONE_SIZE:
        behind = 2 if "2d" in str(node.target) else 1
    return (*walk.keep(x, range(len(before) - behind, len(before)))[:-behind], *walk.fixed(after[-behind:]))


def _reduced(walk: Coupling, node: Node) -> Axes:
    """A mean, sum or maximum over dimensions reads all of their elements."""
    (x,) = walk.operands(node)
    rank = len(walk.axes[x])
    given = arguments(node)[1] if len(arguments(node)) > 1 else None
    listed = [given] if isinstance(given, int) else (given or range(rank))
    dims = {int(dim) % rank for dim in listed}
    axes = walk.keep(x, dims)
    kept_dims = len(walk.shapes[node]) == rank
    return tuple(
        walk.atoms.pinned(1) if d in dims else axis
        for d, axis in enumerate(axes)
        if kept_dims or d not in dims
    )


def _moved(walk: Coupling, node: Node) -> Axes:
    """A permutation of dimensions is found from the axes' own numbers."""
    (x,) = walk.operands(node)
    axes: Axes = walk.axes[x]
    order = arguments(node)[1:]
    if node.target is aten.permute.default:
        return tuple(axes[d] for d in order[0])
    numbers = list(range(len(axes)))
    first, second = (0, 1) if node.target is aten.t.default else order
    numbers[first], numbers[second] = numbers[second], numbers[first]
    return tuple(axes[d] for d in numbers)


def _reshaped(walk: Coupling, node: Node) -> Axes:
    (x,) = [operand for operand in walk.operands(node) if operand is arguments(node)[0]]
    return reshaped(walk.atoms, walk.axes[x], walk.shapes[x], walk.shapes[node])


def _squeezed(walk: Coupling, node: Node) -> Axes:
    """A dimension that is named keeps its size: one that is too large to go must not become small enough."""
    x, dims = arguments(node)[:2]
    axes = walk.keep(x, [dims] if isinstance(dims, int) else dims)
    return reshaped(walk.atoms, axes, walk.shapes[x], walk.shapes[node])


def _expanded(walk: Coupling, node: Node) -> Axes:
    return walk.broadcast([walk.axes[arguments(node)[0]]], walk.shapes[node])


def _concatenated(walk: Coupling, node: Node) -> Axes:
    parts = [walk.axes[part] for part in arguments(node)[0]]
    dim = int(arguments(node)[1]) % len(parts[0]) if len(arguments(node)) > 1 else 0
    joined = np.concatenate([axes[dim] for axes in parts])
    for axes in parts[1:]:
        for d, axis in enumerate(axes):
            if d != dim:
                walk.atoms.bind(parts[0][d], axis)
    return replaced(parts[0], dim, joined)


def _sliced(walk: Coupling, node: Node) -> Any:
    given = arguments(node)
    x, dim, start, end, step = given + (None, 0, None, None, 1)[len(given) :]
    if step != 1 or not all(isinstance(bound, int | None) for bound in (start, end)):
        return _unknown(walk, node)
    axes: Axes = walk.axes[x]
    return replaced(axes, dim, axes[dim][start:end])


def _parts(walk: Coupling, node: Node) -> list[Axes]:
    """The parts of a split, along whose dimension each has a run of the indices."""
    axes: Axes = walk.axes[arguments(node)[0]]
    dim = int(arguments(node)[2]) if len(arguments(node)) > 2 else 0
    ends = np.cumsum([shape[dim] for shape in walk.shapes[node]])[:-1]
    return [replaced(axes, dim, part) for part in np.split(axes[dim], ends)]


def _selected(walk: Coupling, node: Node) -> Any:
    x = arguments(node)[0]
    dim = int(arguments(node)[1]) if len(arguments(node)) > 1 else 0
    axes = walk.keep(x, [dim])
    dim %= len(axes)
    rest = (*axes[:dim], *axes[dim + 1 :])
    return [rest for _ in walk.shapes[node]] if node.target is aten.unbind.int else rest


def _item(walk: Coupling, node: Node) -> Any:
    return walk.axes[arguments(node)[0]][arguments(node)[1]]


def _softmax(walk: Coupling, node: Node) -> Axes:
    (x,) = walk.operands(node)
    return walk.keep(x, [int(arguments(node)[1])])


def _product(walk: Coupling, node: Node) -> Any:
    """In a product of matrices, or attention, the matrices stay; the dimensions before them are bound.

    Heads of which several share keys and values are not bound one to one, and stay.
    """
    operands = walk.operands(node)
    kept = [walk.keep(x, range(-2, 0)) for x in operands]
    if any(len(axes) < 3 for axes in kept) or node.kwargs.get("enable_gqa"):
        return _unknown(walk, node)
    shape = walk.shapes[node]
    return (*walk.broadcast([axes[:-2] for axes in kept], shape[:-2]), *walk.fixed(shape[-2:]))


_ONE_SIZE = {
    aten.max_pool1d.default, aten.max_pool2d.default, aten.avg_pool1d.default, aten.avg_pool2d.default,
    aten.adaptive_avg_pool1d.default, aten.adaptive_avg_pool2d.default,
}  # fmt: skip
RULES: dict[Any, Rule] = {
    **dict.fromkeys(LAYERS, _layer),
    **dict.fromkeys(_ONE_SIZE | {aten.pad.default, aten.constant_pad_nd.default}, _windows),
    **dict.fromkeys((aten.mean.dim, aten.sum.dim_IntList, aten.amax.default), _reduced),
    **dict.fromkeys((aten.permute.default, aten.transpose.int, aten.t.default), _moved),
    **dict.fromkeys((aten.view.default, aten.reshape.default, aten.flatten.using_ints), _reshaped),
    **dict.fromkeys((aten.squeeze.dim, aten.squeeze.dims), _squeezed),
    aten.unsqueeze.default: _reshaped,
    **dict.fromkeys((aten.split.Tensor, aten.split_with_sizes.default, aten.chunk.default), _parts),
    **dict.fromkeys((aten.select.int, aten.unbind.int), _selected),
    **dict.fromkeys((aten.softmax.int, aten._softmax.default), _softmax),
    **dict.fromkeys((aten.matmul.default, aten.bmm.default), _product),
    aten.scaled_dot_product_attention.default: _product,
    aten.batch_norm.default: _batch_norm,
    aten.layer_norm.default: _channels_last,
    aten.expand.default: _expanded,
    aten.cat.default: _concatenated,
    aten.slice.Tensor: _sliced,
    operator.getitem: _item,
}
"""By operator: from the walk and a node, the axes of what it gives."""
