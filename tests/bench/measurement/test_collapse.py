"""Collapse: no path from the image to a logit, whatever the network; an empty layer beside a path is none."""

import pytest
import torch
from sparsebench.bench.measurement.collapse import has_collapsed
from sparsebench.bench.models import factory as models
from torch import Tensor, nn

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "empty", "collapsed"),
    [
        ("resnet18_cifar", ["layer2.0.downsample.0"], False),  # the block's own path remains
        ("resnet18_cifar", ["layer1.0.conv2", "layer3.1.conv1", "layer4.1.conv2"], False),
        ("resnet18_cifar", ["layer2.0.downsample.0", "layer2.0.conv1"], True),
        ("resnet18_cifar", ["conv1"], True),
        ("resnet18_cifar", ["fc"], True),
        ("vit_tiny_patch16_224", [f"blocks.{i}.mlp.fc1" for i in range(12)], False),
        ("vit_tiny_patch16_224", [f"blocks.{i}.attn.proj" for i in range(12)], True),  # the class token alone
        ("vit_tiny_patch16_224", ["patch_embed.proj"], True),
        ("mobilenetv2_050", ["blocks.2.1.conv_pw"], False),
        ("mobilenetv2_050", ["blocks.2.0.conv_dw"], True),  # another width: no skip connection
    ],
)
def test_an_empty_layer_is_a_collapse_where_no_path_avoids_it(
    name: str, empty: list[str], collapsed: bool
) -> None:
    torch.manual_seed(0)
    shape = (3, 16, 16)
    net = models.create(name, shape, 10, **({"patch_size": 8} if name.startswith("vit") else {}))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # timm starts a block's last scale at zero
    for layer in empty:
        nn.init.zeros_(net.get_submodule(layer).weight)  # type: ignore[arg-type]
    assert has_collapsed(net, shape, CPU) == collapsed
    assert net.training


def test_layers_without_a_common_unit_are_a_collapse_though_none_is_empty() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))
    net[1].weight.data[2:] = 0  # type: ignore[union-attr]
    net[4].weight.data[:, :2] = 0  # type: ignore[union-attr]
    assert not has_collapsed(net, (1, 2, 2), CPU)  # LayerNorm connects the units
    net[2] = nn.Identity()
    assert has_collapsed(net, (1, 2, 2), CPU)


@pytest.mark.parametrize("norm", [nn.Identity, nn.LayerNorm], ids=["", "LayerNorm"])
def test_a_path_that_this_model_does_not_show_is_a_path(norm: type[nn.Module]) -> None:
    """Units that are dead on every image, and weights so small that the bias's last bit is larger."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.last = nn.Linear(4, 4), norm(4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.norm(self.first(x.flatten(1)).relu()))  # type: ignore[no-any-return]

    dead, small = Net(), Net()
    nn.init.constant_(dead.first.bias, -1e3)
    for layer in (small.first, small.last):
        layer.weight.data *= 1e-12
    assert not has_collapsed(dead, (1, 2, 2), CPU)
    assert not has_collapsed(small, (1, 2, 2), CPU)
    nn.init.zeros_(dead.first.weight)
    assert has_collapsed(dead, (1, 2, 2), CPU)


def test_a_recurrent_network_collapses_with_its_input_matrices() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.lstm(x.flatten(1, 2))[0][:, -1])  # type: ignore[no-any-return]

    net = Net()
    nn.init.zeros_(net.lstm.weight_hh_l0)
    assert not has_collapsed(net, (1, 3, 4), CPU)
    nn.init.zeros_(net.lstm.weight_ih_l0)
    assert has_collapsed(net, (1, 3, 4), CPU)
