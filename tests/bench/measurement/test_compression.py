"""Accuracy, zeros, multiply-accumulates and connected weights, against numbers worked by hand."""

from itertools import pairwise

import pytest
import torch
from sparsebench.bench.measurement import compression as measure
from sparsebench.bench.measurement.accuracy import EVAL_BATCH, accuracy
from sparsebench.bench.measurement.flops import macs, speedup
from sparsebench.bench.measurement.forward import products
from sparsebench.bench.measurement.prunable import prunable_weights
from sparsebench.bench.models import factory as models
from sparsebench.datasets.on_device import OnDevice
from torch import Tensor, nn

CPU = torch.device("cpu")


class Echo(nn.Module):
    """Predicts the class that the first pixel names; counts the batches that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        assert not self.training
        self.sizes.append(len(x))
        return nn.functional.one_hot(x.flatten(1)[:, 0].long(), 10).float()


def split(predicted: Tensor, labels: Tensor) -> OnDevice:
    images = predicted.view(-1, 1, 1, 1).to(torch.uint8)
    return OnDevice(images, labels, torch.zeros(1), torch.ones(1))


@pytest.mark.parametrize("extra", [0, 1, 7])
def test_every_example_counts_once_in_a_ragged_last_batch(extra: int) -> None:
    count = EVAL_BATCH + extra
    labels = torch.arange(count) % 10
    predicted = labels.clone()
    predicted[-1] = (predicted[-1] + 1) % 10
    model = Echo().train()
    assert accuracy(model, split(predicted, labels), CPU) == (count - 1) / count
    assert model.sizes == [EVAL_BATCH, extra][: 1 + bool(extra)]
    assert model.training


def test_zeros_are_counted_by_size_and_exactly() -> None:
    w = torch.tensor([-2e-3, -1e-3, -5e-4, 0.0, 5e-4, 1e-3, 2e-3])
    measure.zero_below([w], 1e-3)
    assert w.tolist() == pytest.approx([-2e-3, -1e-3, 0, 0, 0, 1e-3, 2e-3])
    layer = nn.Linear(4, 2, bias=False)
    layer.weight.data = torch.tensor([[0.0, -0.0, 1e-30, -1e-30], [1.0, -1.0, 0.0, 2.0]])
    (row,) = measure.layer_table(layer, ["weight"])
    assert (row.shape, row.nonzeros) == ((2, 4), 5)
    assert measure.compression([row]) == 8 / 5
    assert measure.total_compression(layer) == 8 / 5


def test_a_collapse_is_plotted_as_if_one_weight_were_left() -> None:
    layer = nn.Linear(4, 2, bias=False)
    layer.weight.data.zero_()
    rows = measure.layer_table(layer, ["weight"])
    assert measure.compression(rows) == 8
    assert measure.empty_layers(rows) == ["weight"]


def test_buffers_are_no_parameters() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2))
    for p in net.parameters():
        p.data.fill_(1)
    net[1].running_mean.zero_()  # type: ignore[operator,union-attr]
    assert measure.total_compression(net) == 1.0
    net[1].bias.data.zero_()  # type: ignore[union-attr,operator]
    assert measure.total_compression(net) == 22 / 20
    assert prunable_weights(net, products(net, (1, 8, 8))) == ["0.weight"]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(8, 16, 3, padding=1), 8 * 16 * 9 * 64),
        (nn.Conv2d(8, 16, 3, padding=1, groups=4), 2 * 16 * 9 * 64),
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), 8 * 9 * 64),
        (nn.Conv2d(8, 4, (1, 3), stride=2), 8 * 4 * 3 * 4 * 3),
        (nn.Conv2d(8, 4, 3, dilation=2), 8 * 4 * 9 * 16),
        (nn.Linear(8, 5), 8 * 5 * 64),  # applied at each of 8×8 places
    ],
    ids=["plain", "grouped", "depthwise", "strided", "dilated", "linear"],
)
def test_multiply_accumulates_of_a_layer(layer: nn.Module, expected: int) -> None:
    assert macs(layer, (8, 8, 8), CPU) == {"weight": expected}


def test_multiply_accumulates_of_the_classics() -> None:
    grey = (1, 28, 28)
    lenet300 = macs(models.create("lenet_300_100", grey, 10), grey, CPU)
    assert sum(lenet300.values()) == 266_200
    lenet5 = macs(models.create("lenet5", grey, 10), grey, CPU)
    assert list(lenet5.values()) == [20 * 25 * 24**2, 50 * 20 * 25 * 8**2, 800 * 500, 5000]


def test_counting_leaves_the_model_as_it_was() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    macs(net, (1, 8, 8), CPU)
    assert net.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_the_speed_up_counts_layers_kept_dense_in_full() -> None:
    assert speedup({"a": 900, "b": 100}, {"a": 0.1}) == pytest.approx(1000 / 190)
    assert speedup({"a": 900, "b": 100}, {}) == 1.0


def mlp(*weights: list[list[float]]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for matrix in weights:
        layer = nn.Linear(len(matrix[0]), len(matrix))
        layer.weight.data = torch.tensor(matrix)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_weights_on_dead_paths_are_not_effective() -> None:
    net = mlp([[1.0, 0.0], [0.0, -1.0]], [[-1.0, 0.0]])
    names = ["1.weight", "3.weight"]
    assert measure.compression(measure.layer_table(net, names)) == 2.0
    assert measure.effective_compression(net, names, (1, 1, 2)) == 3.0  # w[1][1] feeds a dead unit


@pytest.mark.parametrize("seed", range(5))
def test_effective_weights_are_those_on_a_path(seed: int) -> None:
    """Against reachability: a weight lives if an input reaches it and it reaches an output."""
    generator = torch.Generator().manual_seed(seed)
    sizes = (6, 7, 5, 3)
    matrices = [
        torch.randn(b, a, generator=generator) * (torch.rand(b, a, generator=generator) < 0.25)
        for a, b in pairwise(sizes)
    ]
    net = mlp(*(m.tolist() for m in matrices))
    nonzero = [m != 0 for m in matrices]
    reached = [torch.ones(6, dtype=torch.bool)]
    for m in nonzero:
        reached.append((m & reached[-1]).any(1))
    useful = [torch.ones(3, dtype=torch.bool)]
    for m in reversed(nonzero):
        useful.insert(0, (m & useful[0].unsqueeze(1)).any(0))
    live = sum(int((m & reached[i] & useful[i + 1].unsqueeze(1)).sum()) for i, m in enumerate(nonzero))
    size = sum(m.numel() for m in matrices)
    found = measure.effective_compression(net, ["1.weight", "3.weight", "5.weight"], (1, 1, 6))
    assert found == pytest.approx(size / max(1, live))


def test_a_channel_that_batch_norm_silences_is_dead() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(2, 1))
    net[1].weight.data[:] = torch.tensor([1.0, 0.0])  # type: ignore[union-attr,index]
    net[1].running_mean.fill_(5)  # type: ignore[operator,union-attr]
    before = net[1].running_mean.clone()  # type: ignore[operator,union-attr]
    assert measure.effective_compression(net, ["0.weight", "4.weight"], (1, 1, 1)) == 4 / 2
    assert torch.equal(net[1].running_mean, before)  # type: ignore[arg-type]


def test_effective_compression_is_not_told_where_the_score_does_not_tell() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    assert measure.effective_compression(net, ["1.weight"], (1, 2, 2)) is None
    normalised = nn.Sequential(nn.Flatten(), nn.utils.spectral_norm(nn.Linear(4, 2)))
    assert measure.effective_compression(normalised, ["1.weight_orig"], (1, 2, 2)) is None


@pytest.mark.parametrize(
    ("name", "shape"),
    [("resnet18_cifar", (3, 16, 16)), ("vgg16_bn_cifar", (3, 32, 32)), ("lenet5", (1, 28, 28))],
)
def test_every_weight_of_a_dense_net_is_effective(name: str, shape: tuple[int, int, int]) -> None:
    """Also behind max-pooling, which lets the gradient of one place through."""
    net = models.create(name, shape, 10)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.fill_(1)  # timm starts a residual branch's last scale at zero
    names = prunable_weights(net, products(net, shape))
    compression = measure.compression(measure.layer_table(net, names))  # a weight may be drawn as zero
    assert measure.effective_compression(net, names, shape) == pytest.approx(compression, rel=1e-12)
