"""Collapse: a network without a path from its input to a logit."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .eval_mode import eval_mode

DRAWS = 4


def has_collapsed(model: nn.Module, shape: tuple[int, ...], device: torch.device) -> bool:
    """Returns whether no logit depends on the image any more, in eval mode.

    Two random images that give different logits show a path at once. Where they give the same to the last
    bit, small weights or dead units may hide a path: then the nonzero weights take other values, in float64,
    and the model has collapsed only if the gradient of the logits with respect to the image is zero at all
    of them. An empty layer that a skip connection avoids is no collapse, an empty first layer is.

    Args:
        model: The finished plain model, on `device`; it is the same afterwards.
        shape: (C, H, W) of an image.
        device: Where the images are put.

    Returns:
        Whether the model gives the same answer to every image.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> has_collapsed(net, (1, 2, 2), torch.device("cpu"))
        False
        >>> _ = nn.init.zeros_(net[1].weight)
        >>> has_collapsed(net, (1, 2, 2), torch.device("cpu"))
        True
    """
    with eval_mode(model):
        return _constant(model, shape, device) and not _has_path(model, shape, device)


def _images(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Iterator[Tensor]:
    """Yields two random images, each a batch of its own: how a batch is divided may change the last bit."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        yield torch.randn(1, *shape, generator=generator).to(device, dtype)


@torch.inference_mode()
def _constant(model: nn.Module, shape: tuple[int, ...], device: torch.device) -> bool:
    first, second = (model(image) for image in _images(shape, device, torch.float32))
    return torch.equal(first, second)


def _has_path(model: nn.Module, shape: tuple[int, ...], device: torch.device) -> bool:
    """Returns whether some values of the nonzero weights give the logits a gradient."""
    place = torch.device("cpu") if device.type == "mps" else device  # which has no float64
    image, other = _images(shape, place, torch.float64)
    # Positive images first: among positive values no unit is dead and nothing cancels.
    pairs = zip(_values(model, place), (image, image.abs(), *(other.abs(), other) * DRAWS), strict=False)
    return any(bool((_gradient(model, tensors, x) != 0).any()) for tensors, x in pairs)


def _gradient(model: nn.Module, tensors: dict[str, Tensor], image: Tensor) -> Tensor:
    """Returns the gradient of a weighted sum of the logits; NaN, of a value that overflowed, is not zero."""
    x = image.detach().requires_grad_()
    logits = functional_call(model, tensors, (x.clone(),)).flatten()
    if not logits.requires_grad:
        return torch.zeros_like(x)
    weights = torch.linspace(1.0, 2.0, len(logits), device=x.device, dtype=logits.dtype)
    total = (logits * weights).sum()
    gradient: Tensor = torch.autograd.grad(total, x, allow_unused=True, materialize_grads=True)[0]
    return gradient


def _values(model: nn.Module, place: torch.device) -> Iterator[dict[str, Tensor]]:
    """Yields the model's tensors in float64: as trained, then with other values of the nonzero weights.

    The others are absolute values without biases, as SynFlow's, and random ones of a size at which the
    outputs of a layer are about as large as its inputs. BatchNorm's statistics are those of a new layer then.
    """
    tensors = [*model.named_parameters(), *model.named_buffers()]
    state = {name: t.detach().to(place).double() if t.is_floating_point() else t for name, t in tensors}
    yield state
    statistics = {"running_mean": torch.zeros_like, "running_var": torch.ones_like}
    reset = {n: statistics[n.split(".")[-1]](t) for n, t in state.items() if n.split(".")[-1] in statistics}
    own = {name: p.ndim for name, p in model.named_parameters()}
    biases = {name for name, ndim in own.items() if ndim < 2 and name.split(".")[-1].startswith("bias")}
    flow = {name: state[name] * 0 if name in biases else state[name].abs() for name in own}
    yield {**state, **reset, **flow}
    generator = torch.Generator().manual_seed(1)
    for _ in range(DRAWS):
        drawn = {
            name: _scaled(
                torch.randn(state[name].shape, generator=generator).to(state[name]), state[name] != 0
            )
            for name, ndim in own.items()
            if ndim > 1
        }
        yield {**state, **reset, **drawn}


def _scaled(w: Tensor, nonzero: Tensor) -> Tensor:
    """Returns the values where a weight is nonzero, over the root of their mean number in a row."""
    return w * nonzero / math.sqrt(max(1.0, float(nonzero.sum()) / w.shape[0]))
