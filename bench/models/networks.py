"""Networks of the pruning literature that timm does not have.

timm, slow to import, is imported only by the network that is built on it.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ...errors import SparsebenchError
from .conv3 import conv3_bn
from .conv_norm import conv_norm
from .refusal import refuse

_VGG = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _glorot(model: nn.Module) -> None:
    """Initialises with Glorot's normal and zero biases, as in the lottery-ticket papers (arXiv:1803.03635).

    torch's default initialisation is smaller, which costs factorized training accuracy; He's is larger, and
    after a short training its noise dominates the ranking of magnitude pruning.
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class LeNet300100(nn.Sequential):
    """The multilayer perceptron inputs-300-100-classes with ReLU (LeCun et al., 1998).

    Args:
        in_chans: Channels of an image.
        img_size: Height and width of an image in pixels.
        num_classes: The number of logits.

    Example:
        >>> weights = [p for p in LeNet300100(1, 28, 10).parameters() if p.ndim > 1]
        >>> sum(w.numel() for w in weights)  # on MNIST: 784·300 + 300·100 + 100·10
        266200
    """

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
    """LeNet-5 in Caffe's form, which the pruning literature uses: 20 and 50 filters of 5×5, 500 units.

    Args:
        in_chans: Channels of an image.
        img_size: Height and width of an image in pixels, 16 or more, else a `SparsebenchError`.
        num_classes: The number of logits.

    Example:
        >>> weights = [p for p in LeNet5(1, 28, 10).parameters() if p.ndim > 1]
        >>> sum(w.numel() for w in weights)  # on MNIST: 500 + 25,000 + 400,000 + 5,000
        430500
    """

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
    """VGG with BatchNorm for 32-pixel images: pooled 512 features, one linear layer (arXiv:1409.1556).

    Args:
        depth: 16 or 19, the depth of the original network; three of its layers are the linear ones that
            one replaces here.
        in_chans: Channels of an image.
        num_classes: The number of logits.

    Example:
        >>> vgg = SmallVGG(16, in_chans=3, num_classes=100)
        >>> sum(isinstance(layer, nn.Conv2d) for layer in vgg.modules()), vgg.head
        (13, Linear(in_features=512, out_features=100, bias=True))
    """

    def __init__(self, depth: int, in_chans: int, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_chans
        for stage, convs in enumerate(_VGG[depth]):
            width = min(64 * 2**stage, 512)
            for _ in range(convs):
                layers += [*conv_norm(channels, width), nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the logits `(N, classes)` of images `(N, C, H, W)`."""
        return self.head(self.flatten(self.pool(self.features(x))))  # type: ignore[no-any-return]


def lenet_300_100(
    pretrained: bool = False, *, in_chans: int = 1, img_size: int = 28, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """Returns a LeNet-300-100 for square images.

    Args:
        pretrained: Must be False: there are no pretrained weights.
        in_chans: Channels of an image.
        img_size: Height and width of an image in pixels.
        num_classes: The number of logits.
        **rest: What timm and sparsebench pass to every model is ignored; anything else is an error.

    Returns:
        The network with new weights.

    Raises:
        SparsebenchError: Pretrained weights are asked for, or an argument is unknown.

    Example:
        >>> lenet_300_100(img_size=8, num_classes=5)
        LeNet300100(
          (0): Flatten(start_dim=1, end_dim=-1)
          (1): Linear(in_features=64, out_features=300, bias=True)
          ...
          (5): Linear(in_features=100, out_features=5, bias=True)
        )
    """
    refuse("lenet_300_100", pretrained, rest)
    return LeNet300100(in_chans, img_size, num_classes)


def lenet5(
    pretrained: bool = False, *, in_chans: int = 1, img_size: int = 28, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """Returns a LeNet-5 in Caffe's form for square images.

    Args:
        pretrained: Must be False: there are no pretrained weights.
        in_chans: Channels of an image.
        img_size: Height and width of an image in pixels, 16 or more.
        num_classes: The number of logits.
        **rest: What timm and sparsebench pass to every model is ignored; anything else is an error.

    Returns:
        The network with new weights.

    Raises:
        SparsebenchError: Pretrained weights are asked for, or an argument is unknown,
            or the images are too small.

    Example:
        >>> lenet5(img_size=28)[5]  # 50 channels of 4×4
        Linear(in_features=800, out_features=500, bias=True)
    """
    refuse("lenet5", pretrained, rest)
    return LeNet5(in_chans, img_size, num_classes)


def vgg16_bn_cifar(
    pretrained: bool = False, *, in_chans: int = 3, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """Returns a VGG-16 with BatchNorm for small images.

    Args:
        pretrained: Must be False: there are no pretrained weights.
        in_chans: Channels of an image.
        num_classes: The number of logits.
        **rest: What timm and sparsebench pass to every model is ignored; anything else is an error.

    Returns:
        The network with new weights.

    Raises:
        SparsebenchError: Pretrained weights are asked for, or an argument is unknown.

    Example:
        >>> vgg16_bn_cifar(in_chans=1).features[0]
        Conv2d(1, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
    """
    refuse("vgg16_bn_cifar", pretrained, rest)
    return SmallVGG(16, in_chans, num_classes)


def vgg19_bn_cifar(
    pretrained: bool = False, *, in_chans: int = 3, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """Returns a VGG-19 with BatchNorm for small images.

    Args:
        pretrained: Must be False: there are no pretrained weights.
        in_chans: Channels of an image.
        num_classes: The number of logits.
        **rest: What timm and sparsebench pass to every model is ignored; anything else is an error.

    Returns:
        The network with new weights.

    Raises:
        SparsebenchError: Pretrained weights are asked for, or an argument is unknown.

    Example:
        >>> sum(isinstance(layer, nn.Conv2d) for layer in vgg19_bn_cifar().modules())
        16
    """
    refuse("vgg19_bn_cifar", pretrained, rest)
    return SmallVGG(19, in_chans, num_classes)


def resnet18_cifar(
    pretrained: bool = False, *, in_chans: int = 3, num_classes: int = 10, **rest: Any
) -> nn.Module:
    """Returns timm's ResNet-18 with a 3×3 stem and no max-pooling, for images of 32 or 64 pixels.

    Args:
        pretrained: Must be False: there are no pretrained weights.
        in_chans: Channels of an image.
        num_classes: The number of logits.
        **rest: What timm and sparsebench pass to every model is ignored; anything else is an error.

    Returns:
        The network with new weights.

    Raises:
        SparsebenchError: Pretrained weights are asked for, or an argument is unknown.

    Example:
        >>> network = resnet18_cifar()
        >>> network.conv1, network.maxpool
        (Conv2d(3, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False), Identity())
    """
    refuse("resnet18_cifar", pretrained, rest)
    from timm.models.resnet import BasicBlock, ResNet

    block: Any = BasicBlock  # timm annotates an instance where it takes the class
    model = ResNet(block, (2, 2, 2, 2), num_classes=num_classes, in_chans=in_chans)
    stem = nn.Conv2d(in_chans, 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    model.set_submodule("conv1", stem)
    model.set_submodule("maxpool", nn.Identity())
    return model


OURS: dict[str, Callable[..., nn.Module]] = {
    maker.__name__: maker
    for maker in (lenet_300_100, lenet5, conv3_bn, vgg16_bn_cifar, vgg19_bn_cifar, resnet18_cifar)
}
"""The function that builds each network, by the name that timm and suites use."""
