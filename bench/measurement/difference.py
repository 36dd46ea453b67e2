"""How far the logits of two models that ought to compute the same are apart."""

import math

from torch import Tensor


def relative_difference(found: Tensor, expected: Tensor) -> float:
    """Returns max |found − expected| / max |expected|.

    Args:
        found: Logits.
        expected: The logits that are right, of the same shape.

    Returns:
        The fraction; 0 where all are equal, and infinite where one of them is no number.

    Example:
        >>> import torch
        >>> relative_difference(torch.tensor([1.0, 2.5]), torch.tensor([1.0, 2.0]))
        0.25
        >>> relative_difference(torch.tensor([math.nan]), torch.tensor([1.0]))
        inf
    """
    apart, largest = float((found - expected).abs().max()), float(expected.abs().max())
    if apart == 0:
        return 0.0
    return apart / largest if math.isfinite(apart) and largest > 0 else math.inf
