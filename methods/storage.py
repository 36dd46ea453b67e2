"""How the effective weights of a net are stored: as themselves, as factors, or as any elementwise map.

The model always keeps plain parameters that hold the effective weights, so that a forward pass costs what
the plain model costs and `.grad` is the dense gradient of the effective weight. A storage moves gradients
back to what the optimizer owns (`pull`) and the moved parameters forth into the weights (`push`).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

Weights = Mapping[str, nn.Parameter]


class Storage(Protocol):
    """What a net needs of a storage. A slot is an optimizer's parameter with the view of one weight in it."""

    def params(self) -> list[Tensor]:
        """The tensors that the optimizer owns."""

    def pull(self) -> None:
        """Dense gradients of the effective weights to gradients of `params`."""

    def push(self) -> None:
        """`params` to the effective weights, in place."""

    def slots(self, name: str) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
        """For the weight `name`: each owned tensor, and how to view a buffer shaped like it as the weight."""


class Plain:
    """The weights are the optimizer's parameters."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def params(self) -> list[Tensor]:
        return list(self.weights.values())

    def pull(self) -> None:
        """Nothing to do: the gradients are where they belong."""

    def push(self) -> None:
        """Nothing to do: the weights have moved."""

    def slots(self, name: str) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
        yield self.weights[name], lambda buffer: buffer


class Factors:
    """w = ω₁⊙…⊙ω_D for all layers at once: one tensor `omega` of shape (D, |P|), one flat weight buffer.

    The chain rule is exact: ∂L/∂ω_d = ∂L/∂w ⊙ Π_{k≠d} ω_k. The model's parameters become views of the
    flat buffer, so one product over the whole net refreshes every layer.
    """

    def __init__(self, weights: Weights, depth: int, init: Callable[[str, Tensor], Tensor]) -> None:
        self.weights = weights
        self.total = sum(w.numel() for w in weights.values())
        first = next(iter(weights.values()))
        self.layout: dict[str, tuple[torch.Size, tuple[int, ...], int]] = {}
        offset = 0
        for name, w in weights.items():
            self.layout[name] = (w.shape, _dense_strides(w), offset)
            offset += w.numel()
        omega = torch.empty(depth, self.total, dtype=torch.float32, device=first.device)
        for name, w in weights.items():
            factors = init(name, w.detach())
            for d in range(depth):
                self.view(omega[d], name).copy_(factors[d])
        self.omega = nn.Parameter(omega)
        self.flat = torch.empty_like(omega[0])
        self.flat_grad = torch.empty_like(self.flat)
        self.grad_views = [self.view(self.flat_grad, name) for name in weights]
        for name, w in weights.items():
            w.data = self.view(self.flat, name)
        self.push()

    def view(self, flat: Tensor, name: str) -> Tensor:
        """The weight `name` inside a flat tensor of |P| numbers, in the weight's own memory layout."""
        shape, strides, offset = self.layout[name]
        return flat.as_strided(shape, strides, flat.storage_offset() + offset)

    def params(self) -> list[Tensor]:
        return [self.omega]

    @torch.no_grad()
    def pull(self) -> None:
        for view, w in zip(self.grad_views, self.weights.values(), strict=True):
            if w.grad is None:
                view.zero_()
            else:
                view.copy_(w.grad)
        grad = torch.empty_like(self.omega)
        exclusive_products(self.omega, self.flat_grad, grad)
        self.omega.grad = grad if self.omega.grad is None else self.omega.grad.add_(grad)

    @torch.no_grad()
    def push(self) -> None:
        torch.mul(self.omega[0], self.omega[1], out=self.flat)
        for factor in self.omega[2:]:
            self.flat.mul_(factor)

    def _slot(self, name: str, d: int, buffer: Tensor) -> Tensor:
        return self.view(buffer[d], name)

    def slots(self, name: str) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
        for d in range(self.omega.shape[0]):
            yield self.omega, partial(self._slot, name, d)


def exclusive_products(omega: Tensor, g: Tensor, out: Tensor) -> None:
    """out[d] = g ⊙ Π_{k≠d} omega[k], without a division: a prefix pass, then a suffix pass. All (D, n)."""
    depth = omega.shape[0]
    out[0].copy_(g)
    for d in range(1, depth):
        torch.mul(out[d - 1], omega[d - 1], out=out[d])
    suffix = omega[depth - 1]
    for d in range(depth - 2, -1, -1):
        out[d].mul_(suffix)
        if d:
            suffix = suffix * omega[d]


def _dense_strides(w: Tensor) -> tuple[int, ...]:
    """The tensor's own strides where they cover its memory without gaps (any memory format)."""
    by_stride = sorted(zip(w.stride(), w.shape, strict=True))
    expected = 1
    for stride, size in by_stride:
        if size != 1 and stride != expected:
            return torch.empty(w.shape, device="meta").stride()
        expected *= size
    return w.stride()


class Elementwise:
    """w = f(parameters) for any differentiable f, layer by layer, by autograd.

    `compose(**tensors)` maps one layer's parameters to its effective weight; `start` gives each parameter's
    first value from the layer's dense weight.
    """

    def __init__(
        self,
        weights: Weights,
        compose: Callable[..., Tensor],
        start: Mapping[str, Callable[[Tensor], Tensor]],
    ) -> None:
        self.weights, self.compose = weights, compose
        self.owned = {
            key: {name: nn.Parameter(make(w.detach()).clone()) for name, w in weights.items()}
            for key, make in start.items()
        }
        self.composed: list[Tensor] = []
        self.push()

    def params(self) -> list[Tensor]:
        return [p for layers in self.owned.values() for p in layers.values()]

    def of(self, name: str) -> dict[str, Tensor]:
        """The parameters of one layer by key."""
        return {key: layers[name] for key, layers in self.owned.items()}

    def pull(self) -> None:
        live = [(c, w.grad) for c, w in zip(self.composed, self.weights.values(), strict=True)]
        pairs = [(c, g) for c, g in live if g is not None and c.requires_grad]
        torch.autograd.backward([c for c, _ in pairs], [g for _, g in pairs])

    def push(self) -> None:
        with torch.enable_grad():
            self.composed = [self.compose(**self.of(name)) for name in self.weights]
        with torch.no_grad():
            for w, value in zip(self.weights.values(), self.composed, strict=True):
                w.copy_(value)

    def slots(self, name: str) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
        for layers in self.owned.values():
            if layers[name].shape == self.weights[name].shape:
                yield layers[name], lambda buffer: buffer
