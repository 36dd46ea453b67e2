"""Initial factors for w = ω₁⊙…⊙ω_D, and what the factors tell."""

import math

import torch
from torch import Tensor

from ..errors import SparsebenchError


def layer_sigma(w: Tensor) -> float:
    """Standard deviation of the layer's own dense initialisation; Kaiming's √(2/fan_in) where it is 0."""
    sigma = float(w.double().std()) if w.numel() > 1 else abs(float(w))
    if sigma > 0 and math.isfinite(sigma):
        return sigma
    fan_in = max(1, w[0].numel())
    return math.sqrt(2 / fan_in)


def algorithm_d1(w: Tensor, depth: int, eps_ratio: float, generator: torch.Generator) -> Tensor:
    """Algorithm D.1 of Kolb et al. (arXiv:2502.02496): factors of shape `(depth, *w.shape)`.

    With σ the layer's dense standard deviation and eps = eps_ratio·σ, each entry is drawn from N(0, σ^(2/D))
    conditioned on eps^(1/D) < |x| < min(1, (2σ)^(1/D)), so that eps < |Πω_d| < 2σ. The inverse of the
    normal distribution function makes it exact; nothing is rejected.

    Errors: `SparsebenchError` where eps < min(1, 2σ) does not hold, so that no such entry exists.
    """
    sigma = layer_sigma(w)
    eps = eps_ratio * sigma
    if not eps < min(1.0, 2 * sigma):
        raise SparsebenchError(
            f"eps = {eps:g} ({eps_ratio:g} of the layer's σ_w = {sigma:g}) leaves no room below "
            f"min(1, 2σ_w) = {min(1.0, 2 * sigma):g}; choose a smaller eps"
        )
    scale = sigma ** (1 / depth)
    low, high = eps ** (1 / depth), min(1.0, (2 * sigma) ** (1 / depth))
    a, b = (math.erf(bound / (scale * math.sqrt(2))) for bound in (low, high))
    shape = (depth, *w.shape)
    uniform = torch.rand(shape, dtype=torch.float64, generator=generator)
    magnitude = torch.erfinv(a + (b - a) * uniform).mul_(scale * math.sqrt(2)).clamp_(low, high)
    sign = torch.randint(0, 2, shape, generator=generator, dtype=torch.int8) * 2 - 1
    return (magnitude * sign).to(dtype=torch.float32, device=w.device)


def misalignment(omega: Tensor) -> float:
    """M = (1/D)·Σ_d‖ω_d‖² − Σ|w|^(2/D) ≥ 0, zero iff every weight's factors have equal magnitudes."""
    depth = omega.shape[0]
    w = omega.detach().double().prod(dim=0)
    return float(omega.detach().double().square().sum() / depth - w.abs().pow(2 / depth).sum())
