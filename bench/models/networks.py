"""The pruning literature's own networks. timm, slow to import, is asked by the one that is built on it."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ...errors import SparsebenchError

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


# What timm and sparsebench hand to every model, wanted or not.
_OFFERED = {"pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "img_size"}


def _refuse(name: str, pretrained: bool, rest: dict[str, Any]) -> None:
    if pretrained:
        raise SparsebenchError(f"model {name!r} has no pretrained weights")
    for argument in rest:
        if argument not in _OFFERED:
            raise SparsebenchError(f"model {name!r} takes no argument {argument!r}")


def lenet_300_100(
    pretrained: bool = False, *, in_chans: int = 1, img_size: int = 28, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """LeNet-300-100 for square images."""
    _refuse("lenet_300_100", pretrained, rest)
    return LeNet300100(in_chans, img_size, num_classes)


def lenet5(
    pretrained: bool = False, *, in_chans: int = 1, img_size: int = 28, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """LeNet-5, Caffe form, for square images."""
    _refuse("lenet5", pretrained, rest)
    return LeNet5(in_chans, img_size, num_classes)


def vgg16_bn_cifar(
    pretrained: bool = False, *, in_chans: int = 3, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """VGG-16 with BatchNorm for small images."""
    _refuse("vgg16_bn_cifar", pretrained, rest)
    return SmallVGG(16, in_chans, num_classes)


def vgg19_bn_cifar(
    pretrained: bool = False, *, in_chans: int = 3, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """VGG-19 with BatchNorm for small images."""
    _refuse("vgg19_bn_cifar", pretrained, rest)
    return SmallVGG(19, in_chans, num_classes)


def resnet18_cifar(
    pretrained: bool = False, *, in_chans: int = 3, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """ResNet-18 with a 3×3 stem and no max-pooling, for images of 32 or 64 pixels."""
    _refuse("resnet18_cifar", pretrained, rest)
    from timm.models.resnet import BasicBlock, ResNet

    block: Any = BasicBlock  # timm annotates an instance where it takes the class
    model = ResNet(block, (2, 2, 2, 2), num_classes=num_classes, in_chans=in_chans)
    stem = nn.Conv2d(in_chans, 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    model.set_submodule("conv1", stem)
    model.set_submodule("maxpool", nn.Identity())
    return model


OURS: dict[str, Callable[..., nn.Module]] = {
    maker.__name__: maker for maker in (lenet_300_100, lenet5, vgg16_bn_cifar, vgg19_bn_cifar, resnet18_cifar)
}
"""What builds each of them, by its name."""
