"""Datasets that fit into memory: tensors on the device, shuffled and augmented there."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .augment import Draws

FLOAT_LIMIT_BYTES = 256 * 2**20
"""The size up to which a split is normalised once, as float32; a larger one is normalised by the batch."""

CHUNK_BYTES = 512 * 2**10
"""The bytes of batches that are gathered at once: they stay in a core's cache until they are used."""


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean and standard deviation of each channel over all images and pixels.

    For uint8 they are computed from counts of the 256 values, so they are the same on every machine.

    Args:
        images: The pixels `(N, C, H, W)`, uint8 or of a floating-point type.

    Returns:
        The mean and the population standard deviation, each float32 `(C,)`, in the units of the pixels. A
        constant channel has the standard deviation 1 instead of 0, since images are divided by it.

    Example:
        >>> channel_statistics(torch.tensor([0, 4], dtype=torch.uint8).view(2, 1, 1, 1))
        (tensor([2.]), tensor([2.]))
    """
    if images.dtype == torch.uint8:
        values = torch.arange(256, dtype=torch.float64)
        counts = torch.stack([torch.bincount(c.flatten(), minlength=256) for c in images.unbind(1)]).double()
        total = counts.sum(1)
        mean = (counts * values).sum(1) / total
        variance = (counts * values.square()).sum(1) / total - mean.square()
    else:
        variance, mean = torch.var_mean(images.double(), dim=(0, 2, 3), correction=0)
    std = variance.clamp_min(0).sqrt()
    return mean.float(), torch.where(std > 0, std, 1.0).float()


class OnDevice:
    """A split held as tensors, which implements the `Split` protocol of `api.py`.

    Images are yielded as (x − mean)/std. They are copied to a device when it is first used, and stay there.

    Args:
        images: The pixels `(N, C, H, W)`, uint8 or float32.
        labels: The classes, int64 `(N,)`.
        mean: The mean by channel `(C,)`, in the units of the pixels.
        std: The standard deviation by channel `(C,)`, likewise; positive.

    Raises:
        ValueError: The numbers of images and labels differ.

    Example:
        >>> images = torch.tensor([0, 2, 4, 6], dtype=torch.uint8).view(4, 1, 1, 1)
        >>> split = OnDevice(images, torch.tensor([0, 0, 1, 1]), torch.tensor([3.0]), torch.tensor([1.0]))
        >>> [(x.flatten().tolist(), y.tolist()) for x, y in split.batches(3, torch.device("cpu"))]
        [([-3.0, -1.0, 1.0], [0, 0, 1]), ([3.0], [1])]
    """

    def __init__(self, images: Tensor, labels: Tensor, mean: Tensor, std: Tensor) -> None:
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images but {len(labels)} labels")
        self.images, self.labels, self.mean, self.std = images, labels, mean, std
        self._raw: dict[torch.device, tuple[Tensor, Tensor]] = {}
        self._statistics: dict[torch.device, tuple[Tensor, Tensor]] = {}
        self._ready: dict[torch.device, Tensor] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def prepare(self, device: torch.device) -> None:
        """Computes what each pass on a device needs: a process that is forked later has it already."""
        self._normalised(_exact(device))

    def batches(self, batch_size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every example once, in the stored order, not augmented; the last batch may be smaller."""
        device = _exact(device)
        raw, labels = self._on(device)
        ready = self._normalised(device)
        for start in range(0, len(self), batch_size):
            part = slice(start, start + batch_size)
            # A clone, since a model with in-place operations must not change the dataset.
            images = self._normalise(raw[part]) if ready is None else ready[part].clone()
            yield images, labels[part].clone()

    def epoch(
        self, batch_size: int, device: torch.device, generator: torch.Generator, augment: str = "none"
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields a shuffled, augmented pass in full batches without the rest; a small split is one batch.

        All random numbers are drawn at the call, before the first batch, from `generator` (on the CPU): first
        the order, then the augmentation of each place in it.
        """
        device = _exact(device)
        order = torch.randperm(len(self), generator=generator)
        shape = (self.images.shape[1], self.images.shape[2], self.images.shape[3])
        draws = Draws.make(len(self), shape, augment, generator)
        return self._walk(batch_size, device, order.to(device), draws.to(device), augment)

    def _walk(
        self, batch_size: int, device: torch.device, order: Tensor, draws: Draws, augment: str
    ) -> Iterator[tuple[Tensor, Tensor]]:
        raw, labels = self._on(device)
        # Crops contain black border pixels, so they are cut from the raw images and normalised afterwards.
        ready = None if augment.startswith("crop") else self._normalised(device)
        size = min(batch_size, len(self))
        order = order[: len(self) // size * size]
        # Several small batches are gathered at once, which takes as long as one of them would.
        several = size * max(1, CHUNK_BYTES // (4 * size * self.images[0].numel()))
        for start in range(0, len(order), several):
            part = slice(start, min(start + several, len(order)))
            chosen = order[part]
            if ready is None:
                images = self._normalise(draws.apply(raw.index_select(0, chosen), part))
            else:
                images = draws.apply(ready.index_select(0, chosen), part)
            several_labels = labels.index_select(0, chosen)
            for batch in zip(torch.split(images, size), torch.split(several_labels, size), strict=True):
                # Detached, since autograd rejects in-place operations of a model on one of several views.
                yield batch[0].detach(), batch[1].detach()

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self._raw:
            self._raw[device] = (self.images.to(device), self.labels.to(device))
        return self._raw[device]

    def _normalised(self, device: torch.device) -> Tensor | None:
        if 4 * self.images.numel() > FLOAT_LIMIT_BYTES:
            return None
        if device not in self._ready:
            self._ready[device] = self._normalise(self._on(device)[0])
        return self._ready[device]

    def _normalise(self, images: Tensor) -> Tensor:
        device = images.device
        if device not in self._statistics:
            self._statistics[device] = (self.mean.to(device), self.std.to(device))
        return normalise(images, *self._statistics[device])


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Returns (x − mean)/std by channel, as a new tensor.

    Args:
        images: The pixels x `(B, C, H, W)`, of any type; they are not changed.
        mean: The mean by channel `(C,)`, on the same device.
        std: The standard deviation by channel `(C,)`, likewise.

    Returns:
        The normalised images, float32 `(B, C, H, W)`.

    Example:
        >>> images = torch.tensor([0, 4], dtype=torch.uint8).view(1, 1, 1, 2)
        >>> normalise(images, *channel_statistics(images))
        tensor([[[[-1., 1.]]]])
    """
    return images.to(torch.float32, copy=True).sub_(mean.view(1, -1, 1, 1)).div_(std.view(1, -1, 1, 1))


def _exact(device: torch.device) -> torch.device:
    """Returns the device with its index, so that `cuda` and `cuda:0` share a copy."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device
