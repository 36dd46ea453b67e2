"""Compacted layers: what is removed, what is folded into a bias, and what must stay."""

from collections.abc import Callable

import pytest
import torch
from lived_in import lived_in, shapes
from sparsebench import SparsebenchError
from sparsebench.bench.compaction.compact import TOLERANCE, check_logits, compact, compacted_macs
from torch import Tensor, nn


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def net(*layers: nn.Module) -> nn.Sequential:
    return lived_in(nn.Sequential(*layers))  # type: ignore[return-value]


def test_a_constant_unit_is_folded_into_the_bias_behind_it() -> None:
    model = net(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2))
    model[0].weight.data[1] = 0
    made = compact(model, torch.randn(4, 4))
    assert shapes(made.module) == [(2, 4), (2, 2)]
    expected = model[2].bias + model[2].weight[:, 1] * torch.sigmoid(model[0].bias[1])
    torch.testing.assert_close(made.module[2].bias, expected, check_stride=False)  # type: ignore[index]


def test_dead_units_are_found_through_all_layers() -> None:
    model = net(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    model[4].weight.data[:, 0] = 0  # nothing reads unit 0 of the second layer,
    model[2].weight.data[1:, 2] = 0  # and then nothing reads unit 2 of the first,
    model[0].weight.data[:, 3] = 0
    made = compact(model, torch.randn(4, 4))
    assert shapes(made.module) == [(3, 4), (3, 3), (2, 3)], "the images keep their size"


@pytest.mark.parametrize(
    ("padding", "bias", "width"), [(0, 1.0, 1), (1, 1.0, 2), (1, -1.0, 1), ("valid", 1.0, 1)]
)
def test_a_constant_channel_before_a_padded_convolution_stays_unless_it_is_zero(
    padding: int | str, bias: float, width: int
) -> None:
    model = net(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 3, 3, padding=padding), nn.Flatten())
    model[0].weight.data[0] = 0
    model[0].bias.data[0] = bias
    made = compact(model, torch.randn(4, 1, 8, 8))
    assert shapes(made.module)[0][0] == width
    assert made.counts.constant_units == width - 1


def test_a_norm_that_scales_by_zero_makes_a_constant() -> None:
    model = net(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 3, 1, bias=False),
        nn.Flatten(),
    )
    model[1].weight.data[:2] = 0
    made = compact(model, torch.randn(4, 1, 8, 8))
    assert shapes(made.module) == [(2, 1, 3, 3), (3, 2, 1, 1)]
    assert made.module[3].bias is not None, "the second convolution had none"  # type: ignore[index]


def test_a_depthwise_convolution_loses_the_channels_that_nothing_reads_behind_it() -> None:
    model = net(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 8, 3, groups=4), nn.ReLU(), nn.Conv2d(8, 2, 1), nn.Flatten())
    model[3].weight.data[:, :3] = 0  # both outputs of the first channel, one of the second
    made = compact(model, torch.randn(4, 1, 8, 8))
    assert shapes(made.module) == [(3, 1, 1, 1), (6, 1, 3, 3), (2, 6, 1, 1)]


@pytest.mark.parametrize("norm", [nn.LayerNorm(6), nn.GroupNorm(2, 6), nn.Softmax(-1)])
def test_units_that_a_norm_reads_together_stay(norm: nn.Module) -> None:
    model = net(nn.Linear(4, 6), norm, nn.Linear(6, 2))
    model[0].weight.data[:3] = 0
    model[2].weight.data[:, 3:5] = 0
    made = compact(model, torch.randn(4, 4))
    assert shapes(made.module) == [(6, 4), (2, 6)]
    assert made.counts.constant_units == 3


class Branches(nn.Module):
    """Two layers side by side, whose results `join` puts together."""

    def __init__(self, join: Callable[[Tensor, Tensor], Tensor], width: int) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(width, 2)
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.join(self.first(x), self.second(x)).relu())  # type: ignore[no-any-return]


def test_a_channel_of_a_sum_goes_where_all_summands_are_dead() -> None:
    model = lived_in(Branches(torch.add, 4))
    model.first.weight.data[:3] = 0
    model.second.weight.data[1:3] = 0
    made = compact(model, torch.randn(4, 4))
    assert shapes(made.module) == [(2, 4), (2, 4), (2, 2)]
    assert made.counts.constant_units == 1, "unit 0 of the first layer, which the second one's keeps"


def test_a_channel_goes_alone_where_tensors_are_put_side_by_side() -> None:
    model = lived_in(Branches(lambda a, b: torch.cat([a, b], 1), 8))
    model.first.weight.data[:3] = 0
    model.head.weight.data[:, 7] = 0
    assert shapes(compact(model, torch.randn(4, 4)).module) == [(1, 4), (3, 4), (2, 4)]


def test_parts_of_a_split_tensor_are_cut_where_they_are_read() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = nn.Linear(4, 6), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            gate, value = self.up(x).chunk(2, dim=-1)
            return self.down(gate.sigmoid() * value + value[:, :3])  # type: ignore[no-any-return]

    model = lived_in(Gated())
    model.down.weight.data[:, 1] = 0
    assert shapes(compact(model, torch.randn(4, 4)).module) == [(4, 4), (2, 2)]


def test_a_linear_layer_selects_the_pixels_that_it_reads() -> None:
    model = net(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 2))
    model[1].weight.data[:, 10:] = 0
    made = compact(model, torch.randn(4, 1, 8, 8), select=True)
    assert shapes(made.module) == [(5, 10), (2, 5)]
    assert made.counts.macs_after == 60


def test_a_layer_computes_only_the_channels_of_a_sum_to_which_it_adds_no_constant() -> None:
    model = lived_in(Branches(torch.add, 4))
    model.first.weight.data[:3] = 0
    made = compact(model, torch.randn(4, 4), select=True)
    assert shapes(made.module) == [(1, 4), (4, 4), (2, 4)]
    assert made.counts.units_after == 7
    assert made.counts.constant_units == 0, "the other three are not computed any more"


@pytest.mark.parametrize(("groups", "width"), [(4, 8), (4, 4), (2, 4)])
def test_a_convolution_in_groups_reads_and_computes_the_groups_with_weights(groups: int, width: int) -> None:
    model = net(
        nn.Conv2d(1, 4, 1),
        nn.ReLU(),
        nn.Conv2d(4, width, 3, padding=1, groups=groups),
        nn.GroupNorm(1, width),
        nn.Conv2d(width, 2, 1),
        nn.Flatten(),
    )
    gone = width // groups * (groups // 2)
    model[2].weight.data[:gone] = 0  # half of the groups, whose channels the norm reads
    images = torch.randn(4, 1, 8, 8)
    plain, made = compact(model, images), compact(model, images, select=True)
    assert shapes(plain.module) == shapes(model)
    assert shapes(made.module)[:2] == [(2, 1, 1, 1), (width - gone, 4 // groups, 3, 3)]
    assert shapes(made.module)[2:] == shapes(model)[2:]


def test_a_layer_without_weights_in_a_sum_leaves_its_bias() -> None:
    model = lived_in(Branches(torch.add, 4))
    model.first.weight.data.zero_()
    made = compact(model, torch.randn(4, 4), select=True)
    assert shapes(made.module) == [(1, 1), (4, 4), (2, 4)]


def test_a_bias_of_two_layers_takes_no_constant() -> None:
    model = net(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    model[4].bias = model[2].bias
    model[0].weight.data[1] = 0
    model[0].bias.data[1] = 1.0
    for select in (False, True):
        assert shapes(compact(model, torch.randn(4, 4), select=select).module)[0] == (2, 4)


def test_shared_weights_stay() -> None:
    tied = nn.Linear(4, 4)
    model = net(tied, nn.ReLU(), tied, nn.ReLU(), nn.Linear(4, 2))
    tied.weight.data[0] = 0
    assert compact(model, torch.randn(4, 4), select=True).counts.weights_after == 30
    made = compact(model, torch.randn(4, 4))
    assert made.counts.weights_after == made.counts.weights, "one layer that is applied twice"
    assert {tuple(p.shape) for p in made.module.parameters() if p.ndim > 1} == {(4, 4), (2, 4)}


def test_writes_in_place_are_followed() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            half = x[:, :2]
            half.relu_()
            x[:, 2:].mul_(3.0)
            return self.second(x)  # type: ignore[no-any-return]

    model = lived_in(InPlace())
    model.first.weight.data[0] = 0
    assert compact(model, torch.randn(4, 4)).difference <= TOLERANCE


def test_a_model_is_the_same_after_it_was_compacted() -> None:
    model = net(nn.Linear(4, 3), nn.Dropout(), nn.ReLU(), nn.Linear(3, 2)).train()
    model[0].weight.data[1] = 0
    before = {name: p.clone() for name, p in model.named_parameters()}
    compact(model, torch.randn(4, 4))
    assert model.training
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_the_multiply_accumulates_of_a_compacted_model_need_no_data() -> None:
    model = net(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.Flatten())
    assert compacted_macs(model, (1, 8, 8)) == 36 * (4 * 9 + 2 * 4)
    model[0].weight.data[:3] = 0
    model[2].weight.data[1] = 0
    assert compacted_macs(model, (1, 8, 8)) == 36 * (9 + 1)


def test_logits_that_differ_are_an_error() -> None:
    model = net(nn.Linear(4, 2))
    other = net(nn.Linear(4, 2))
    other.load_state_dict(model.state_dict())
    assert check_logits(model, other, torch.randn(4, 4)) == 0
    other[0].weight.data[0, 0] += 1e-3
    with pytest.raises(SparsebenchError, match="logits differ by"):
        check_logits(model, other, torch.randn(4, 4))


def test_a_pass_whose_course_depends_on_values_is_refused() -> None:
    class Choosing(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x if x.sum() > 0 else -x)

    with pytest.raises(SparsebenchError, match="cannot record the forward pass"):
        compact(Choosing(4, 2), torch.randn(4, 4))
