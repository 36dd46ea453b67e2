"""Multiply-accumulates of a forward pass, and the theoretical speed-up that zeros give."""

from collections.abc import Mapping

import torch
from torch import nn

from .compression import ratio
from .forward import CPU, Products, products

WITHOUT_WEIGHT = "products without a weight"


def by_weight(forward: Products) -> dict[str, int]:
    """Returns the multiply-accumulates of a forward pass by the weight that they multiply by.

    Linear: in·out for each position it is applied to; Conv: (C_in/groups)·C_out·k·H_out·W_out; a recurrent
    matrix: its size for each step; attention: queries with keys, and their softmax with values.

    Args:
        forward: The pass, from `products`.

    Returns:
        Multiply-accumulates by parameter name; a weight that is applied several times has the sum, one that
        the pass does not reach is missing. Products of activations, and those with a weight that is not
        applied as stored, are together under `WITHOUT_WEIGHT`: zeros of weights save none of them.

    Example:
        >>> by_weight(products(nn.Conv2d(1, 2, 3), (1, 8, 8)))  # 1·2·9 weights at 6·6 positions
        {'weight': 648}
    """
    found: dict[str, int] = {}
    for product in forward.all:
        name = product.weight if product.weight and product.as_stored else WITHOUT_WEIGHT
        found[name] = found.get(name, 0) + product.macs
    return found


def macs(model: nn.Module, shape: tuple[int, ...], device: torch.device = CPU) -> dict[str, int]:
    """Returns the multiply-accumulates of a model for one image, by the weight that they multiply by.

    Args:
        model: The model, on `device`; it is the same afterwards.
        shape: (C, H, W) of an image.
        device: Where the image is put.

    Returns:
        Multiply-accumulates by parameter name, as by `by_weight`.

    Example:
        >>> macs(nn.Linear(3, 2), (5, 3))  # at five positions
        {'weight': 30}
    """
    return by_weight(products(model, shape, device))


def speedup(cost: Mapping[str, int], density: Mapping[str, float]) -> float:
    """Returns the theoretical speed-up: ΣMAC / Σ MAC·density over all products of a pass.

    Args:
        cost: Multiply-accumulates of the dense model by parameter name, from `macs`.
        density: Fraction of nonzero weights by parameter name; what is missing counts as dense (density 1),
            such as a layer that `keep_dense` names and the products of attention.

    Returns:
        The ratio; 1 for a dense model. It bounds what skipping zeros could save, no time is measured.

    Example:
        >>> speedup({"fc1": 800, "fc2": 200}, {"fc1": 0.25})  # 1000 / (200 + 200)
        2.5
    """
    sparse = sum(value * density.get(name, 1.0) for name, value in cost.items())
    return ratio(sum(cost.values()), sparse)
