"""Values of a forward pass that are the same for every image, element by element.

The graph is run once with pairs in place of tensors: a value, and whether it may depend on the images. A unit
without a nonzero weight in has the value act(bias), or what a norm in eval mode makes of the bias. The border
of a padded convolution is seen too: there, a constant channel gives other values than inside.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg
from torch.utils._pytree import tree_map_only

from ..measurement.graph.trace import CONVOLUTIONS, is_pointwise

aten = torch.ops.aten

MOVING = {
    aten.view.default, aten.reshape.default, aten.flatten.using_ints, aten.permute.default,
    aten.transpose.int, aten.t.default, aten.unsqueeze.default, aten.squeeze.dim, aten.squeeze.dims,
    aten.expand.default, aten.slice.Tensor, aten.select.int, aten.unbind.int, aten.split.Tensor,
    aten.split_with_sizes.default, aten.chunk.default, aten.cat.default, aten.pad.default,
    aten.constant_pad_nd.default,
}  # fmt: skip
"""Operators whose results are elements of their operands, or zeros."""
POOLING = {
    aten.max_pool1d.default, aten.max_pool2d.default, aten.avg_pool1d.default, aten.avg_pool2d.default,
    aten.adaptive_avg_pool1d.default, aten.adaptive_avg_pool2d.default,
    aten.mean.dim, aten.sum.dim_IntList, aten.amax.default,
}  # fmt: skip
"""Operators whose results depend on elements of a window or a dimension."""
_PRODUCTS = {aten.mul.Tensor, aten.mul.Scalar}


@dataclass(frozen=True)
class Traced:
    """A tensor of the pass: its values, and which of them may depend on the images.

    Attributes:
        value: The values; zero where they are unknown.
        unknown: True where an element may be another one for other images.

    Example:
        >>> Traced(torch.tensor([[0.0, 2.0], [1.0, 2.0]]), torch.zeros(2, 2, dtype=torch.bool)).constants(1)
        (tensor([False,  True]), tensor([0., 2.]))
    """

    value: Tensor
    unknown: Tensor

    def constants(self, dim: int) -> tuple[Tensor, Tensor]:
        """Returns for each index of a dimension whether its elements have one known value, and that value."""
        value = self.value.movedim(dim, 0).flatten(1)
        unknown = self.unknown.movedim(dim, 0).flatten(1)
        known = ~unknown.any(1) & (value == value[:, :1]).all(1)
        return known, torch.where(known, value[:, 0], 0.0)


def constants(
    module: GraphModule, images: Tensor, visit: Callable[[Node, Callable[[Any], Any]], None]
) -> None:
    """Runs a graph on pairs of value and uncertainty, and shows each node with its operands while they live.

    Args:
        module: The graph, from `traced`.
        images: Any images of the right shape: their values are not read.
        visit: Called after each node with the node and a function that returns what another node gave: a
            `Traced`, a number or a list of them. The operands of the node are still there, others may not be.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> layer = torch.nn.Linear(1, 2)
        >>> layer.weight.data[0] = 0  # the first of two outputs is its bias
        >>> found = []
        >>> constants(traced(layer, (1,)), torch.zeros(3, 1), lambda node, read: found.append(read(node)))
        >>> [traced.constants(-1)[0].tolist() for traced in found if traced and traced.value.shape == (3, 2)]
        [[True, False]]
    """
    found: dict[Node, Any] = {}
    last = {operand: node for node in module.graph.nodes for operand in node.all_input_nodes}
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    for node in module.graph.nodes:
        if node.op == "placeholder":
            found[node] = Traced(torch.zeros_like(images), torch.ones_like(images, dtype=torch.bool))
        elif node.op == "get_attr":
            value = tensors[str(node.target)].detach()
            found[node] = Traced(value, torch.zeros_like(value, dtype=torch.bool))
        elif node.op == "call_function":
            found[node] = _called(node, map_arg(node.args, found.get), map_arg(node.kwargs, found.get))
        visit(node, found.get)
        for operand in node.all_input_nodes:
            if last[operand] is node:
                del found[operand]


def _called(node: Node, args: Any, kwargs: Any) -> Any:
    """Returns what an operator gives for operands of which some are known."""
    target: Any = node.target
    if target is operator.getitem:
        return target(*args, **kwargs)
    operands = _traced_in((args, kwargs))
    plain_args, plain_kwargs = tree_map_only(Traced, lambda t: t.value, (args, kwargs))
    value = target(*plain_args, **plain_kwargs)
    if not any(t.unknown.any() for t in operands):
        unknown: Any = tree_map_only(Tensor, lambda t: torch.zeros_like(t, dtype=torch.bool), value)
    else:
        unknown = _unknown(target, args, kwargs, operands, value)
    return _paired(value, unknown)


def _traced_in(values: Any) -> list[Traced]:
    found: list[Traced] = []
    tree_map_only(Traced, found.append, values)
    return found


def _paired(value: Any, unknown: Any) -> Any:
    if isinstance(value, Tensor):
        return Traced(value.masked_fill(unknown, 0), unknown)
    if isinstance(value, (list, tuple)):
        return [_paired(*both) for both in zip(value, unknown, strict=True)]
    return value


def _unknown(target: Any, args: Any, kwargs: Any, operands: Sequence[Traced], value: Any) -> Any:
    """Returns which elements of a result may depend on the images: all, for an operator not known here."""
    if target in CONVOLUTIONS or target is aten.linear.default:
        return _of_layer(target, args)
    if target in MOVING | POOLING:
        # What is unknown is one, and everything else zero: a result other than zero depends on it.
        marked = tree_map_only(Traced, lambda t: t.unknown.float(), (args, kwargs))
        return tree_map_only(Tensor, lambda t: t != 0, target(*marked[0], **marked[1]))
    if target is aten.batch_norm.default:
        scale = args[1].value if args[1] is not None else torch.ones(value.shape[1])
        return args[0].unknown & (scale != 0).reshape(-1, *(1,) * (value.ndim - 2))
    if target is aten.scaled_dot_product_attention.default:
        return _of_attention(target, args, kwargs)
    if is_pointwise(target) and isinstance(value, Tensor):
        shape = value.shape
        unknown = torch.stack([t.unknown.expand(shape) for t in operands]).any(0)
        zeros = [(~t.unknown & (t.value == 0)).expand(shape) for t in operands]
        return unknown & ~torch.stack(zeros).any(0) if target in _PRODUCTS else unknown
    return tree_map_only(Tensor, lambda t: torch.ones_like(t, dtype=torch.bool), value)


def _of_layer(target: Any, args: Any) -> Tensor:
    """A layer's result is unknown where an unknown element meets a weight that is not zero."""
    x, weight = args[0], args[1]
    meets = (weight.value != 0) | weight.unknown
    unknown: Tensor = target(x.unknown.float(), meets.float(), None, *args[3:]) != 0
    if weight.unknown.any() or (len(args) > 2 and args[2] is not None and args[2].unknown.any()):
        return torch.ones_like(unknown)
    return unknown


def _of_attention(target: Any, args: Any, kwargs: Any) -> Tensor:
    """A mean of equal values is that value, whatever its weights are."""
    queries, keys, values = args[:3]
    differ = values.unknown | (values.value != values.value[..., :1, :])
    marked = differ.any(-2, keepdim=True).expand_as(differ).float()
    shared_heads = kwargs.get("enable_gqa", False)
    unknown: Tensor = target(queries.value, keys.value, marked, enable_gqa=shared_heads) != 0
    return unknown
