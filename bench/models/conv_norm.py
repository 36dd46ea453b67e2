"""The layers of which the convolutional networks with BatchNorm are made."""

from torch import nn


def conv_norm(channels: int, filters: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Returns a convolution of 3 by 3 without a bias, and its BatchNorm.

    Args:
        channels: Channels in.
        filters: Channels out.

    Returns:
        Both layers; the weight is normal with variance 2/(9 · filters) (He et al., arXiv:1502.01852).

    Example:
        >>> conv, norm = conv_norm(3, 16)
        >>> tuple(conv.weight.shape), norm.num_features
        ((16, 3, 3, 3), 16)
    """
    conv = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv, nn.BatchNorm2d(filters)
