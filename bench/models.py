"""Any timm model, fitted to a dataset; the pruning literature's own networks, registered with timm."""

import warnings
from typing import Any

import timm
import torch
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from ..errors import SparsebenchError, near

OURS = ("lenet_300_100", "lenet5", "vgg16_bn_cifar", "vgg19_bn_cifar", "resnet18_cifar")
_VGG = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _glorot(model: nn.Module) -> None:
    """Glorot's normal initialisation with zero biases, as in the lottery-ticket papers (arXiv:1803.03635).

    torch's own start is smaller, which costs factorized training accuracy; He's is larger, and its noise
    drowns the ranking of magnitude pruning after a short training.
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class LeNet300100(nn.Sequential):
    """Inputs-300-100-classes, ReLU between: 266,200 weights on MNIST (LeCun et al., 1998)."""

    def __init__(self, in_chans: int, img_size: int, num_classes: int) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(in_chans * img_size * img_size, 300),
            nn.ReLU(),
            nn.Linear(300, 100),
            nn.ReLU(),
            nn.Linear(100, num_classes),
        )
        _glorot(self)


class LeNet5(nn.Sequential):
    """The Caffe form that the pruning literature uses: 20 and 50 filters of 5×5, 500 units; 431k on MNIST."""

    def __init__(self, in_chans: int, img_size: int, num_classes: int) -> None:
        side = ((img_size - 4) // 2 - 4) // 2
        if side < 1:
            raise SparsebenchError(f"lenet5 needs images of 16 pixels or more, not {img_size}")
        super().__init__(
            nn.Conv2d(in_chans, 20, 5),
            nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(50 * side * side, 500),
            nn.ReLU(),
            nn.Linear(500, num_classes),
        )
        _glorot(self)


class SmallVGG(nn.Module):
    """VGG with BatchNorm for 32-pixel images: pooled 512 features, one linear layer (arXiv:1409.1556)."""

    def __init__(self, depth: int, in_chans: int, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_chans
        for stage, convs in enumerate(_VGG[depth]):
            width = min(64 * 2**stage, 512)
            for _ in range(convs):
                conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                layers += [conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.flatten(self.pool(self.features(x))))  # type: ignore[no-any-return]


# What `timm.create_model` and `_build` hand to every model, wanted or not.
_OFFERED = {"pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "img_size"}


def _refuse(name: str, pretrained: bool, rest: dict[str, Any]) -> None:
    if pretrained:
        raise SparsebenchError(f"model {name!r} has no pretrained weights")
    for argument in rest:
        if argument not in _OFFERED:
            raise SparsebenchError(f"model {name!r} takes no argument {argument!r}")


@timm.models.register_model
def lenet_300_100(
    pretrained: bool = False, *, in_chans: int = 1, img_size: int = 28, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """LeNet-300-100 for square images."""
    _refuse("lenet_300_100", pretrained, rest)
    return LeNet300100(in_chans, img_size, num_classes)


@timm.models.register_model
def lenet5(
    pretrained: bool = False, *, in_chans: int = 1, img_size: int = 28, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """LeNet-5, Caffe form, for square images."""
    _refuse("lenet5", pretrained, rest)
    return LeNet5(in_chans, img_size, num_classes)


@timm.models.register_model
def vgg16_bn_cifar(
    pretrained: bool = False, *, in_chans: int = 3, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """VGG-16 with BatchNorm for small images."""
    _refuse("vgg16_bn_cifar", pretrained, rest)
    return SmallVGG(16, in_chans, num_classes)


@timm.models.register_model
def vgg19_bn_cifar(
    pretrained: bool = False, *, in_chans: int = 3, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """VGG-19 with BatchNorm for small images."""
    _refuse("vgg19_bn_cifar", pretrained, rest)
    return SmallVGG(19, in_chans, num_classes)


@timm.models.register_model
def resnet18_cifar(
    pretrained: bool = False, *, in_chans: int = 3, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """ResNet-18 with a 3×3 stem and no max-pooling, for images of 32 or 64 pixels."""
    _refuse("resnet18_cifar", pretrained, rest)
    block: Any = BasicBlock  # timm annotates an instance where it takes the class
    model = ResNet(block, (2, 2, 2, 2), num_classes=num_classes, in_chans=in_chans)
    stem = nn.Conv2d(in_chans, 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    model.set_submodule("conv1", stem)
    model.set_submodule("maxpool", nn.Identity())
    return model


def names(pattern: str = "") -> list[str]:
    """The models by name, ours first; `pattern` may hold wildcards, as in `*vit*tiny*`."""
    from fnmatch import fnmatch

    known = [*OURS, *(name for name in timm.list_models() if name not in OURS)]
    return [name for name in known if not pattern or fnmatch(name, pattern)]


def create(name: str, shape: tuple[int, int, int], classes: int, **args: Any) -> nn.Module:
    """A model by its timm name for images `(C, H, W)` and so many classes, tried on one batch.

    `args` go to the model (`pretrained`, `patch_size`, …). Errors: unknown name (near matches), an argument
    that the model does not take, an image that it cannot digest, weights that cannot be fetched.
    """
    if not timm.is_model(name):
        raise SparsebenchError(f"unknown model {name!r}: {near(name, timm.list_models())}")
    model = _build(name, shape, {"num_classes": classes, "in_chans": shape[0], **args})
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            logits = model.eval()(torch.zeros(2, *shape))
    except Exception as error:
        raise SparsebenchError(
            f"model {name!r} cannot take images of {_size(shape)}: {_first_line(error)}"
        ) from error
    if logits.shape != (2, classes):
        raise SparsebenchError(
            f"model {name!r} gives {tuple(logits.shape)} for two images, not (2, {classes})"
        )
    return model.train()


def _build(name: str, shape: tuple[int, int, int], args: dict[str, Any]) -> nn.Module:
    """Models whose weights depend on the image's size take `img_size`; the others refuse the word."""
    size = shape[1] if shape[1] == shape[2] else shape[1:]
    attempts = [args] if "img_size" in args else [{**args, "img_size": size}, args]
    for index, attempt in enumerate(attempts):
        try:
            return timm.create_model(name, **attempt)
        except SparsebenchError:
            raise
        except TypeError as error:
            if index + 1 < len(attempts) and "img_size" in str(error):
                continue
            raise SparsebenchError(
                f"model {name!r} does not take these arguments: {_first_line(error)}"
            ) from error
        except Exception as error:
            doing = (
                "fetch the pretrained weights of"
                if args.get("pretrained")
                else f"build for {_size(shape)} images"
            )
            raise SparsebenchError(f"cannot {doing} {name!r}: {_first_line(error)}") from error
    raise AssertionError("the last attempt returns or raises")


def _size(shape: tuple[int, int, int]) -> str:
    return "×".join(map(str, shape))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
