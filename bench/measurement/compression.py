"""The zeros of a model's prunable weights, and compression in its three definitions."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ...records.fields import Layer
from .prunable import LAYERS

FLOAT32_EPS = torch.finfo(torch.float32).eps
# Leaf modules of which a path from input to output needs nonzero weights and nothing else.
_HOMOGENEOUS = (
    *LAYERS, nn.modules.batchnorm._BatchNorm, nn.ReLU, nn.Identity, nn.Flatten, nn.Dropout,
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
)  # fmt: skip


@torch.no_grad()
def zero_below(weights: Iterable[Tensor], threshold: float) -> None:
    """Sets w ← 0 where |w| < threshold, in place.

    Args:
        weights: Tensors to change; detached views of parameters change the model.
        threshold: A magnitude; weights exactly at it stay, and 0 changes nothing.

    Example:
        >>> w = torch.tensor([-0.25, 0.125, 0.0625])
        >>> zero_below([w], 0.125)
        >>> w.tolist()
        [-0.25, 0.125, 0.0]
    """
    for w in weights:
        w.masked_fill_(w.abs() < threshold, 0.0)


def layer_table(model: nn.Module, prunable: Iterable[str]) -> list[Layer]:
    """Returns name, shape and exact number of nonzeros of each prunable tensor of a plain model.

    Args:
        model: The finished model, whose parameters are the effective weights.
        prunable: Parameter names, from `prunable_weights`.

    Returns:
        One row a name, in their order; a record's `layers`.

    Example:
        >>> layer_table(nn.Linear(4, 2), ["weight"])
        [Layer(name='weight', shape=(2, 4), nonzeros=8)]
    """
    parameters = dict(model.named_parameters())
    return [
        Layer(name=name, shape=tuple(parameters[name].shape), nonzeros=int(parameters[name].count_nonzero()))
        for name in prunable
    ]


def densities(layers: Iterable[Layer]) -> dict[str, float]:
    """Returns the fraction of nonzero weights by parameter name.

    Args:
        layers: The prunable tensors, from `layer_table`.

    Returns:
        Nonzeros over size.

    Example:
        >>> densities([Layer(name="fc1", shape=(2, 4), nonzeros=2)])
        {'fc1': 0.25}
    """
    return {layer.name: layer.nonzeros / layer.size for layer in layers}


def ratio(total: float, rest: float) -> float:
    """Returns total/rest, with a rest below one counted as one, and at least 1.

    So a fully pruned model has the finite compression `total`, at which a collapse is plotted.

    Args:
        total: Weights, or cost, of the dense model.
        rest: What pruning leaves of them.

    Returns:
        A ratio of 1 or more.

    Example:
        >>> ratio(8, 2), ratio(8, 0)
        (4.0, 8.0)
    """
    return max(1.0, total / max(1, rest))


def compression(layers: Iterable[Layer]) -> float:
    """Returns the compression |P| / nonzeros of prunable layers.

    Args:
        layers: The prunable tensors of one model, from `layer_table`.

    Returns:
        The ratio; 1 for a dense model, and |P| where no weight is left.

    Example:
        >>> compression([Layer(name="fc", shape=(4, 4), nonzeros=4)])
        4.0
    """
    layers = list(layers)
    return ratio(sum(layer.size for layer in layers), sum(layer.nonzeros for layer in layers))


def total_compression(model: nn.Module) -> float:
    """Returns all parameters / all nonzero parameters, biases and norms included.

    Args:
        model: The finished plain model; its buffers are not counted.

    Returns:
        The ratio, 1 or more.

    Example:
        >>> layer = nn.Linear(4, 1)
        >>> _ = nn.init.zeros_(layer.bias)
        >>> total_compression(layer)  # 4 weights and a zero bias: 5 / 4
        1.25
    """
    parameters = list(model.parameters())
    return ratio(sum(p.numel() for p in parameters), sum(int(p.count_nonzero()) for p in parameters))


def empty_layers(layers: Iterable[Layer]) -> list[str]:
    """Returns the names of the layers that have no nonzero weight left.

    Args:
        layers: The prunable tensors of one model, from `layer_table`.

    Returns:
        Parameter names in the order of the layers; empty where each has a nonzero.

    Example:
        >>> fc1, fc2 = (Layer(name=f"fc{i}", shape=(4, 4), nonzeros=n) for i, n in ((1, 3), (2, 0)))
        >>> empty_layers([fc1, fc2])
        ['fc2']
    """
    return [layer.name for layer in layers if layer.nonzeros == 0]


def _without_max_pooling(model: nn.Module) -> nn.Module:
    """Replaces max-pooling by average pooling, which has the same paths from input to output.

    The gradient of a maximum reaches one position only, and would hide the paths through the others.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            shape = (module.kernel_size, module.stride, module.padding, module.ceil_mode)
            model.set_submodule(name, nn.AvgPool2d(*shape))
    return model


def effective_compression(
    model: nn.Module, prunable: Iterable[str], shape: tuple[int, int, int]
) -> float | None:
    """Returns |P| / weights of P that lie on a path from input to output, biases set to zero.

    A weight lies on one where the SynFlow score |∂R/∂w·w| > 0, R the sum of outputs for an input of ones
    with every parameter replaced by its absolute value, in float64. The model itself is not changed.

    Args:
        model: The finished plain model.
        prunable: Parameter names of P, from `prunable_weights`.
        shape: (C, H, W) of an image.

    Returns:
        The ratio, at least that of `compression`; None for a model with layers that are not homogeneous
        (LayerNorm, attention), where the score does not decide it.

    Example:
        >>> mlp = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> mlp[3].weight.data[0, 1] = 0  # one of six weights: no path leaves the second hidden unit
        >>> names = ["1.weight", "3.weight"]
        >>> compression(layer_table(mlp, names)), effective_compression(mlp, names, (1, 1, 2))
        (1.2, 2.0)
    """
    working = (m for m in model.modules() if m._parameters or not list(m.children()))
    # A hook before the pass, such as spectral_norm's, computes a weight in its own way.
    if not all(isinstance(m, _HOMOGENEOUS) and not m._forward_pre_hooks for m in working):
        return None
    # A float64 copy with the absolute values of the parameters, and BatchNorm that only scales.
    probe = _without_max_pooling(copy.deepcopy(model).cpu().double().eval())
    parameters = dict(probe.named_parameters())
    with torch.no_grad():
        for name, p in parameters.items():
            p.abs_() if p.ndim > 1 or not name.endswith("bias") else p.zero_()
        for module in probe.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.reset_running_stats()
    # The SynFlow score of every prunable weight.
    prunable = list(prunable)
    flow = probe(torch.ones(1, *shape, dtype=torch.float64)).sum()
    grads = torch.autograd.grad(flow, [parameters[name] for name in prunable], allow_unused=True)
    live = sum(
        int((g * parameters[name]).count_nonzero())
        for name, g in zip(prunable, grads, strict=True)
        if g is not None
    )
    return ratio(sum(parameters[name].numel() for name in prunable), live)
