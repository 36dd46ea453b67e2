"""Masks: exact-count top-k selection of weights, global and layerwise, and the densities of layers."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .api import Diverged, keep_count

Scores = Mapping[str, Tensor]


def top(scores: Tensor, keep: int) -> Tensor:
    """Returns a mask that is True at the `keep` largest scores, at exactly that many.

    A comparison with a threshold would select all equal scores; here the lower index comes first.

    Args:
        scores: One score per weight, in any shape.
        keep: The number of weights to select; limited to 0 and the number of scores.

    Returns:
        A boolean mask of the scores' shape.

    Raises:
        Diverged: A score is NaN.

    Example:
        >>> top(torch.tensor([[1.0, 3.0], [3.0, 3.0]]), keep=2).tolist()
        [[False, True], [True, False]]
    """
    flat = scores.detach().reshape(-1)
    size = flat.numel()
    keep = min(max(keep, 0), size)
    least, number = _ranked(flat, min(size - keep, size - 1))
    if not number:
        raise Diverged("the scores that should rank the weights are not numbers: training diverged")
    if keep in (0, size):
        return torch.full_like(scores, keep > 0, dtype=torch.bool)
    mask = flat > least
    ties = (flat == least).nonzero().squeeze(1)[: keep - int(mask.count_nonzero())]
    mask[ties] = True
    return mask.reshape(scores.shape)


def _ranked(flat: Tensor, place: int) -> tuple[Tensor | float, bool]:
    """Returns the value at a place of the ascending order, from 0, and whether no value is NaN.

    On a CPU NumPy's vectorised full sort takes a fraction of the time of torch's selection.
    """
    if flat.device.type == "cpu":
        ordered = flat.numpy().copy()
        ordered.sort()  # NaN is sorted to the end
        return float(ordered[place]), not math.isnan(ordered[-1])
    return flat.kthvalue(place + 1).values, not bool(flat.isnan().any())


def global_top(scores: Scores, keep: int) -> dict[str, Tensor]:
    """Returns masks of the `keep` largest scores of the whole net, in one ranking over all layers.

    Args:
        scores: The scores by layer.
        keep: The number of weights to select in the net; a layer may end up empty.

    Returns:
        A boolean mask for each layer.

    Example:
        >>> scores = {"a": torch.tensor([4.0, 3.0]), "b": torch.tensor([2.0, 1.0])}
        >>> {name: mask.tolist() for name, mask in global_top(scores, keep=2).items()}
        {'a': [True, True], 'b': [False, False]}
    """
    flat = top(torch.cat([s.detach().reshape(-1) for s in scores.values()]), keep)
    masks, start = {}, 0
    for name, score in scores.items():
        masks[name] = flat[start : start + score.numel()].reshape(score.shape)
        start += score.numel()
    return masks


def layerwise_top(scores: Scores, keeps: Mapping[str, int]) -> dict[str, Tensor]:
    """Returns masks of the largest scores of each layer, in one ranking per layer.

    Args:
        scores: The scores by layer.
        keeps: The number of weights to select in each layer.

    Returns:
        A boolean mask for each layer.

    Example:
        >>> scores = {"a": torch.tensor([4.0, 3.0]), "b": torch.tensor([2.0, 1.0])}
        >>> {name: mask.tolist() for name, mask in layerwise_top(scores, {"a": 1, "b": 1}).items()}
        {'a': [True, False], 'b': [True, False]}
    """
    return {name: top(score, keeps[name]) for name, score in scores.items()}


def scoped_top(scores: Scores, sparsity: float, scope: str) -> dict[str, Tensor]:
    """Returns masks of the largest scores at a sparsity, with one ranking over the net or one per layer.

    Args:
        scores: The scores by layer.
        sparsity: The fraction of zeros over all layers together; the number of nonzeros is `keep_count`'s.
        scope: "global" ranks over the net, anything else ("layerwise") within layers of equal density.

    Returns:
        A boolean mask for each layer.

    Example:
        >>> scores = {"a": torch.tensor([4.0, 3.0]), "b": torch.tensor([2.0, 1.0])}
        >>> [int(mask.sum()) for mask in scoped_top(scores, 0.5, "global").values()]
        [2, 0]
        >>> [int(mask.sum()) for mask in scoped_top(scores, 0.5, "layerwise").values()]
        [1, 1]
    """
    keep = keep_count(sparsity, sum(s.numel() for s in scores.values()))
    if scope == "global":
        return global_top(scores, keep)
    sizes = [s.numel() for s in scores.values()]
    return layerwise_top(
        scores, counts(dict.fromkeys(scores, 1 - sparsity), dict(zip(scores, sizes, strict=True)), keep)
    )


def counts(densities: Mapping[str, float], sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """Returns whole numbers of nonzeros near density·size that sum to `total` (largest remainders first).

    Args:
        densities: The fraction of nonzeros by layer; above 1 counts as 1.
        sizes: The number of weights by layer.
        total: The number of nonzeros of the net.

    Returns:
        The number of nonzeros by layer. Its sum differs from `total` only where that exceeds all weights.

    Example:
        >>> counts({"a": 0.5, "b": 0.5, "c": 0.5}, {"a": 3, "b": 3, "c": 4}, total=5)
        {'a': 2, 'b': 1, 'c': 2}
    """
    exact = {name: min(1.0, densities[name]) * sizes[name] for name in sizes}
    whole = {name: math.floor(value + 1e-9) for name, value in exact.items()}
    order = sorted(sizes, key=lambda name: whole[name] - exact[name])
    missing = total - sum(whole.values())
    while missing:
        step = 1 if missing > 0 else -1
        movable = [n for n in (order if step > 0 else order[::-1]) if 0 <= whole[n] + step <= sizes[n]]
        if not movable:
            break
        for name in movable[: abs(missing)]:
            whole[name] += step
        missing = total - sum(whole.values())
    return whole


def uniform_densities(shapes: Mapping[str, Sequence[int]], density: float) -> dict[str, float]:
    """Returns the same density for every layer.

    Args:
        shapes: The shapes of the weights, by name.
        density: The fraction of nonzeros of each layer.

    Returns:
        The density of each layer, by name.

    Example:
        >>> uniform_densities({"fc1": (300, 784), "fc2": (10, 300)}, 0.1)
        {'fc1': 0.1, 'fc2': 0.1}
    """
    return dict.fromkeys(shapes, density)


def erk_densities(shapes: Mapping[str, Sequence[int]], density: float) -> dict[str, float]:
    """Returns Erdős–Rényi kernel densities ε·Σ(shape)/Π(shape), ε solved for the total (arXiv:1911.11134).

    A layer that would exceed 1 becomes dense, and ε is solved again over the rest, so the total is met.

    Args:
        shapes: The shape of each layer's weight, `(out, in, *k)`.
        density: The fraction of nonzeros over all layers together.

    Returns:
        The fraction of nonzeros by layer; larger layers are sparser.

    Example:
        >>> found = erk_densities({"wide": (100, 100), "narrow": (10, 10)}, density=0.11)
        >>> {name: round(value, 4) for name, value in found.items()}
        {'wide': 0.1011, 'narrow': 1.0}
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    total = density * sum(sizes.values())
    dense: set[str] = set()
    while True:
        rest = [name for name in shapes if name not in dense]
        budget = total - sum(sizes[name] for name in dense)
        if not rest or budget <= 0:
            break
        epsilon = budget / sum(sum(shapes[name]) for name in rest)
        raw = {name: epsilon * sum(shapes[name]) / sizes[name] for name in rest}
        over = {name for name, value in raw.items() if value > 1}
        if not over:
            return {name: 1.0 if name in dense else raw[name] for name in shapes}
        dense |= over
    return {name: 1.0 if name in dense else 0.0 for name in shapes}


DISTRIBUTIONS = {"erk": erk_densities, "uniform": uniform_densities}


def random_masks(
    shapes: Mapping[str, Sequence[int]], sparsity: float, distribution: str, generator: torch.Generator
) -> dict[str, Tensor]:
    """Returns random masks with the exact total, at the layer densities of a distribution.

    Args:
        shapes: The shape of each layer's weight.
        sparsity: The fraction of zeros over all layers together.
        distribution: "erk" (`erk_densities`) or "uniform", the same density in every layer.
        generator: The source of the random scores whose largest are selected.

    Returns:
        A boolean mask for each layer.

    Example:
        >>> shapes = {"a": (4, 10), "b": (2, 5)}
        >>> masks = random_masks(shapes, 0.8, "uniform", torch.Generator().manual_seed(0))
        >>> {name: int(mask.sum()) for name, mask in masks.items()}
        {'a': 8, 'b': 2}
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    densities = DISTRIBUTIONS[distribution](shapes, 1 - sparsity)
    keeps = counts(densities, sizes, keep_count(sparsity, sum(sizes.values())))
    scores = {
        name: torch.rand(tuple(shape), generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }
    return layerwise_top(scores, keeps)
