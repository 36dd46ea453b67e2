"""The prunable set: what the forward pass multiplies by; refused where zeros stored are not applied."""

from collections.abc import Callable

import pytest
import timm
import torch
import torch.nn.functional as F
from sparsebench.bench.measurement.forward import products
from sparsebench.bench.measurement.prunable import PrunableSet, prunable_set
from sparsebench.bench.models import factory as models
from sparsebench.errors import SparsebenchError
from torch import Tensor, nn
from torch.nn.utils import parametrizations

GREY = (1, 8, 8)


def found(net: nn.Module, shape: tuple[int, ...] = GREY, *keep_dense: str) -> PrunableSet:
    return prunable_set(net, products(net, shape), keep_dense)


class Function(nn.Module):
    """A layer that computes its kernel from a parameter in its own way, before a plain head."""

    def __init__(self, weight: Tensor, apply: Callable[[Tensor, "Function"], Tensor]) -> None:
        super().__init__()
        self.weight, self.apply_ = nn.Parameter(weight), apply
        self.other, self.gain = (
            nn.Parameter(torch.randn_like(weight)),
            nn.Parameter(torch.ones(len(weight), 1)),
        )
        self.head = nn.Linear(len(weight), 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.apply_(x.flatten(1), self))  # type: ignore[no-any-return]


def standardised(w: Tensor) -> Tensor:
    return (w - w.mean(1, keepdim=True)) / w.std(1, keepdim=True)


PLAIN: dict[str, Callable[[Tensor, Function], Tensor]] = {
    "as it is": lambda x, f: F.linear(x, f.weight),
    "cast": lambda x, f: F.linear(x.double(), f.weight.double()).float(),
    "transposed twice": lambda x, f: F.linear(x, f.weight.t().contiguous().t()),
    "reshaped for a convolution": lambda x, f: F.conv2d(
        x.view(-1, 1, 8, 8), f.weight.view(-1, 1, 8, 8)
    ).flatten(1),
    "times a learned gain": lambda x, f: F.linear(x, f.weight * f.gain),
    "over its norm": lambda x, f: F.linear(x, f.weight / f.weight.norm()),
    "in slices": lambda x, f: torch.cat([F.linear(x, w) for w in f.weight.chunk(3)], 1),
    "in copied slices": lambda x, f: torch.cat([F.linear(x, w * 2) for w in f.weight.chunk(3)], 1),
    "padded": lambda x, f: F.linear(F.pad(x, (0, 2)), F.pad(f.weight, (0, 2))),
    "in the other order": lambda x, f: F.linear(x.flip(1), f.weight.flip(1)),
    "through a function that is zero at zero alone": lambda x, f: F.linear(x, f.weight.tanh() ** 3),
    "through a gate of the image": lambda x, f: F.linear(x, f.weight * x.mean()),
}
COMPUTED: dict[str, Callable[[Tensor, Function], Tensor]] = {
    "standardised": lambda x, f: F.linear(x, standardised(f.weight)),
    "standardised, with a gain": lambda x, f: F.linear(x, standardised(f.weight) * f.gain),
    "plus another": lambda x, f: F.linear(x, f.weight + f.other),
    "a slice standardised": lambda x, f: F.linear(x, standardised(f.weight)[:3]).repeat(1, 2),
    "masked": lambda x, f: F.linear(x, f.weight * (torch.arange(64) % 2)),
    "cut off below zero": lambda x, f: F.linear(x, f.weight.relu()),
    "with few levels": lambda x, f: F.linear(x, (f.weight / f.weight.abs().mean()).round().clamp(-1, 1)),
    "its softplus": lambda x, f: F.linear(x, F.softplus(f.weight)),
}  # fmt: skip


@pytest.mark.parametrize("way", PLAIN)
def test_a_weight_whose_zeros_are_applied_is_prunable(way: str) -> None:
    net = Function(torch.randn(6, 64), PLAIN[way])
    before = {key: value.clone() for key, value in net.state_dict().items()}
    assert found(net).names == ["weight", "head.weight"]
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


@pytest.mark.parametrize("way", COMPUTED)
def test_a_weight_whose_zeros_are_not_applied_is_refused(way: str) -> None:
    net = Function(torch.randn(6, 64), COMPUTED[way])
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(SparsebenchError, match="computed from the stored one"):
        found(net)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_concatenated_weights_are_prunable_each_and_share_the_cost() -> None:
    def apply(x: Tensor, f: Function) -> Tensor:
        return F.linear(x, torch.cat([f.weight, f.other]))[:, :6]

    net = Function(torch.randn(6, 64), apply)
    assert found(net).names == ["weight", "other", "head.weight"]
    assert [(p.weight, p.macs) for p in products(net, GREY).all] == [
        ("other", 384), ("weight", 384), ("head.weight", 12),
    ]  # fmt: skip


def test_a_kernel_that_the_image_mixes_is_left_out() -> None:
    def apply(x: Tensor, f: Function) -> Tensor:
        kernel = torch.softmax(x[:, :6], 1) @ f.weight
        return F.linear(x, kernel.view(1, 64)).expand(-1, 6)

    assert found(Function(torch.randn(6, 64), apply)).names == ["head.weight"]


@pytest.mark.parametrize(
    ("norm", "name"),
    [
        (parametrizations.weight_norm, "1.parametrizations.weight.original1"),
        (parametrizations.spectral_norm, "1.parametrizations.weight.original"),
        (nn.utils.spectral_norm, "1.weight_orig"),
        pytest.param(
            nn.utils.weight_norm, "1.weight_v", marks=pytest.mark.filterwarnings("ignore::FutureWarning")
        ),
    ],
)
def test_weights_that_are_normalised_as_a_whole_are_prunable_as_stored(
    norm: Callable[[nn.Module], nn.Module], name: str
) -> None:
    net = nn.Sequential(nn.Flatten(), norm(nn.Linear(64, 6)), nn.Linear(6, 2))
    assert found(net).names == [name, "2.weight"]
    assert found(net, GREY, "1").names == ["2.weight"]


@pytest.mark.parametrize(
    ("name", "layers", "share"), [("resnetv2_50x1_bit", 53, 1.0), ("nf_resnet26", 29, 0.95)]
)
def test_weight_standardised_networks_are_refused_with_the_option_that_leaves_those_layers_out(
    name: str, layers: int, share: float
) -> None:
    net = models.create(name, (3, 32, 32), 10)
    forward = products(net, (3, 32, 32))
    with pytest.raises(
        SparsebenchError, match=f"{layers} of {layers + 1} layers .*--keep-dense 'stem"
    ) as caught:
        prunable_set(net, forward)
    options = str(caught.value).split(": --keep-dense ")[1].replace("'", "").split(" --keep-dense ")
    left = prunable_set(net, forward, options)
    assert left.names == [name for name, p in net.named_parameters() if p.numel() == 20480 and p.ndim > 1][:1]


def test_the_prunable_set_of_a_vision_transformer() -> None:
    net = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, num_classes=10)
    covered = found(net, (3, 32, 32))
    assert covered.names[0] == "patch_embed.proj.weight"
    assert covered.names[-1] == "head.weight"
    assert len(covered.names) == 2 + 12 * 4  # qkv, proj, fc1, fc2 a block
    assert not any(word in name for name in covered.names for word in ("pos_embed", "norm", "token", "bias"))
    assert covered.warning is None


def test_recurrent_attention_and_transposed_layers_are_prunable() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grow = nn.ConvTranspose2d(1, 3, 2, 2)
            self.lstm = nn.LSTM(48, 5, 2, batch_first=True, bidirectional=True)
            self.attention = nn.MultiheadAttention(10, 2, batch_first=True)
            self.head = nn.Linear(10, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.lstm(self.grow(x).permute(0, 2, 1, 3).flatten(2))[0]
            return self.head(self.attention(x, x, x)[0].mean(1))  # type: ignore[no-any-return]

    net = Net()
    covered = found(net)
    assert covered.names == [name for name, p in net.named_parameters() if p.ndim > 1]
    assert len(covered.names) == 1 + 8 + 2 + 1
    assert covered.share == sum(p.numel() for p in net.parameters() if p.ndim > 1) / sum(
        p.numel() for p in net.parameters()
    )


def test_a_small_share_is_told_with_the_largest_parameters_outside() -> None:
    net = models.create("tf_efficientnet_cc_b0_4e", (3, 32, 32), 10)
    covered = found(net, (3, 32, 32))
    assert covered.share == pytest.approx(0.117, abs=0.03)
    assert covered.warning is not None
    largest = max((p.numel(), name) for name, p in net.named_parameters())
    assert f"outside are {largest[1]} ({largest[0]:,})" in covered.warning


def test_layers_kept_dense_are_no_part_of_the_prunable_set() -> None:
    net = models.create("lenet_300_100", GREY, 10)
    assert found(net, GREY, "5").names == ["1.weight", "3.weight"]
    assert found(net, GREY, "[13]").names == ["5.weight"]
    with pytest.raises(SparsebenchError, match="no layer '7'; known are 1, 3, 5"):
        found(net, GREY, "7")


def test_a_shared_weight_is_counted_once_and_used_twice() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert found(net, (3,)).names == ["0.weight"]
    assert [p.macs for p in products(net, (3,)).all] == [9, 9]


def test_an_embedding_that_is_the_output_layer_too_is_prunable() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.embedding(x.flatten(1).long()).mean(1))  # type: ignore[no-any-return]

    assert found(Tied(), (3,)).names == ["embedding.weight"]
    assert found(Tied(), (3,), "head").names == []


def test_a_layer_that_evaluation_does_not_reach_is_prunable() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.aux = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x) + (self.aux(x) if self.training else 0)  # type: ignore[no-any-return]

    assert found(Auxiliary(), (3,)).names == ["head.weight", "aux.weight"]
