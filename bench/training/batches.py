"""Training batches without end, in an order that the seed and the epoch alone decide."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...datasets.api import Split
from ..config.trial_spec import Recipe


class BatchStream:
    """Iterates over epochs of a split; where it stands can be saved, and gone back to."""

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
        """Stand where `epoch` and `position` say, as if all before had been drawn."""
        self.epoch, self.position = epoch, 0
        self._epoch = self._open()
        for _ in range(position):
            next(self)
