"""Compacted networks: the same logits from fewer weights."""

import pytest
import torch
from lived_in import difference, lived_in, shapes
from sparsebench.bench.compaction.compact import TOLERANCE, compact
from sparsebench.bench.measurement.flops import macs
from sparsebench.bench.models.factory import create
from sparsebench.datasets.api import open_dataset
from torch import nn

LAYERS = (nn.Linear, nn.Conv2d)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """Its linear layers and convolutions but the last, whose outputs are the logits."""
    found = {name: layer for name, layer in model.named_modules() if isinstance(layer, LAYERS)}
    found.popitem()
    return found


def zero_filters(layer: nn.Module, share: float = 0.5, keep: int | None = None) -> None:
    weight = layer.weight.data
    weight[torch.rand(len(weight)) < share if keep is None else torch.arange(len(weight)) != keep] = 0


@pytest.mark.parametrize("name", ["lenet_300_100", "lenet5"])
def test_a_random_mask_of_compression_200_leaves_a_small_sequence_of_layers(name: str) -> None:
    shape = (1, 28, 28)
    model = lived_in(create(name, shape, 10))
    weights = [p.data for p in model.parameters() if p.ndim > 1]
    cut = torch.cat([w.abs().flatten() for w in weights]).kthvalue(
        sum(w.numel() for w in weights) * 199 // 200
    )[0]
    for w in weights:
        w[w.abs() <= cut] = 0
    images = torch.randn(64, *shape)
    made = compact(model, images)
    assert isinstance(made.module, nn.Sequential)
    assert difference(model, made.module, torch.randn(7, *shape)) <= TOLERANCE
    assert made.counts.weights_after < made.counts.weights / 3
    assert made.counts.macs_after == sum(macs(made.module, shape).values())
    assert made.counts.constant_units == 0


def test_a_trained_net_of_compression_200_is_the_same_on_its_data() -> None:
    data = open_dataset("digits")
    model = create("lenet_300_100", data.shape, data.classes)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    x, y = next(iter(data.train.batches(10_000, torch.device("cpu"))))
    weights = [p for p in model.parameters() if p.ndim > 1]
    masks = [torch.ones_like(w) for w in weights]
    count = sum(w.numel() for w in weights)
    for step in range(400):
        if step % 20 == 0 and 100 <= step <= 300:
            zeros = 0.995 * (1 - (1 - (step - 100) / 200) ** 3)
            ranked = torch.cat([w.detach().abs().flatten() for w in weights])
            cut = ranked.kthvalue(max(1, int(count * zeros)))[0]
            masks = [(w.detach().abs() > cut).float() for w in weights]
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        for w, mask in zip(weights, masks, strict=True):
            w.data.mul_(mask)
    images, labels = next(iter(data.test.batches(1000, torch.device("cpu"))))
    made = compact(model, images)
    assert made.difference <= TOLERANCE
    assert made.counts.speedup > 5
    with torch.no_grad():
        assert (made.module(images).argmax(1) == labels).float().mean() > 0.5, "a net that learned something"


TIMM: dict[str, dict[str, object]] = {
    "vgg16_bn_cifar": {},
    "resnet18_cifar": {},
    "test_vit": {"patch_size": 8},
    "mobilenetv3_small_050": {},
    "test_convnext": {},
}


@pytest.mark.parametrize("name", TIMM)
def test_random_filters_of_a_network_are_removed_and_its_logits_stay(name: str) -> None:
    model = lived_in(create(name, (3, 32, 32), 10, **TIMM[name]))
    for layer in layers_of(model).values():
        zero_filters(layer)
    made = compact(model, torch.randn(4, 3, 32, 32))
    assert difference(model, made.module, torch.randn(3, 3, 32, 32)) <= TOLERANCE
    assert made.counts.weights_after < 0.9 * made.counts.weights
    assert made.counts.macs_after < 0.9 * made.counts.macs
    assert made.counts.weights_after == sum(p.numel() for p in made.module.parameters())


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("vgg16_bn_cifar", "features.17"),
        ("test_resnet", "layer2.0.conv1"),
        ("test_resnet", "layer2.0.conv2"),
        ("test_vit", "blocks.0.mlp.fc1"),
        ("test_vit", "blocks.0.mlp.fc2"),
        ("test_vit", "blocks.0.attn.qkv"),
        ("test_efficientnet", "blocks.1.0.conv_exp"),
        ("mobilenetv3_small_050", "blocks.1.0.conv_dw"),
    ],
)
def test_a_layer_with_one_filter_left_is_nearly_gone(name: str, layer: str) -> None:
    model = lived_in(create(name, (3, 32, 32), 10, **TIMM.get(name, {})))
    zero_filters(model.get_submodule(layer), keep=3)
    made = compact(model, torch.randn(4, 3, 32, 32), select=True)
    assert difference(model, made.module, torch.randn(3, 3, 32, 32)) <= TOLERANCE
    assert made.counts.units_after < made.counts.units
    assert made.counts.weights_after < made.counts.weights


def test_an_empty_layer_leaves_logits_that_no_image_changes() -> None:
    model = lived_in(create("lenet5", (1, 28, 28), 10))
    model[2].weight.data.zero_()
    made = compact(model, torch.randn(4, 1, 28, 28))
    assert difference(model, made.module, torch.randn(3, 1, 28, 28)) <= TOLERANCE
    assert shapes(made.module) == [(1, 1, 5, 5), (1, 1, 5, 5), (1, 16), (10, 1)]
