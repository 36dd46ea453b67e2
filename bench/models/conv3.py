"""A small convolutional network with BatchNorm, which a laptop trains in seconds on small images."""

from typing import Any

from torch import nn

from .conv_norm import conv_norm
from .refusal import refuse


class Conv3(nn.Sequential):
    """Three convolutions with BatchNorm, each followed by pooling, and one linear layer.

    Args:
        width: The filters of the first convolution; the second has twice as many, the third four times.
        in_chans: Channels of an image.
        num_classes: The number of logits.

    Example:
        >>> net = Conv3(16, in_chans=1, num_classes=10)
        >>> [layer.out_channels for layer in net if isinstance(layer, nn.Conv2d)], net[-1].in_features
        ([16, 32, 64], 64)
    """

    def __init__(self, width: int, in_chans: int, num_classes: int) -> None:
        layers: list[nn.Module] = []
        channels = in_chans
        for filters, pool in ((width, nn.MaxPool2d(2)), (2 * width, nn.MaxPool2d(2)), (4 * width, None)):
            layers += [*conv_norm(channels, filters), nn.ReLU(), pool or nn.AdaptiveAvgPool2d(1)]
            channels = filters
        super().__init__(*layers, nn.Flatten(), nn.Linear(channels, num_classes))


def conv3_bn(
    pretrained: bool = False, *, in_chans: int = 1, num_classes: int = 10, width: int = 16, **rest: Any
) -> nn.Module:
    """Returns a network of three convolutions with BatchNorm, for images of 4 pixels or more.

    Args:
        pretrained: Must be False: there are no pretrained weights.
        in_chans: Channels of an image.
        num_classes: The number of logits.
        width: The filters of the first convolution; the second has twice as many, the third four times.
        **rest: What timm and sparsebench pass to every model is ignored; anything else is an error.

    Returns:
        The network with new weights.

    Raises:
        SparsebenchError: Pretrained weights are asked for, or an argument is unknown.

    Example:
        >>> sum(p.numel() for p in conv3_bn().parameters())
        24058
    """
    refuse("conv3_bn", pretrained, rest)
    return Conv3(width, in_chans, num_classes)
