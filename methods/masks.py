"""Choosing which weights live: exact-count top-k, global and layerwise, and layer densities."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .api import Diverged, keep_count

Scores = Mapping[str, Tensor]


def top(scores: Tensor, keep: int) -> Tensor:
    """True at the `keep` largest scores, exactly that many: ties go to the lower index.

    A comparison with a threshold would keep all of a tie. Errors: scores that are not numbers.
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
    """The number at a place of the ascending order, from 0, and whether all of them are numbers.

    On a CPU NumPy's vectorised sort of everything takes a fraction of the time of torch's selection.
    """
    if flat.device.type == "cpu":
        ordered = flat.numpy().copy()
        ordered.sort()  # what is no number comes last
        return float(ordered[place]), not math.isnan(ordered[-1])
    return flat.kthvalue(place + 1).values, not bool(flat.isnan().any())


def global_top(scores: Scores, keep: int) -> dict[str, Tensor]:
    """One ranking over all layers: the `keep` largest scores of the whole net."""
    flat = top(torch.cat([s.detach().reshape(-1) for s in scores.values()]), keep)
    masks, start = {}, 0
    for name, score in scores.items():
        masks[name] = flat[start : start + score.numel()].reshape(score.shape)
        start += score.numel()
    return masks


def layerwise_top(scores: Scores, keeps: Mapping[str, int]) -> dict[str, Tensor]:
    """A ranking of its own in each layer, with that layer's count."""
    return {name: top(score, keeps[name]) for name, score in scores.items()}


def scoped_top(scores: Scores, sparsity: float, scope: str) -> dict[str, Tensor]:
    """Top weights at a sparsity, ranked over the net ("global") or at equal density ("layerwise")."""
    keep = keep_count(sparsity, sum(s.numel() for s in scores.values()))
    if scope == "global":
        return global_top(scores, keep)
    sizes = [s.numel() for s in scores.values()]
    return layerwise_top(
        scores, counts(dict.fromkeys(scores, 1 - sparsity), dict(zip(scores, sizes, strict=True)), keep)
    )


def counts(densities: Mapping[str, float], sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """Whole numbers near density·size that sum to `total` exactly (largest remainders first)."""
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
    """The same density in every layer."""
    return dict.fromkeys(shapes, density)


def erk_densities(shapes: Mapping[str, Sequence[int]], density: float) -> dict[str, float]:
    """Erdős–Rényi kernel: density_l = ε·Σ(shape_l)/Π(shape_l), ε solved for the total (arXiv:1911.11134).

    A layer that would pass 1 becomes dense and ε is solved again over the rest, so the total is met.
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
    """Masks drawn at random with the exact total, at the densities of a distribution ("erk", "uniform")."""
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    densities = DISTRIBUTIONS[distribution](shapes, 1 - sparsity)
    keeps = counts(densities, sizes, keep_count(sparsity, sum(sizes.values())))
    scores = {
        name: torch.rand(tuple(shape), generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }
    return layerwise_top(scores, keeps)
