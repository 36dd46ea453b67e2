"""A graph that is a chain of layers as a `nn.Sequential`, which plain Python can print and load."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

aten = torch.ops.aten
Parameters = dict[str, Tensor]


def as_sequential(module: GraphModule) -> nn.Sequential | None:
    """Returns the layers of a graph in which each reads the result of the one before, and nothing else.

    Args:
        module: The graph, from `traced` or `rewritten`.

    Returns:
        The layers of torch.nn with the same tensors, in eval mode; None for a graph of another form, or with
        an operator that is none of these layers.

    Example:
        >>> from sparsebench.bench.measurement.graph.trace import traced
        >>> as_sequential(traced(nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU()), (4,)))
        Sequential(
          (0): Flatten(start_dim=1, end_dim=-1)
          (1): Linear(in_features=4, out_features=2, bias=True)
          (2): ReLU()
        )
    """
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    if any(node.op == "get_attr" and len(node.users) > 1 for node in module.graph.nodes):
        return None  # two layers would have a copy each
    layers: list[nn.Module] = []
    previous: Node | None = None
    for node in module.graph.nodes:
        if node.op == "placeholder":
            previous = node
        elif node.op == "call_function":
            made = _layer(node, previous, tensors)
            if made is None:
                return None
            layers.append(made)
            previous = node
    return nn.Sequential(*layers).eval()


def _layer(node: Node, previous: Node | None, tensors: Parameters) -> nn.Module | None:
    """Returns the module of a node, or None where it has none or reads something else."""
    make = LAYERS.get(node.target)
    read = [operand for operand in node.all_input_nodes if operand.op != "get_attr"]
    if (
        make is None
        or read != [previous]
        or node.args[0] is not previous
        or node.kwargs.keys() - {"approximate"}
    ):
        return None
    stored = [tensors[str(a.target)] if isinstance(a, Node) else a for a in node.args[1:]]
    if node.target is aten.batch_norm.default:
        return _batch_norm(stored, previous.meta["val"].ndim)  # type: ignore[union-attr]
    return make(*stored, **node.kwargs)


def _with(layer: nn.Module, **tensors: Tensor | None) -> nn.Module:
    """Returns a layer with these parameters and buffers in place of its own."""
    for name, tensor in tensors.items():
        if name in layer._buffers:
            layer._buffers[name] = tensor
        else:
            value = None if tensor is None else nn.Parameter(tensor.detach(), requires_grad=False)
            layer._parameters[name] = value
    return layer


def _linear(weight: Tensor, bias: Tensor | None = None) -> nn.Module:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    return _with(layer, weight=weight, bias=bias)


def _convolution(
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> nn.Module:
    layer = nn.Conv2d(
        weight.shape[1] * groups, weight.shape[0], _sizes(weight.shape[2:]), _sizes(stride), _sizes(padding),
        _sizes(dilation), groups, bias is not None, device="meta",
    )  # fmt: skip
    return _with(layer, weight=weight, bias=bias)


def _batch_norm(stored: Sequence[Any], rank: int) -> nn.Module | None:
    weight, bias, mean, var, _, _, eps = stored[:7]
    if mean is None or (weight is None) != (bias is None):
        return None
    kind = {4: nn.BatchNorm2d, 5: nn.BatchNorm3d}.get(rank, nn.BatchNorm1d)
    layer = kind(len(mean), eps=eps, affine=weight is not None)
    return _with(layer, weight=weight, bias=bias, running_mean=mean, running_var=var)


def _max_pool(
    kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> nn.Module:
    return nn.MaxPool2d(
        _sizes(kernel), _sizes(stride or kernel), _sizes(padding), _sizes(dilation), ceil_mode=ceil_mode
    )


def _average_pool(kernel: Any, stride: Any = (), padding: Any = 0, *rest: Any) -> nn.Module:
    return nn.AvgPool2d(_sizes(kernel), _sizes(stride or kernel), _sizes(padding), *rest)


def _sizes(given: Any) -> Any:
    """Returns a size as a tuple of numbers, or the number or word that it is."""
    return tuple(given) if isinstance(given, (list, tuple)) else given


def _flatten(start: int = 0, end: int = -1) -> nn.Module:
    return nn.Flatten(start, end)


LAYERS: dict[Any, Callable[..., nn.Module | None]] = {
    aten.linear.default: _linear,
    aten.conv2d.default: _convolution,
    aten.conv2d.padding: _convolution,
    aten.batch_norm.default: _batch_norm,
    aten.max_pool2d.default: _max_pool,
    aten.avg_pool2d.default: _average_pool,
    aten.adaptive_avg_pool2d.default: lambda size: nn.AdaptiveAvgPool2d(_sizes(size)),
    aten.flatten.using_ints: _flatten,
    aten.relu.default: nn.ReLU,
    aten.gelu.default: nn.GELU,
    aten.silu.default: nn.SiLU,
    aten.sigmoid.default: nn.Sigmoid,
    aten.tanh.default: nn.Tanh,
    aten.hardswish.default: nn.Hardswish,
    aten.leaky_relu.default: nn.LeakyReLU,
    aten.elu.default: nn.ELU,
    aten.hardtanh.default: nn.Hardtanh,
}
"""By operator: its module, from the operator's arguments behind the first."""
