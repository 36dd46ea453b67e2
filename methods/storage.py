"""Storages of a net's effective weights: plain, as factors, or through any elementwise map.

The model always has plain parameters that hold the effective weights, so that a forward pass costs what
the plain model costs and `.grad` is the dense gradient of the effective weight. A storage converts these
gradients to those of the tensors that the optimizer owns (`pull`), and the updated tensors to effective
weights (`push`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Protocol

import torch
from torch import Tensor, nn

Weights = Mapping[str, nn.Parameter]


class Storage(Protocol):
    """The interface of a storage: the optimizer's tensors, and the way to and from the effective weights.

    A slot is one of the optimizer's tensors, with the view of one weight inside buffers of its shape.

    Example:
        >>> storage: Storage = Plain({"w": nn.Parameter(torch.zeros(2, 3))})
        >>> [tuple(tensor.shape) for tensor, view in storage.slots("w")]
        [(2, 3)]
    """

    def params(self) -> list[Tensor]:
        """The tensors that the optimizer owns."""

    def pull(self) -> None:
        """Computes the gradients of `params` from the dense gradients of the effective weights."""

    def push(self) -> None:
        """Computes the effective weights from `params`, in place."""

    def slots(self, name: str) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
        """Yields, for the weight `name`, each owned tensor and the view of a buffer like it as the weight."""


class Plain:
    """The plain storage: the optimizer owns the effective weights themselves.

    Args:
        weights: The model's prunable parameters by name.

    Example:
        >>> w = nn.Parameter(torch.zeros(2))
        >>> Plain({"w": w}).params()[0] is w
        True
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def params(self) -> list[Tensor]:
        return list(self.weights.values())

    def pull(self) -> None:
        """Does nothing: the gradients of the weights are those of the optimizer's tensors."""

    def push(self) -> None:
        """Does nothing: the optimizer updates the weights themselves."""

    def slots(self, name: str) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
        yield self.weights[name], lambda buffer: buffer


VECTOR = 8  # torch rounds the last numbers of a tensor differently where they fill no vector of this width


class Factors:
    """The factor storage w = ω₁⊙…⊙ω_D: one tensor `owned` for all layers, one flat buffer of weights.

    The chain rule is exact: ∂L/∂ω_d = ∂L/∂w ⊙ Π_{k≠d} ω_k. The model's parameters become views of the
    flat buffer, so that one product over the whole net updates every layer. The rows of `owned` are padded
    with zeros to whole vectors; `omega` is the view without padding.

    An optimizer that sets `deferred` applies the chain rule and the product itself in its step, and then
    sets `current`: the weights are up to date.

    Args:
        weights: The model's prunable parameters by name.
        depth: D, the number of factors, at least 2.
        init: Returns the initial factors of a layer from its name and weight, shape `(D, *w.shape)`.

    Example:
        >>> w = nn.Parameter(torch.ones(1))
        >>> factors = Factors({"w": w}, 2, lambda name, w: torch.stack([2 * w, 3 * w]))
        >>> w.grad = torch.ones(1)
        >>> factors.pull()
        >>> w.item(), factors.owned.grad[:, 0].tolist()  # w = 2·3; ∂w/∂ω₁ = ω₂ = 3, ∂w/∂ω₂ = ω₁ = 2
        (6.0, [3.0, 2.0])
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
        """The factors, `(D, |P|)`: a view of the optimizer's tensor."""
        return self.owned[:, : self.total]

    def view(self, flat: Tensor, name: str) -> Tensor:
        """The weight `name` inside a flat tensor, in the weight's own memory layout."""
        shape, strides, offset = self.layout[name]
        return flat.as_strided(shape, strides, flat.storage_offset() + offset)

    def params(self) -> list[Tensor]:
        return [self.owned]

    def dense_grads(self) -> Iterator[tuple[int, Tensor]]:
        """Yields each weight's offset in `flat`, and its gradient in the weight's memory layout."""
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
        """Copies the layers' dense gradients into `flat_grad`."""
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
    """Writes the product Π_d omega[d] to `out`, multiplied in the order of the factors.

    Args:
        omega: The factors, `(D, n)`, D at least 2.
        out: The effective weights, `(n,)`.

    Example:
        >>> weights = torch.empty(2)
        >>> multiply(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), weights)
        >>> weights.tolist()
        [15.0, 48.0]
    """
    torch.mul(omega[0], omega[1], out=out)
    for factor in omega[2:]:
        out.mul_(factor)


def exclusive_products(omega: Tensor, g: Tensor, out: Tensor) -> None:
    """Writes g ⊙ Π_{k≠d} omega[k], the gradient of factor d, to out[d].

    One pass multiplies the preceding factors and one the following, so that no division is needed and
    factors may be 0.

    Args:
        omega: The factors, `(D, n)`.
        g: The gradient of the product, `(n,)`.
        out: The gradients of the factors, `(D, n)`.

    Example:
        >>> slopes = torch.empty(3, 1)
        >>> exclusive_products(torch.tensor([[2.0], [3.0], [0.0]]), torch.tensor([1.0]), slopes)
        >>> slopes.flatten().tolist()
        [0.0, 0.0, 6.0]
    """
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
    """Returns the tensor's strides where they cover its memory without gaps, else contiguous ones."""
    by_stride = sorted(zip(w.stride(), w.shape, strict=True))
    expected = 1
    for stride, size in by_stride:
        if size != 1 and stride != expected:
            return torch.empty(w.shape, device="meta").stride()
        expected *= size
    return w.stride()


class Elementwise:
    """The storage w = compose(parameters) for any differentiable map, by layer, through autograd.

    Args:
        weights: The model's prunable parameters by name.
        compose: Maps one layer's parameters, by keyword, to its effective weight.
        start: Returns each parameter's initial value from the layer's dense weight, by the parameter's key.
        names: The layers that are stored so; the optimizer owns the weights of the others. None: all layers.

    Example:
        >>> w = nn.Parameter(torch.tensor([9.0]))
        >>> storage = Elementwise({"w": w}, lambda u: u**2, {"u": torch.sqrt})
        >>> w.grad = torch.ones(1)
        >>> storage.pull()
        >>> storage.of("w")["u"].item(), storage.of("w")["u"].grad.item()  # u = √9, ∂u²/∂u = 2u
        (3.0, 6.0)
    """

    def __init__(
        self,
        weights: Weights,
        compose: Callable[..., Tensor],
        start: Mapping[str, Callable[[Tensor], Tensor]],
        names: Sequence[str] | None = None,
    ) -> None:
        self.weights = {name: w for name, w in weights.items() if names is None or name in names}
        self.plain = Plain({name: w for name, w in weights.items() if name not in self.weights})
        self.compose = compose
        self.owned = {
            key: {name: nn.Parameter(make(w.detach()).clone()) for name, w in self.weights.items()}
            for key, make in start.items()
        }
        self.composed: list[Tensor] = []
        self.push()

    def params(self) -> list[Tensor]:
        return [p for layers in self.owned.values() for p in layers.values()] + self.plain.params()

    def of(self, name: str) -> dict[str, Tensor]:
        """Returns the parameters of one layer by key."""
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
        if name in self.plain.weights:
            yield from self.plain.slots(name)
            return
        for layers in self.owned.values():
            if layers[name].shape == self.weights[name].shape:
                yield layers[name], lambda buffer: buffer
