"""Initialisation of the factors of w = ω₁⊙…⊙ω_D, and their misalignment."""

import math

import torch
from torch import Tensor

from ..errors import SparsebenchError


def layer_sigma(w: Tensor) -> float:
    """Returns the standard deviation σ_w of a layer's dense initialisation.

    Args:
        w: The fresh weight, `(out, in, *k)`.

    Returns:
        The standard deviation of the entries, or |w| of a single one; Kaiming's √(2/fan_in) where that is 0
        or not finite.

    Example:
        >>> layer_sigma(torch.tensor([[1.0, 2.0, 3.0]])), layer_sigma(torch.zeros(4, 8))
        (1.0, 0.5)
    """
    sigma = float(w.double().std()) if w.numel() > 1 else abs(float(w))
    if sigma > 0 and math.isfinite(sigma):
        return sigma
    fan_in = max(1, w[0].numel())
    return math.sqrt(2 / fan_in)


def algorithm_d1(w: Tensor, depth: int, eps_ratio: float, generator: torch.Generator) -> Tensor:
    """Returns initial factors by Algorithm D.1 of Kolb et al. (arXiv:2502.02496).

    With σ the layer's dense standard deviation and eps = eps_ratio·σ, each entry is drawn from N(0, σ^(2/D))
    conditioned on eps^(1/D) < |x| < min(1, (2σ)^(1/D)), so that eps < |Πω_d| < 2σ. The inverse of the
    normal distribution function samples it exactly, without rejection.

    Args:
        w: The layer's fresh dense weight, of which σ, shape and device are used.
        depth: D, the number of factors.
        eps_ratio: The smallest initial |Πω_d|, as a multiple of σ.
        generator: The source of the draws, on the CPU.

    Returns:
        The factors, `(depth, *w.shape)`, in float32.

    Raises:
        SparsebenchError: eps < min(1, 2σ) does not hold, so that no such entry exists.

    Example:
        >>> w = torch.tensor([[1.0, 2.0, 3.0]]) / 10  # σ = 0.1
        >>> omega = algorithm_d1(w, 3, 0.1, torch.Generator().manual_seed(0))
        >>> product = omega.prod(dim=0).abs()
        >>> tuple(omega.shape), bool((product > 0.01).all() and (product < 0.2).all())
        ((3, 1, 3), True)
    """
    sigma = layer_sigma(w)
    eps = eps_ratio * sigma
    if not eps < min(1.0, 2 * sigma):
        raise SparsebenchError(
            f"eps = {eps:g} ({eps_ratio:g} of the layer's σ_w = {sigma:g}) is not less than "
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
    """Returns the misalignment of factors, M = (1/D)·Σ_d‖ω_d‖² − Σ|w|^(2/D) ≥ 0.

    Args:
        omega: The factors, `(D, n)`, of n weights w = Π_d ω_d.

    Returns:
        M, in float64; zero iff every weight's factors have equal magnitudes.

    Example:
        >>> misalignment(torch.tensor([[4.0], [1.0]]))  # (16 + 1)/2 - |4|
        4.5
        >>> misalignment(torch.tensor([[2.0], [-2.0]]))
        0.0
    """
    depth = omega.shape[0]
    w = omega.detach().double().prod(dim=0)
    return float(omega.detach().double().square().sum() / depth - w.abs().pow(2 / depth).sum())
