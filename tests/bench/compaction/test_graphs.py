"""Compacted graphs that are no plain chain: computed biases, groups, views, tensors made in the pass."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from lived_in import difference, lived_in, shapes
from sparsebench.bench.compaction.compact import TOLERANCE, Compacted, compact
from torch import Tensor, nn

Pass = Callable[["Net", Tensor], Tensor]
IMAGE = (1, 6, 6)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Net(nn.Module):
    """Layers and parameters by name, and a forward pass that reads them."""

    def __init__(self, run: Pass, **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)
        lived_in(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def compacted(model: nn.Module, shape: tuple[int, ...], select: bool) -> Compacted:
    made = compact(model, torch.randn(4, *shape), select=select)
    assert difference(model, made.module, torch.randn(3, *shape)) <= TOLERANCE
    return made


@pytest.mark.parametrize(("select", "computed"), [(False, 6), (True, 4)])
def test_a_constant_is_added_behind_a_computed_bias(select: bool, computed: int) -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        bias = torch.cat([net.first, net.second])
        return net.head(F.linear(net.stem(x).sigmoid(), net.layer.weight, bias).softmax(-1))

    model = Net(
        run,
        stem=nn.Linear(4, 5),
        layer=nn.Linear(5, 6, bias=False),
        head=nn.Linear(6, 3),
        first=nn.Parameter(torch.randn(3)),
        second=nn.Parameter(torch.randn(3)),
    )
    model.stem.weight.data[:3] = 0
    model.layer.weight.data[2:4] = 0
    made = compacted(model, (4,), select)
    assert shapes(made.module) == [(2, 4), (computed, 2), (3, 6)]


@pytest.mark.parametrize("groups", [1, 4])
def test_a_convolution_whose_bias_is_computed_or_shared_computes_a_part(groups: int) -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        x = net.stem(x).relu()
        y = F.conv2d(x, net.layer.weight, net.shift * 2, padding=1, groups=groups)
        z = F.conv2d(x, net.other.weight, net.shift, padding=1, groups=groups)
        return net.head(torch.cat([net.norm(y), net.norm(z)], 1).mean((2, 3)))

    def convolution() -> nn.Conv2d:
        return nn.Conv2d(4, 4, 3, groups=groups, bias=False)

    model = Net(
        run,
        stem=nn.Conv2d(1, 4, 1),
        layer=convolution(),
        other=convolution(),
        norm=nn.GroupNorm(1, 4, affine=False),
        head=nn.Linear(8, 2),
        shift=nn.Parameter(torch.randn(4)),
    )
    model.layer.weight.data[:3] = 0
    model.other.weight.data[1:] = 0
    made = compacted(model, IMAGE, select=True)
    width = 4 if groups == 1 else 2
    read = width if groups == 1 else 1
    assert shapes(made.module) == [(width, 1, 1, 1), (1, read, 3, 3), (1, read, 3, 3), (2, 8)]


@pytest.mark.parametrize("live", range(4))
def test_one_depthwise_filter_is_left_whichever_it_is(live: int) -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        x = net.stem(x).relu()
        return net.head(torch.cat([x, net.depthwise(x)], 1).mean((2, 3)))

    depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
    model = Net(run, stem=nn.Conv2d(1, 4, 1), depthwise=depthwise, head=nn.Linear(8, 2))
    depthwise.weight.data[[i for i in range(4) if i != live]] = 0
    made = compacted(model, IMAGE, select=True)
    assert shapes(made.module) == [(4, 1, 1, 1), (1, 1, 3, 3), (2, 5)]


@pytest.mark.parametrize(("width", "groups"), [(4, 4), (8, 4)])
def test_groups_that_read_only_zeros_give_their_bias(width: int, groups: int) -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        x = net.stem(x).relu()
        return net.head(torch.cat([x, net.norm(net.grouped(x))], 1).mean((2, 3)))

    model = Net(
        run,
        stem=nn.Conv2d(1, width, 1),
        grouped=nn.Conv2d(width, width, 3, padding=1, groups=groups),
        norm=nn.GroupNorm(1, width),
        head=nn.Linear(2 * width, 2),
    )
    model.stem.weight.data[: width // 2] = 0
    model.stem.bias.data[: width // 2] = -1  # zero behind the activation, where the weights are
    model.grouped.weight.data[width // 2 :] = 0
    made = compacted(model, IMAGE, select=True)
    inside = width // groups
    assert shapes(made.module) == [(width // 2, 1, 1, 1), (inside, inside, 3, 3), (2, width // 2 + width)]


@pytest.mark.parametrize("select", [False, True])
def test_a_layer_may_read_a_tensor_made_in_the_pass(select: bool) -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        return net.head(net.stem(x).mean((2, 3)) + net.embed(torch.arange(4.0)[None]))

    model = Net(run, stem=nn.Conv2d(1, 8, 3), embed=nn.Linear(4, 8), head=nn.Linear(8, 2))
    model.stem.weight.data[:3] = 0
    made = compacted(model, IMAGE, select)
    assert shapes(made.module) == [(5, 1, 3, 3), (5, 4), (2, 5)]
    assert made.counts.constant_units == 5, "what the layer makes of the made tensor"


def test_heads_that_share_keys_and_values_stay() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        def heads(made: Tensor) -> Tensor:
            return made.view(x.shape[0], 6, -1, 4).transpose(1, 2)

        x = x.flatten(1, 2)
        made = F.scaled_dot_product_attention(
            heads(net.query(x)), heads(net.key(x)), heads(net.value(x)), enable_gqa=True
        )
        return net.head(made.transpose(1, 2).flatten(2).mean(1))

    model = Net(
        run,
        query=nn.Linear(6, 16),
        key=nn.Linear(6, 8),
        value=nn.Linear(6, 8),
        head=nn.Linear(16, 2),
    )
    model.head.weight.data[:, 4:8] = 0  # nothing reads the second of four heads
    model.value.weight.data[4:] = 0  # the last two are constants
    made = compacted(model, IMAGE, select=False)
    assert shapes(made.module) == [(16, 6), (8, 6), (8, 6), (2, 16)]
    assert made.counts.constant_units == 4


def written_part(net: Net, x: Tensor) -> Tensor:
    x = net.stem(x)
    x.chunk(2, 1)[0].relu_()
    return net.head(x)


def read_parts(net: Net, x: Tensor) -> Tensor:
    x = net.stem(x)
    first, second = x.split([2, 4], 1)
    x.relu_()
    return net.head(torch.cat([second, first], 1))


def narrowed(net: Net, x: Tensor) -> Tensor:
    x = net.stem(x)
    part = x.narrow(1, 0, 3)
    x.relu_()
    return net.head(torch.cat([part, x[:, 3:]], 1))


@pytest.mark.parametrize("run", [written_part, read_parts, narrowed])
def test_writes_are_seen_through_every_view(run: Pass) -> None:
    model = Net(run, stem=nn.Linear(4, 6), head=nn.Linear(6, 3))
    model.stem.weight.data[0] = 0
    compacted(model, (4,), select=False)


def attention_pooling(net: Net, x: Tensor) -> Tensor:
    x = net.stem(x).flatten(2).transpose(1, 2)
    weights = net.score(x).squeeze(-1).softmax(1)
    return net.head((x * weights.unsqueeze(-1)).sum(1))


def scaled(net: Net, x: Tensor) -> Tensor:
    return net.head(net.stem(x).mean((2, 3)) * net.score.weight.view(-1))


@pytest.mark.parametrize(("run", "scores"), [(attention_pooling, (8, 1)), (scaled, (1, 8))])
def test_a_dimension_of_one_can_be_dropped(run: Pass, scores: tuple[int, int]) -> None:
    model = Net(run, stem=nn.Conv2d(1, 8, 3), score=nn.Linear(*scores), head=nn.Linear(8, 2))
    compacted(model, IMAGE, select=False)


def test_a_squeezed_dimension_does_not_shrink_to_one() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        return net.head(net.layer(net.stem(x).relu().squeeze(1)).flatten(1))

    model = Net(run, stem=nn.Conv2d(1, 4, 3), layer=nn.Conv2d(4, 2, 3), head=nn.Linear(8, 2))
    model.stem.weight.data[:3] = 0
    model.stem.bias.data[:3] = -1
    assert shapes(compacted(model, IMAGE, select=False).module)[0] == (4, 1, 3, 3)


@pytest.mark.parametrize(
    ("layers", "shape", "kinds"),
    [
        ((nn.Linear(6, 6), nn.BatchNorm2d(1), nn.Flatten()), IMAGE, ["Linear", "BatchNorm2d", "Flatten"]),
        ((nn.BatchNorm1d(4), nn.Linear(4, 2)), (4,), ["BatchNorm1d", "Linear"]),
        ((nn.Flatten(2), nn.BatchNorm1d(1), nn.Flatten()), IMAGE, ["Flatten", "BatchNorm1d", "Flatten"]),
    ],
)
def test_a_norm_fits_the_rank_of_what_it_reads(
    layers: tuple[nn.Module, ...], shape: tuple[int, ...], kinds: list[str]
) -> None:
    made = compacted(lived_in(nn.Sequential(*layers)), shape, select=False)
    assert [type(layer).__name__ for layer in made.module.children()] == kinds
