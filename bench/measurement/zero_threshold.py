"""Two operating points for methods that leave small weights rather than zeros."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...datasets.api import Split
from .accuracy import ClassCounts, by_class
from .compression import FLOAT32_EPS, zero_below

TOLERANCE = 0.001
_DECADES = 6


def threshold_grid() -> list[float]:
    """Returns the candidate zero thresholds: float32 eps to 1e-1 in steps of a third of a decade.

    Returns:
        18 magnitudes, ascending.

    Example:
        >>> [f"{threshold:.2e}" for threshold in threshold_grid()[:4]]
        ['1.19e-07', '2.57e-07', '5.53e-07', '1.19e-06']
    """
    steps = (FLOAT32_EPS * 10 ** (k / 3) for k in range(3 * _DECADES + 1))
    return [threshold for threshold in steps if threshold <= 0.1]


@dataclass(frozen=True)
class OperatingPoint:
    """A zero threshold, and the results of the model at it on the validation split.

    Attributes:
        threshold: Weights of magnitude below it are set to zero; 0 changes no weight.
        valid: The counts on the validation split.

    Example:
        >>> counts = ClassCounts(examples=torch.tensor([8, 2]), hits=torch.tensor([8, 1]))
        >>> OperatingPoint(2.6e-3, counts).valid.accuracy
        0.9
    """

    threshold: float
    valid: ClassCounts


def operating_points(
    model: nn.Module, weights: Sequence[Tensor], valid: Split, device: torch.device, exact_zeros: bool
) -> tuple[OperatingPoint, OperatingPoint]:
    """Returns the exact and the validated operating point of a finished model.

    Args:
        model: The finished plain model, on `device`.
        weights: Its prunable weights, as for `validated_threshold`.
        valid: The validation split.
        device: Where the batches are put.
        exact_zeros: Whether the method sets weights to zero itself; both points are then at threshold 0.

    Returns:
        The two points.

    Example:
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> split = OnDevice(torch.ones(2, 1, 1, 1), torch.tensor([0, 1]), torch.zeros(1), torch.ones(1))
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
        >>> exact, chosen = operating_points(network, [], split, torch.device("cpu"), exact_zeros=True)
        >>> exact is chosen, exact.threshold, exact.valid.accuracy
        (True, 0.0, 0.5)
    """
    if not exact_zeros:
        return validated_threshold(model, weights, valid, device)
    point = OperatingPoint(0.0, by_class(model, valid, device))
    return point, point


def validated_threshold(
    model: nn.Module, weights: Sequence[Tensor], valid: Split, device: torch.device
) -> tuple[OperatingPoint, OperatingPoint]:
    """Returns the exact operating point (threshold float32 eps) and the validated one.

    The validated threshold is the largest on the grid at which the model loses at most 0.1 point of
    validation accuracy against the exact point, or one example where that is more. The weights have their
    original values afterwards.

    Args:
        model: The finished plain model, on `device`.
        weights: Its prunable weights, detached views of the model's own tensors.
        valid: The validation split; a grid point costs one pass over it.
        device: Where the batches are put.

    Returns:
        The exact and the validated point; they are equal where no larger threshold is good enough.

    Example:
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> layer, labels = nn.Linear(2, 2, bias=False), torch.tensor([0] * 99 + [1])
        >>> layer.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1e-3]])  # 1e-3 decides one example of 100
        >>> split = OnDevice(torch.eye(2)[labels].view(100, 1, 1, 2), labels, torch.zeros(1), torch.ones(1))
        >>> network = nn.Sequential(nn.Flatten(), layer)
        >>> points = validated_threshold(network, [layer.weight.detach()], split, torch.device("cpu"))
        >>> [(point.threshold, point.valid.accuracy) for point in points]
        [(1.19...e-07, 1.0), (0.055..., 0.99)]
    """
    originals = [w.detach().clone() for w in weights]

    def point_at(threshold: float) -> OperatingPoint:
        _restore(weights, originals)
        zero_below(weights, threshold)
        return OperatingPoint(threshold, by_class(model, valid, device))

    exact = point_at(FLOAT32_EPS)
    least = int(exact.valid.hits.sum()) - max(1, int(TOLERANCE * len(valid) + 1e-9))
    # From the largest threshold down, so that the first that is good enough is the answer.
    smaller = map(point_at, reversed(threshold_grid()[1:]))
    chosen = next((point for point in smaller if int(point.valid.hits.sum()) >= least), exact)
    _restore(weights, originals)
    return exact, chosen


@torch.no_grad()
def _restore(weights: Sequence[Tensor], originals: Sequence[Tensor]) -> None:
    """Copies the original values into the weights, in place."""
    for w, original in zip(weights, originals, strict=True):
        w.copy_(original)
