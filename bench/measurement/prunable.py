"""The prunable set P of a model: the parameters that a method may prune, and their share of all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from ...errors import SparsebenchError, suggest
from .forward import Products

LAYERS = (
    nn.Linear,
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
LEAST_SHARE = 0.9  # of the parameters; where P is less of the model, a warning says what is outside it
SHOWN = 3


@dataclass(frozen=True)
class PrunableSet:
    """The prunable set P of a model.

    Attributes:
        names: The parameters' names, in the model's order.
        share: |P| / all parameters of the model.
        left_out: Size of each parameter outside P by name, the largest first.
        size: |P|.

    Example:
        >>> from sparsebench.bench.measurement.forward import products
        >>> found = prunable_set(model, products(model, (1, 8, 8)))
        >>> found.names, round(found.share, 4), next(iter(found.left_out.items()))
        (['1.weight', '3.weight', '5.weight'], 0.9919, ('1.bias', 300))
    """

    names: list[str]
    share: float
    left_out: dict[str, int]
    size: int

    @property
    def warning(self) -> str | None:
        """The sentence for a P that is less than 90 % of the parameters, with the largest outside it."""
        if self.share >= LEAST_SHARE:
            return None
        largest = [f"{name} ({size:,})" for name, size in list(self.left_out.items())[:SHOWN]]
        more = ", …" if len(self.left_out) > SHOWN else ""
        return (
            f"only {100 * self.share:.2g} % of the model's parameters are prunable, and compression counts "
            f"these alone (total_compression counts all); outside are {', '.join(largest)}{more}"
        )


def prunable_weights(model: nn.Module, forward: Products, keep_dense: Iterable[str] = ()) -> list[str]:
    """Returns the names of the prunable set P: the weights that the model's layers apply as they are stored.

    A layer's weight is the matrix or kernel that an operator of linear, convolutional (transposed too),
    recurrent or attention layers takes as its weight; a weight of a Linear or Conv module is one also where
    the forward pass multiplies by it otherwise, or does not reach it. Biases, norms, position tables and
    embeddings are none, except an embedding that is the output layer's weight too. A weight that several
    layers share is listed once, under its first name.

    Args:
        model: Any model.
        forward: Its forward pass, from `products`.
        keep_dense: Layers (not their weights) that P leaves out: names, or patterns such as `blocks.0.*`.

    Returns:
        Parameter names in the model's order.

    Raises:
        SparsebenchError: `keep_dense` names a layer that the model does not have, or a layer that it does not
            name applies a weight that is computed from the stored one and has other zeros.

    Example:
        >>> from sparsebench.bench.measurement.forward import products
        >>> forward = products(model, (1, 8, 8))
        >>> prunable_weights(model, forward)
        ['1.weight', '3.weight', '5.weight']
        >>> prunable_weights(model, forward, keep_dense=["5"])
        ['1.weight', '3.weight']
    """
    by_class = _weights_of_layers(model)
    by_layer = [p for p in forward.all if p.in_layer or p.weight in by_class]
    applied = {p.weight for p in by_layer if p.weight and p.as_stored}
    computed = {p.weight for p in by_layer if p.weight and not p.as_stored}
    candidates = {name for name in by_class if name not in forward.read} | applied | computed
    dense = _kept_dense(model, candidates, keep_dense)
    ordered = [name for name, _ in model.named_parameters() if name in candidates and name not in dense]
    refused = [name for name in ordered if name in computed]
    if refused:
        raise SparsebenchError(_refusal(model, refused, ordered))
    return ordered


def prunable_set(model: nn.Module, forward: Products, keep_dense: Iterable[str] = ()) -> PrunableSet:
    """Returns the prunable set P with its share of the model's parameters.

    Args:
        model: Any model.
        forward: Its forward pass, from `products`.
        keep_dense: Layers that P leaves out, as in `prunable_weights`.

    Returns:
        The set; a warning goes with it where it is less than 90 % of the parameters.

    Raises:
        SparsebenchError: As in `prunable_weights`.

    Example:
        >>> prunable_set(nn.Bilinear(2, 2, 1), Products([], frozenset())).names
        []
    """
    names = prunable_weights(model, forward, keep_dense)
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    outside = sorted((name for name in sizes if name not in set(names)), key=lambda name: -sizes[name])
    size = sum(sizes[name] for name in names)
    share = size / max(1, sum(sizes.values()))
    return PrunableSet(names, share, {name: sizes[name] for name in outside}, size)


def _weights_of_layers(model: nn.Module) -> set[str]:
    """Returns the weights of Linear and Conv modules, each under the parameter's first name."""
    first = {id(p): name for name, p in model.named_parameters()}
    weights = (m._parameters.get("weight") for m in model.modules() if isinstance(m, LAYERS))
    return {first[id(weight)] for weight in weights if weight is not None}


def _layers(model: nn.Module, candidates: Iterable[str]) -> dict[str, set[str]]:
    """Returns the candidates of each layer; that of a parametrized weight is the module parametrized."""
    first, candidates = {id(p): name for name, p in model.named_parameters()}, set(candidates)
    found: dict[str, set[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        names = {first[id(p)] for p in module._parameters.values() if p is not None} & candidates
        if names:
            found.setdefault(f".{path}".split(".parametrizations.")[0][1:], set()).update(names)
    return found


def _kept_dense(model: nn.Module, candidates: Iterable[str], keep_dense: Iterable[str]) -> set[str]:
    """Returns the candidates of the layers that `keep_dense` names; raises where it names none."""
    layers, dense = _layers(model, candidates), set[str]()
    for pattern in keep_dense:
        named = [layer for layer in layers if layer == pattern or fnmatchcase(layer, pattern)]
        if not named:
            raise SparsebenchError(
                f"keep_dense: the model has no layer {pattern!r}; {suggest(pattern, layers)}"
            )
        dense.update(*(layers[layer] for layer in named))
    return dense


def _refusal(model: nn.Module, refused: list[str], ordered: list[str]) -> str:
    """Returns the sentence on layers whose applied weight is computed, with the option to leave them out."""
    layers = _layers(model, ordered)
    bad = [layer for layer, names in layers.items() if names & set(refused)]
    sizes: Mapping[str, int] = {name: p.numel() for name, p in model.named_parameters()}
    share = sum(sizes[name] for name in refused) / sum(sizes[name] for name in ordered)
    options = " ".join(f"--keep-dense {pattern!r}" for pattern in _patterns(bad, list(layers)))
    return (
        f"{len(bad)} of {len(layers)} layers of the model, such as {bad[0]!r}, with {100 * share:.0f} % of "
        "the weights, multiply by a weight that is computed from the stored one (standardised or masked, for "
        "example): its zeros are not those stored, which are pruned and counted; take another model, or "
        f"leave these layers out: {options}"
    )


def _patterns(bad: list[str], layers: list[str]) -> list[str]:
    """Returns few patterns that match the bad layers and no other one."""
    found: list[str] = []
    good = [layer for layer in layers if layer not in bad]
    for layer in bad:
        parts = layer.split(".")
        prefixes = [".".join(parts[:depth]) + ".*" for depth in range(1, len(parts))]
        safe = (p for p in prefixes if not any(fnmatchcase(other, p) for other in good))
        pattern = next(safe, layer)
        if pattern not in found:
            found.append(pattern)
    return found
