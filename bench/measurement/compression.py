"""The prunable weights of a model, their zeros, and compression in its three definitions."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ...errors import SparsebenchError, suggest
from ...records.record import Layer

FLOAT32_EPS = torch.finfo(torch.float32).eps
CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
# Leaf modules through which "reaches the output" is a matter of nonzero weights alone.
_HOMOGENEOUS = (
    nn.Linear, *CONVS, nn.modules.batchnorm._BatchNorm, nn.ReLU, nn.Identity, nn.Flatten, nn.Dropout,
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
)  # fmt: skip


def prunable_weights(model: nn.Module, keep_dense: Iterable[str] = ()) -> list[str]:
    """The set P: weights of all Linear and Conv layers, in the model's order, less the layers kept dense.

    Errors: a `keep_dense` layer that the model does not have.
    """
    found: dict[str, str] = {}
    for layer, module in model.named_modules():
        if isinstance(module, (nn.Linear, *CONVS)):
            found[layer] = f"{layer}.weight" if layer else "weight"
    for layer in keep_dense:
        if layer not in found:
            raise SparsebenchError(f"keep_dense: the model has no layer {layer!r}; {suggest(layer, found)}")
    kept = set(keep_dense)
    shared = {name for name, _ in model.named_parameters()}
    return [weight for layer, weight in found.items() if layer not in kept and weight in shared]


@torch.no_grad()
def zero_below(weights: Iterable[Tensor], threshold: float) -> None:
    """w ← 0 where |w| < threshold, in place."""
    for w in weights:
        w.masked_fill_(w.abs() < threshold, 0.0)


def layer_table(model: nn.Module, prunable: Iterable[str]) -> list[Layer]:
    """Name, shape and exact nonzeros of each prunable tensor of the plain model."""
    parameters = dict(model.named_parameters())
    return [
        Layer(name=name, shape=tuple(parameters[name].shape), nonzeros=int(parameters[name].count_nonzero()))
        for name in prunable
    ]


def ratio(total: float, rest: float) -> float:
    """total/rest, with an empty rest counted as one: the compression at which a collapse is plotted."""
    return max(1.0, total / max(1, rest))


def compression(layers: Iterable[Layer]) -> float:
    """|P| / nonzeros in P."""
    layers = list(layers)
    return ratio(sum(layer.size for layer in layers), sum(layer.nonzeros for layer in layers))


def total_compression(model: nn.Module) -> float:
    """All parameters / all nonzero parameters; buffers are no parameters."""
    parameters = list(model.parameters())
    return ratio(sum(p.numel() for p in parameters), sum(int(p.count_nonzero()) for p in parameters))


def collapsed_layers(layers: Iterable[Layer]) -> list[str]:
    """Layers without a nonzero."""
    return [layer.name for layer in layers if layer.nonzeros == 0]


def _without_max_pooling(model: nn.Module) -> nn.Module:
    """The same paths: a maximum hands its gradient to one place alone, and would hide those of the others."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            shape = (module.kernel_size, module.stride, module.padding, module.ceil_mode)
            model.set_submodule(name, nn.AvgPool2d(*shape))
    return model


def effective_compression(
    model: nn.Module, prunable: Iterable[str], shape: tuple[int, int, int]
) -> float | None:
    """|P| / weights of P that lie on a path from input to output, biases set to zero.

    A weight lies on one where the SynFlow score |∂R/∂w·w| > 0, R the sum of outputs for an input of ones
    with every parameter replaced by its absolute value, in float64. None for nets with other than
    homogeneous layers (LayerNorm, attention), where the score does not tell.
    """
    if not all(isinstance(m, _HOMOGENEOUS) for m in model.modules() if not list(m.children())):
        return None
    probe = _without_max_pooling(copy.deepcopy(model).cpu().double().eval())
    parameters = dict(probe.named_parameters())
    with torch.no_grad():
        for name, p in parameters.items():
            p.abs_() if p.ndim > 1 or not name.endswith("bias") else p.zero_()
        for module in probe.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.reset_running_stats()
    prunable = list(prunable)
    flow = probe(torch.ones(1, *shape, dtype=torch.float64)).sum()
    grads = torch.autograd.grad(flow, [parameters[name] for name in prunable], allow_unused=True)
    live = sum(
        int((g * parameters[name]).count_nonzero())
        for name, g in zip(prunable, grads, strict=True)
        if g is not None
    )
    return ratio(sum(parameters[name].numel() for name in prunable), live)
