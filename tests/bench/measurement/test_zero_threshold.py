"""The two operating points: what may be lost, and that the weights are left as they came."""

import torch
from sparsebench.bench.measurement.compression import FLOAT32_EPS
from sparsebench.bench.measurement.zero_threshold import OperatingPoint, threshold_grid, validated_threshold
from sparsebench.datasets.on_device import OnDevice
from torch import Tensor, nn

CPU = torch.device("cpu")


def test_the_grid_walks_third_decades_from_float32_eps_to_a_tenth() -> None:
    steps = threshold_grid()
    assert steps[0] == FLOAT32_EPS
    ratios = torch.tensor(steps[1:], dtype=torch.float64) / torch.tensor(steps[:-1], dtype=torch.float64)
    assert torch.allclose(ratios, torch.tensor(10 ** (1 / 3), dtype=torch.float64))
    assert steps[-1] <= 0.1 < steps[-1] * 10 ** (1 / 3)


def diagonal(*weights: float) -> nn.Sequential:
    """Class i is told by the i-th weight alone: without it, its examples fall to class 0."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(len(weights), len(weights), bias=False))
    net[1].weight.data = torch.diag(torch.tensor(weights))
    return net


def examples(*counts: int) -> OnDevice:
    labels = torch.cat([torch.full((count,), c) for c, count in enumerate(counts)])
    images = torch.eye(len(counts))[labels].view(len(labels), 1, 1, -1)
    return OnDevice(images, labels, torch.zeros(1), torch.ones(1))


def points(net: nn.Sequential, split: OnDevice) -> tuple[OperatingPoint, OperatingPoint]:
    weights: list[Tensor] = [net[1].weight.detach()]  # type: ignore[list-item]
    before = weights[0].clone()
    found = validated_threshold(net, weights, split, CPU)
    assert torch.equal(weights[0], before)
    return found


def at(point: OperatingPoint) -> tuple[float, float]:
    return point.threshold, point.valid.accuracy


def largest_below(limit: float) -> float:
    return max(step for step in threshold_grid() if step <= limit)


def test_one_example_may_be_lost_and_not_two() -> None:
    exact, chosen = points(diagonal(1.0, 1e-3, 1e-5), examples(97, 2, 1))
    assert at(exact) == (FLOAT32_EPS, 1.0)
    assert at(chosen) == (largest_below(1e-3), 0.99)


def test_a_tenth_of_a_point_may_be_lost_and_not_more() -> None:
    _, four = points(diagonal(1.0, 1e-3, 1e-5), examples(3991, 5, 4))
    assert at(four) == (largest_below(1e-3), 1 - 4 / 4000)
    _, none = points(diagonal(1.0, 1e-3, 1e-5), examples(3990, 5, 5))
    assert at(none) == (largest_below(1e-5), 1.0)


def test_the_loss_is_measured_against_the_exact_point() -> None:
    """Weights below float32 eps are gone in the exact point already: their examples are no loss."""
    exact, chosen = points(diagonal(1.0, 1e-3, 1e-8), examples(50, 2, 48))
    assert at(exact) == (FLOAT32_EPS, 0.52)
    assert at(chosen) == (largest_below(1e-3), 0.52)


def test_the_largest_threshold_wins_where_smaller_ones_lose_more() -> None:
    net = diagonal(1.0, 1.0, 0.0, 0.0)
    w: Tensor = net[1].weight.data  # type: ignore[assignment]
    w[0, 2], w[1, 2], w[1, 3], w[2, 2] = -1.0, 1e-3, 0.02, 0.0205
    split = examples(10, 10, 10, 0)
    split.images[20:, 0, 0, 3] = 1.0  # right by 0.021 to 0.0205, wrong without the small weight,
    split.labels[20:] = 1  # right again by the order of equal logits when both have gone
    exact, chosen = points(net, split)
    assert exact.valid.accuracy == 1.0
    assert at(chosen) == (threshold_grid()[-1], 1.0)


def test_where_nothing_may_go_the_exact_point_is_the_validated_one() -> None:
    exact, chosen = points(diagonal(1.0, 2e-7), examples(10, 10))
    assert exact is chosen


def test_weights_that_nothing_needs_all_go() -> None:
    _, chosen = points(diagonal(1.0, 0.05, 0.05), examples(10, 0, 0))
    assert at(chosen) == (threshold_grid()[-1], 1.0)
