"""The probe of a method before training: labelled batches for scoring, each charged to the budget."""

import math
from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import SparsebenchError


class TrainingProbe:
    """The `Probe` of a method: batches and charges that must leave a step of the budget to train with.

    Args:
        model: The new model, for a method's forward passes.
        input_shape: (C, H, W) of an image.
        stream: Training batches; those drawn here are not drawn again in training.
        batch_size: Images of one step.
        total_steps: The budget of steps, for scoring and training together.

    Example:
        >>> import torch
        >>> stream = data.train.batches(64, torch.device("cpu"))
        >>> probe = TrainingProbe(model, data.shape, stream, batch_size=64, total_steps=10)
        >>> losses = [probe.loss(x, y).item() for x, y in probe.batches(2)]
        >>> probe.charge(images=1)
        >>> probe.spent  # two batches, and a step that one image begins
        3
    """

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
        """The steps charged so far; a begun one counts in full."""
        return math.ceil(self._images / self._batch_size)

    def batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields `count` training batches, each charged as one step before it is drawn."""
        for _ in range(count):
            self.charge(self._batch_size)
            yield next(self._stream)

    def charge(self, images: int) -> None:
        """Charges a forward and backward pass over so many images; raises where no step would be left."""
        self._images += images
        if self.spent >= self._total:
            raise SparsebenchError(
                f"scoring takes {self.spent} steps, but the whole budget is {self._total}: "
                "train for more epochs"
            )

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Returns the mean cross-entropy of the model on a batch."""
        return F.cross_entropy(self.model(x), y)
