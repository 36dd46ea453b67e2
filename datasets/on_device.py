"""Small datasets: one tensor on the device, shuffled and augmented there, a batch at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .augment import Draws

FLOAT_LIMIT_BYTES = 256 * 2**20
"""Up to this size a split is normalised once and kept as float32; a larger one is normalised by the batch."""

CHUNK_BYTES = 512 * 2**10
"""So many bytes of batches are gathered at once: they stay in a core's cache until they are used."""


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of `(N, C, H, W)`, float32 `(C,)`, in pixel units.

    For uint8 they come from counts of the 256 values, so they are the same on every machine. A constant
    channel gets the standard deviation 1.
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
    """A split held as tensors. Implements the `Split` protocol of `api.py`.

    `images` is `(N, C, H, W)` uint8 or float32, `labels` int64 `(N,)`; `mean` and `std` are `(C,)` in the
    units of the pixels. Images leave as (x - mean)/std. Each device gets its copy when it is first asked for.
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

    def batches(self, batch_size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Every example once, in the stored order, never augmented; the last batch may be smaller."""
        device = _exact(device)
        raw, labels = self._on(device)
        ready = self._normalised(device)
        for start in range(0, len(self), batch_size):
            part = slice(start, start + batch_size)
            # A clone: a model that works in place must not write into the dataset.
            images = self._normalise(raw[part]) if ready is None else ready[part].clone()
            yield images, labels[part].clone()

    def epoch(
        self, batch_size: int, device: torch.device, generator: torch.Generator, augment: str = "none"
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One shuffled, augmented pass in full batches (the ragged rest is left out, unless it is all).

        Everything random is drawn here, at the call, from `generator` (on the CPU): first the order, then
        the augmentation of each place in it.
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
        # Crops bring in black pixels, so they are cut from the raw images and normalised afterwards.
        ready = None if augment.startswith("crop") else self._normalised(device)
        size = min(batch_size, len(self))
        order = order[: len(self) // size * size]
        # Several small batches are gathered at once, which costs what one of them would.
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
                # Detached, since autograd refuses a model that works in place on one of several views.
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
    """(x - mean)/std by channel, as a new float32 tensor `(B, C, H, W)`."""
    return images.to(torch.float32, copy=True).sub_(mean.view(1, -1, 1, 1)).div_(std.view(1, -1, 1, 1))


def _exact(device: torch.device) -> torch.device:
    """`cuda` with its index, so that `cuda` and `cuda:0` share a copy."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device
