"""Endless training batches, in an order that depends on the seed and the epoch alone."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...datasets.api import Split
from ..config.trial_spec import Recipe


class BatchStream:
    """An endless iterator over shuffled, augmented epochs of a split, whose position can be saved.

    Order and augmentation of an epoch come from a generator of its own, seeded with the seed and the epoch's
    number, so an epoch can be repeated without those before it. The position is `epoch` and, within it,
    `position`: the number of batches drawn.

    Args:
        split: The training split.
        recipe: Its `batch_size` and `augment` are used; the ragged rest of an epoch is left out.
        seed: The trial's seed.
        device: Where the batches are put.

    Example:
        >>> stream = BatchStream(data.train, Recipe(batch_size=64), seed=0, device=torch.device("cpu"))
        >>> drawn = [next(stream) for _ in range(6)]
        >>> len(data.train), stream.epoch, stream.position  # four batches an epoch
        (256, 1, 2)
    """

    def __init__(self, split: Split, recipe: Recipe, seed: int, device: torch.device) -> None:
        self.split, self.recipe, self.seed, self.device = split, recipe, seed, device
        self.epoch = self.position = 0
        self._epoch = self._open()

    def _open(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return self.split.epoch(self.recipe.batch_size, self.device, generator, self.recipe.augment)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        for batch in self._epoch:
            self.position += 1
            return batch
        self.epoch, self.position = self.epoch + 1, 0
        self._epoch = self._open()
        return next(self)

    def go_to(self, epoch: int, position: int) -> None:
        """Sets the position, so that the next batch is the one that a stream from the start would give."""
        self.epoch, self.position = epoch, 0
        self._epoch = self._open()
        for _ in range(position):
            next(self)
