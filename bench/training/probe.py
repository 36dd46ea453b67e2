"""What a method may do before training: score on labelled batches, each charged to the budget."""

import math
from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import SparsebenchError


class TrainingProbe:
    """A method's `Probe`: it must leave something of the budget to train with."""

    def __init__(
        self,
        model: nn.Module,
        input_shape: tuple[int, int, int],
        stream: Iterator[tuple[Tensor, Tensor]],
        batch_size: int,
        total_steps: int,
    ) -> None:
        self.model, self.input_shape = model, input_shape
        self._stream, self._batch_size, self._total = stream, batch_size, total_steps
        self._images = 0

    @property
    def spent(self) -> int:
        """Steps charged so far."""
        return math.ceil(self._images / self._batch_size)

    def batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(count):
            self.charge(self._batch_size)
            yield next(self._stream)

    def charge(self, images: int) -> None:
        self._images += images
        if self.spent >= self._total:
            raise SparsebenchError(
                f"scoring takes {self.spent} steps, but the whole budget is {self._total}: "
                "train for more epochs"
            )

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self.model(x), y)
