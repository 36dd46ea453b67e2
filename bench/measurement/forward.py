"""One forward pass, watched: its products, and whether each weight is applied as it is stored.

A module's class does not say what its forward pass does with its weight. Some standardise the kernel, some
normalise it, some scale it or mix several. So the pass is run once, and the operands of its products are
followed back to the parameters:

    parameter ──views──────────────────▶ operand   applied as stored
    parameter ──other operators────────▶ operand   computed: are the stored zeros zeros of the operand?
    image, activations ────────────────▶ operand   no weight

A computed operand is tried: the weight behind it takes random values, half of them zero, then the other half.
An operand whose zeros are those of its weight (cast, scaled, normalised by its norm, padded, permuted) has no
element that is nonzero both times, and each value of the weight makes one nonzero at one of them; a mask or a
ReLU, under which values are stored that are not applied, loses some.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from .eval_mode import eval_mode
from .operators import CONTRACTIONS, Contraction

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Product:
    """Multiply-accumulates of a forward pass with one weight, or with none.

    Attributes:
        macs: How many there are, for one image.
        weight: The parameter behind the operand; None for a product of activations, or with a kernel that is
            generated rather than stored.
        as_stored: Whether the zeros of what is applied are those of the stored weight.
        in_layer: Whether a layer's operator (linear, convolution, recurrent) takes the operand as its weight.

    Example:
        >>> products(nn.Linear(4, 2), (4,)).all
        [Product(macs=8, weight='weight', as_stored=True, in_layer=True)]
    """

    macs: int
    weight: str | None = None
    as_stored: bool = False
    in_layer: bool = False


@dataclass(frozen=True)
class Products:
    """The products of a forward pass.

    Attributes:
        all: The products in the order of the pass; one operator's call may be several.
        read: The parameters that any operator read.

    Example:
        >>> tied = nn.Linear(3, 3)
        >>> [product.macs for product in products(nn.Sequential(tied, nn.ReLU(), tied), (3,)).all]
        [9, 9]
    """

    all: list[Product]
    read: frozenset[str]


class _Origin(NamedTuple):
    """What a tensor was computed from: the image or not, and which matrices and kernels."""

    live: bool
    names: frozenset[str]
    stored: bool = False  # part of a parameter's own memory


_CONSTANT = _Origin(False, frozenset())


class _Use(NamedTuple):
    """An operand that comes from parameters, or none, in one contraction."""

    contraction: Contraction
    origin: _Origin
    numel: int


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows what each tensor comes from, and notes the weight operand of each contraction.

    Tensors are known by their storage: a new storage overwrites what an earlier one at its place was. In
    inference mode composite operators arrive whole; those that are no contraction are decomposed.
    """

    def __init__(self, model: nn.Module, image: Tensor, keep_supports: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.uses: list[_Use] = []
        self.supports: list[Tensor] | None = [] if keep_supports else None
        self.read: set[str] = set()
        self._own: dict[int, list[tuple[int, int, str, bool]]] = {}
        for name, p in model.named_parameters():
            span = (p.data_ptr(), p.data_ptr() + p.nbytes, name, p.ndim > 1)
            self._own.setdefault(p.untyped_storage()._cdata, []).append(span)
        self._origins = {image.untyped_storage()._cdata: _Origin(True, frozenset())}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        count = CONTRACTIONS.get(func)
        if count is None and func is not torch.ops.prim.device.default:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        origins = {t.untyped_storage()._cdata: self._origin(t) for t in _tensors((args, kwargs))}
        live = any(origin.live for origin in origins.values())
        if count is None:
            names = frozenset().union(*(origin.names for origin in origins.values()))
        else:
            names = frozenset()  # a product of weights is a product of its own, and no weight
            for contraction in count(args, result):
                self._note(contraction)
        for t in _tensors((result,)):
            storage = t.untyped_storage()._cdata
            if storage not in self._own and (storage not in origins or func._schema.is_mutable):
                self._origins[storage] = _Origin(live, names)
        return result

    def _origin(self, t: Tensor) -> _Origin:
        storage = t.untyped_storage()._cdata
        for start, end, name, is_matrix in self._own.get(storage, ()):
            if start <= t.data_ptr() < end:
                self.read.add(name)
                return _Origin(False, frozenset([name]) if is_matrix else frozenset(), stored=True)
        return self._origins.get(storage, _CONSTANT)

    def _note(self, contraction: Contraction) -> None:
        """Notes a contraction with the operand that is its weight."""
        for operand in contraction.operands:
            origin = self._origin(operand)
            if origin.names and (contraction.is_layer or not origin.live):
                self.uses.append(_Use(contraction._replace(operands=()), origin, operand.numel()))
                if self.supports is not None and not origin.stored:
                    self.supports.append(operand.nan_to_num(0.0, 0.0, 0.0) != 0)
                return
        self.uses.append(_Use(contraction._replace(operands=()), _CONSTANT, 0))


def _tensors(values: Any) -> Iterator[Tensor]:
    """Yields the tensors in nested lists, tuples and dictionaries that have a storage."""
    for value in values.values() if isinstance(values, Mapping) else values:
        if isinstance(value, Tensor):
            if value.layout == torch.strided:
                yield value
        elif isinstance(value, (list, tuple, Mapping)):
            yield from _tensors(value)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Puts the model into eval mode for a while, with attention in operators that can be seen."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with eval_mode(model):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def products(model: nn.Module, shape: tuple[int, ...], device: torch.device = CPU) -> Products:
    """Returns the products of one forward pass, in eval mode, over one all-zero image.

    Args:
        model: The model, on `device`, each parameter in memory of its own; it is the same afterwards.
        shape: The shape of an image, without that of the batch.
        device: Where the image is put.

    Returns:
        The products, and the parameters that were read.

    Example:
        >>> scaled = nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))  # w = g · v / ‖v‖
        >>> [(p.weight, p.as_stored) for p in products(scaled, (4,)).all]
        [('parametrizations.weight.original1', True)]
    """
    image = torch.zeros(1, *shape, device=device)
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    with _evaluating(model):
        watch = _watched(model, image)
        behind = [_weights_behind(use.origin.names, use.numel, sizes) for use in watch.uses]
        computed = [i for i, use in enumerate(watch.uses) if use.origin.names and not use.origin.stored]
        kept = dict(zip(computed, _same_zeros(model, image, watch, behind), strict=True)) if computed else {}
    found: list[Product] = []
    for i, use in enumerate(watch.uses):
        stored = kept.get(i, use.origin.stored)
        found += _products_of(use, behind[i] if stored or not use.origin.live else [], stored, sizes)
    return Products(found, frozenset(watch.read))


def _watched(model: nn.Module, image: Tensor, keep_supports: bool = False) -> _Watch:
    watch = _Watch(model, image, keep_supports)
    with torch.inference_mode(), watch:
        model(image)
    return watch


def _products_of(
    use: _Use, weights: Sequence[str], stored: bool, sizes: Mapping[str, int]
) -> Iterator[Product]:
    """Yields one product for each weight behind an operand, such as three where three were concatenated."""
    macs, rest, total = use.contraction.macs, use.contraction.macs, sum(sizes[name] for name in weights)
    if not weights:
        yield Product(macs)
    for name in weights:
        share = rest if name == weights[-1] else macs * sizes[name] // total
        rest -= share
        yield Product(share, name, stored, use.contraction.is_layer)


def _weights_behind(names: frozenset[str], numel: int, sizes: Mapping[str, int]) -> list[str]:
    """Returns the parameters that an operand of `numel` elements holds: the largest that fit into it.

    The rest are gains and offsets. None are returned where they are too few for it: a generated kernel.
    """
    if len(names) == 1 and sizes[next(iter(names))] >= numel:
        return list(names)
    found: list[str] = []
    for name in sorted(names, key=lambda name: (-sizes[name], name)):
        if sizes[name] <= numel - sum(map(sizes.__getitem__, found)):
            found.append(name)
    return found if 2 * sum(map(sizes.__getitem__, found)) >= numel else []


def _same_zeros(
    model: nn.Module, image: Tensor, watch: _Watch, behind: Sequence[Sequence[str]]
) -> list[bool]:
    """Returns for each computed operand of a pass whether its zeros are those of the weights behind it.

    Whatever else it is computed from, such as a gain or a gate of the image, takes values without a zero.
    """
    computed = [i for i, use in enumerate(watch.uses) if use.origin.names and not use.origin.stored]
    weights = set().union(*(behind[i] for i in computed))
    names = sorted(set().union(*(watch.uses[i].origin.names for i in computed)))
    parameters = dict(model.named_parameters())
    originals = {name: parameters[name].detach().clone() for name in names}
    generator = torch.Generator().manual_seed(0)
    drawn = {name: torch.randn(original.shape, generator=generator) for name, original in originals.items()}
    seen = torch.rand(image.shape, generator=generator).to(image)
    kept = {name: torch.rand(drawn[name].shape, generator=generator) < 0.5 for name in sorted(weights)}
    supports = []
    try:
        for half in (True, False):
            for name, values in drawn.items():
                parameters[name].detach().copy_(values * (kept[name] == half) if name in weights else values)
            supports.append(_watched(model, seen, keep_supports=True).supports or [])
    finally:
        for name, original in originals.items():
            parameters[name].detach().copy_(original)
    first, second = supports
    if not len(first) == len(second) == len(computed):
        return [False] * len(computed)  # the pass depends on values: nothing is known of these operands
    sizes = [sum(originals[name].numel() for name in behind[i]) for i in computed]
    return [_is_apart(a, b, size) for a, b, size in zip(first, second, sizes, strict=True)]


def _is_apart(first: Tensor, second: Tensor, size: int) -> bool:
    """Returns whether no element is nonzero both times and, if it holds all `size` values, each is once."""
    return not bool((first & second).any()) and (
        first.numel() < size or int(first.count_nonzero() + second.count_nonzero()) >= size
    )
