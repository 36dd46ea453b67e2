"""Batched augmentation: random crops of a padded image and horizontal flips, drawn on the CPU."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..errors import SparsebenchError, suggest
from .api import AUGMENTATIONS


def check_augmentation(name: str) -> None:
    """Errors: `SparsebenchError` for a name that is not in `AUGMENTATIONS`."""
    if name not in AUGMENTATIONS:
        raise SparsebenchError(f"unknown augmentation {name!r}: {suggest(name, AUGMENTATIONS)}")


def margin(side: int) -> int:
    """Pixels of black around an image before it is cropped: an eighth of the side (4 at 32, 8 at 64)."""
    return max(1, (side + 4) // 8)


@dataclass(frozen=True)
class Draws:
    """What was drawn for the images of an epoch, in the order of the epoch; each `(N,)` or None."""

    top: Tensor | None
    left: Tensor | None
    flip: Tensor | None

    @classmethod
    def make(
        cls, count: int, shape: tuple[int, int, int], augment: str, generator: torch.Generator
    ) -> "Draws":
        """Offsets uniform over 0…2·margin and fair coins, from `generator` alone."""
        check_augmentation(augment)
        top = left = flip = None
        if augment.startswith("crop"):
            top = torch.randint(2 * margin(shape[1]) + 1, (count,), generator=generator)
            left = torch.randint(2 * margin(shape[2]) + 1, (count,), generator=generator)
        if augment.endswith("flip"):
            flip = torch.randint(2, (count,), generator=generator) == 1
        return cls(top, left, flip)

    def to(self, device: torch.device) -> "Draws":
        moved = (None if x is None else x.to(device) for x in (self.top, self.left, self.flip))
        return Draws(*moved)

    def apply(self, images: Tensor, where: slice) -> Tensor:
        """The images `(B, C, H, W)`, raw pixels, that stand at `where` in the epoch, cropped and flipped."""
        if self.top is not None and self.left is not None:
            images = _crop(images, self.top[where], self.left[where])
        if self.flip is not None:
            images = torch.where(self.flip[where, None, None, None], images.flip(3), images)
        return images


def _crop(images: Tensor, top: Tensor, left: Tensor) -> Tensor:
    count, _, height, width = images.shape
    rows, columns = margin(height), margin(width)
    padded = pad(images, (columns, columns, rows, rows))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count, device=images.device), :, top, left]
