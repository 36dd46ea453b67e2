"""Any timm model fitted to a dataset, and ours beside them."""

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from sparsebench.bench.models import factory as models
from sparsebench.bench.models import networks
from sparsebench.bench.models import timm_registry as zoo
from sparsebench.errors import SparsebenchError

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


def weights(name: str, shape: tuple[int, int, int], classes: int = 10) -> int:
    return sum(p.numel() for p in models.create(name, shape, classes).parameters())


@pytest.mark.parametrize(
    ("name", "shape", "count"),
    [
        ("lenet_300_100", GREY, 266_610),
        ("lenet5", GREY, 431_080),
        ("conv3_bn", GREY, 24_058),
        ("vgg16_bn_cifar", COLOUR, 14_710_464 + 2 * 4224 + 5130),
        ("vgg19_bn_cifar", COLOUR, 20_018_880 + 2 * 5504 + 5130),
        ("resnet18_cifar", COLOUR, 11_173_962),
    ],
)
def test_our_models_have_the_sizes_of_the_literature(
    name: str, shape: tuple[int, int, int], count: int
) -> None:
    assert weights(name, shape) == count


@pytest.mark.parametrize("name", networks.OURS)
def test_our_models_are_found_as_timms_are(name: str) -> None:
    assert name in models.model_names()
    assert timm.is_model(name)
    assert name in models.model_names(f"*{name[2:]}")


def test_nothing_of_timms_is_overwritten() -> None:
    homes = {name: timm.model_entrypoint(name).__module__ for name in zoo.registered_models()}
    ours = networks.__name__.rpartition(".")[0]
    assert sorted(n for n in homes if homes[n].startswith(f"{ours}.")) == sorted(networks.OURS)
    assert timm.model_entrypoint("resnet18").__module__ == "timm.models.resnet"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("test_vit", {"patch_size": 4}),
        ("vit_tiny_patch16_224", {"patch_size": 8, "depth": 2}),
        ("test_resnet", {}),
        ("test_convnext", {}),
        ("test_byobnet", {}),
        ("test_efficientnet", {}),
    ],
)
def test_timm_models_take_the_images_channels_and_classes_of_the_dataset(
    name: str, args: dict[str, Any]
) -> None:
    model = models.create(name, COLOUR, 7, **args)
    assert model.training
    assert model(torch.zeros(2, *COLOUR)).shape == (2, 7)
    grey = models.create(name, (1, 32, 32), 3, **args)
    assert grey(torch.zeros(2, 1, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize("side", [32, 64])
def test_resnet18_for_small_images_keeps_their_resolution_in_the_stem(side: int) -> None:
    model = models.create("resnet18_cifar", (3, side, side), 10)
    stem: Callable[..., torch.Tensor] = model.get_submodule("conv1")
    assert stem(torch.zeros(1, 3, side, side)).shape == (1, 64, side, side)
    assert isinstance(model.get_submodule("maxpool"), torch.nn.Identity)


def test_trying_a_model_leaves_its_statistics_and_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    tried = models.create("resnet18_cifar", (3, 8, 8), 10)
    state = torch.get_rng_state()
    torch.manual_seed(0)
    plain = timm.create_model("resnet18_cifar", num_classes=10, in_chans=3)
    assert torch.equal(state, torch.get_rng_state())
    for (key, one), other in zip(tried.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(one, other), key


@pytest.mark.parametrize(
    ("name", "shape", "args", "message"),
    [
        ("lenet", GREY, {}, "unknown model 'lenet': did you mean 'lenet5'"),
        ("resnet_18", GREY, {}, "did you mean 'resnet18'"),
        ("lenet5", (1, 8, 8), {}, "needs images of 16 pixels or more, not 8"),
        ("vgg16_bn_cifar", (3, 8, 8), {}, "cannot take images of 3×8×8"),
        ("vit_tiny_patch16_224", (1, 8, 8), {}, "cannot take images of 1×8×8"),
        ("lenet5", GREY, {"pretrained": True}, "has no pretrained weights"),
        ("lenet5", GREY, {"widht": 2}, "takes no argument 'widht'"),
        ("resnet18", COLOUR, {"widht": 2}, "does not take these arguments"),
        ("test_vit", COLOUR, {"patch_size": "four"}, "'test_vit'"),
        ("resnet18", COLOUR, {"num_classes": 3}, r"shape \(2, 3\), not one tensor of logits \(2, 10\)"),
        ("resnet18", COLOUR, {"global_pool": "no"}, "'resnet18'"),
        ("resnet18", COLOUR, {"checkpoint_path": "/no/such/file"}, "'resnet18'"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(
    name: str, shape: tuple[int, int, int], args: dict[str, Any], message: str
) -> None:
    with pytest.raises(SparsebenchError, match=message) as caught:
        models.create(name, shape, 10, **args)
    assert "\n" not in str(caught.value)
