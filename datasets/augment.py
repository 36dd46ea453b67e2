"""Batched augmentation: random crops of a padded image and horizontal flips, drawn on the CPU."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..errors import SparsebenchError, suggest
from .api import AUGMENTATIONS


def _check_augmentation(name: str) -> None:
    """Raises a `SparsebenchError` for a name that is not in `AUGMENTATIONS`."""
    if name not in AUGMENTATIONS:
        raise SparsebenchError(f"unknown augmentation {name!r}: {suggest(name, AUGMENTATIONS)}")


def _margin(side: int) -> int:
    """Returns the width of the black border of an image before it is cropped: an eighth of its side, rounded.

    So it is 4 pixels at side 32, the usual padding for CIFAR, and 8 at 64.
    """
    return max(1, (side + 4) // 8)


@dataclass(frozen=True)
class Draws:
    """Random crops and flips of the N images of an epoch, in the order of the epoch; None for no such change.

    A crop cuts a window of the image's own size out of the image with a black border of an eighth of its
    side. A flip mirrors the image horizontally.

    Attributes:
        top: The first row of each crop in the bordered image, int64 `(N,)` from 0 to twice the border.
        left: The first column, likewise.
        flip: Whether each image is mirrored, bool `(N,)`.

    Example:
        >>> images = torch.arange(4.0).view(1, 1, 2, 2)  # one image, whose border is 1 wide
        >>> Draws(None, None, torch.tensor([True])).apply(images, slice(0, 1)).tolist()
        [[[[1.0, 0.0], [3.0, 2.0]]]]
        >>> Draws(torch.tensor([2]), torch.tensor([1]), None).apply(images, slice(0, 1)).tolist()
        [[[[2.0, 3.0], [0.0, 0.0]]]]
    """

    top: Tensor | None
    left: Tensor | None
    flip: Tensor | None

    @classmethod
    def make(
        cls, count: int, shape: tuple[int, int, int], augment: str, generator: torch.Generator
    ) -> "Draws":
        """Returns draws for `count` images of shape (C, H, W), from `generator` (on the CPU) alone.

        Offsets are uniform over 0 … 2·border, and a flip has probability 1/2.
        """
        _check_augmentation(augment)
        top = left = flip = None
        if augment.startswith("crop"):
            top = torch.randint(2 * _margin(shape[1]) + 1, (count,), generator=generator)
            left = torch.randint(2 * _margin(shape[2]) + 1, (count,), generator=generator)
        if augment.endswith("flip"):
            flip = torch.randint(2, (count,), generator=generator) == 1
        return cls(top, left, flip)

    def to(self, device: torch.device) -> "Draws":
        """Returns the same draws on another device."""
        moved = (None if x is None else x.to(device) for x in (self.top, self.left, self.flip))
        return Draws(*moved)

    def apply(self, images: Tensor, where: slice) -> Tensor:
        """Returns the images `(B, C, H, W)` at the places `where` of the epoch, cropped and flipped.

        To crop they have to be raw pixels, not yet normalised, since the border is zeros.
        """
        if self.top is not None and self.left is not None:
            images = _crop(images, self.top[where], self.left[where])
        if self.flip is not None:
            images = torch.where(self.flip[where, None, None, None], images.flip(3), images)
        return images


def _crop(images: Tensor, top: Tensor, left: Tensor) -> Tensor:
    count, _, height, width = images.shape
    rows, columns = _margin(height), _margin(width)
    padded = pad(images, (columns, columns, rows, rows))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count, device=images.device), :, top, left]
