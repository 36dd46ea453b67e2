"""How the effective weights of a net are stored: as themselves, as factors, or as any elementwise map.

The model always keeps plain parameters that hold the effective weights, so that a forward pass costs what
the plain model costs and `.grad` is the dense gradient of the effective weight. A storage moves gradients
back to what the optimizer owns (`pull`) and the moved parameters forth into the weights (`push`).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
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


VECTOR = 8  # torch rounds the last few numbers of a tensor otherwise where they fill no vector of this width


class Factors:
    """w = ω₁⊙…⊙ω_D for all layers at once: one tensor `owned`, one flat weight buffer, views into both.

    The chain rule is exact: ∂L/∂ω_d = ∂L/∂w ⊙ Π_{k≠d} ω_k. The model's parameters become views of the
    flat buffer, so one product over the whole net refreshes every layer. The rows of `owned` are padded with
    zeros to whole vectors; `omega` shows them without.

    An optimizer that takes `deferred` on itself applies the chain rule and the product when it steps, and
    says that the weights are `current`.
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
        padded = -(-self.total // VECTOR) * VECTOR
        owned = torch.zeros(depth, padded, dtype=torch.float32, device=first.device)
        for name, w in weights.items():
            factors = init(name, w.detach())
            for d in range(depth):
                self.view(owned[d], name).copy_(factors[d])
        self.owned = nn.Parameter(owned)
        self.flat = torch.empty_like(owned[0])
        self.deferred = self.current = False
        for name, w in weights.items():
            w.data = self.view(self.flat, name)
        self.push()

    @property
    def omega(self) -> Tensor:
        """The factors, `(D, |P|)`: a view of what the optimizer owns."""
        return self.owned[:, : self.total]

    def view(self, flat: Tensor, name: str) -> Tensor:
        """The weight `name` inside a flat tensor, in the weight's own memory layout."""
        shape, strides, offset = self.layout[name]
        return flat.as_strided(shape, strides, flat.storage_offset() + offset)

    def params(self) -> list[Tensor]:
        return [self.owned]

    def dense_grads(self) -> Iterator[tuple[int, Tensor]]:
        """For each weight, where it begins in `flat`, and its gradient in the weight's memory layout."""
        for (shape, strides, offset), w in zip(self.layout.values(), self.weights.values(), strict=True):
            grad = w.grad
            if grad is None:
                grad = torch.zeros_like(w)
            elif grad.stride() != strides:
                grad = torch.empty_strided(shape, strides, device=grad.device).copy_(grad)
            yield offset, grad

    @cached_property
    def flat_grad(self) -> Tensor:
        """The dense gradient of the whole net, shaped like `flat`; `gather` fills it."""
        return torch.zeros_like(self.flat)

    @torch.no_grad()
    def gather(self) -> None:
        """Copy the layers' dense gradients into `flat_grad`."""
        grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in self.weights.values()]
        torch._foreach_copy_(self._grad_views, grads)  # one launch on a GPU

    @cached_property
    def _grad_views(self) -> list[Tensor]:
        return [self.view(self.flat_grad, name) for name in self.weights]

    @torch.no_grad()
    def pull(self) -> None:
        if self.deferred and self.owned.grad is None:
            return
        self.gather()
        grad = torch.empty_like(self.owned)
        exclusive_products(self.owned, self.flat_grad, grad)
        self.owned.grad = grad if self.owned.grad is None else self.owned.grad.add_(grad)

    @torch.no_grad()
    def push(self) -> None:
        if not self.current:
            multiply(self.owned, self.flat)
        self.current = False

    def _slot(self, name: str, d: int, buffer: Tensor) -> Tensor:
        return self.view(buffer[d], name)

    def slots(self, name: str) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
        for d in range(self.owned.shape[0]):
            yield self.owned, partial(self._slot, name, d)


def multiply(omega: Tensor, out: Tensor) -> None:
    """out = Π_d omega[d], the factors in their order."""
    torch.mul(omega[0], omega[1], out=out)
    for factor in omega[2:]:
        out.mul_(factor)


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
