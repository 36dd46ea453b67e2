"""Two operating points for methods that leave small weights rather than zeros."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...datasets.api import Split
from .accuracy import correct
from .compression import FLOAT32_EPS, zero_below

TOLERANCE = 0.001
_DECADES = 6


def threshold_grid() -> list[float]:
    """Thresholds from float32 eps to 1e-1 in steps of a third of a decade, ascending."""
    steps = (FLOAT32_EPS * 10 ** (k / 3) for k in range(3 * _DECADES + 1))
    return [threshold for threshold in steps if threshold <= 0.1]


@dataclass(frozen=True)
class OperatingPoint:
    """Weights below `threshold` set to zero, and the validation accuracy that this leaves."""

    threshold: float
    val_accuracy: float


def validated_threshold(
    model: nn.Module, weights: Sequence[Tensor], valid: Split, device: torch.device
) -> tuple[OperatingPoint, OperatingPoint]:
    """The exact point (float32 eps), and the validated one.

    The validated threshold is the largest on the grid at which the model loses at most 0.1 point of
    validation accuracy against the exact point, or one example where that is more. The weights are left as
    they came.
    """
    originals = [w.detach().clone() for w in weights]

    def hits_at(threshold: float) -> int:
        restore(weights, originals)
        zero_below(weights, threshold)
        return correct(model, valid, device)

    exact = hits_at(FLOAT32_EPS)
    may_lose = max(1, int(TOLERANCE * len(valid) + 1e-9))
    chosen, hits = FLOAT32_EPS, exact
    for threshold in reversed(threshold_grid()[1:]):
        found = hits_at(threshold)
        if found >= exact - may_lose:
            chosen, hits = threshold, found
            break
    restore(weights, originals)
    return OperatingPoint(FLOAT32_EPS, exact / len(valid)), OperatingPoint(chosen, hits / len(valid))


@torch.no_grad()
def restore(weights: Sequence[Tensor], originals: Sequence[Tensor]) -> None:
    """Write the originals back, in place."""
    for w, original in zip(weights, originals, strict=True):
        w.copy_(original)
