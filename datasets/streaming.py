"""Large folders of images, decoded from disk while training runs."""

import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..errors import SparsebenchError
from .augment import Draws
from .decode_many import cores
from .decoding import decode
from .on_device import normalise

PAYS_FROM_BYTES = 256 * 2**20
"""The decoded bytes of a pass from which worker processes save more time than their start takes."""


class Streaming:
    """A split whose images are decoded when they are used; it implements the `Split` protocol of `api.py`.

    Worker processes only decode. Order and augmentation are drawn in the calling process, so the batches do
    not depend on the number of workers.

    Args:
        name: The dataset's name, for error messages.
        paths: The N image files.
        labels: Their classes, int64 `(N,)`.
        size: The side of the images in pixels.
        mean: The mean by channel `(3,)`, in the units of the pixels.
        std: The standard deviation by channel `(3,)`, likewise.
        workers: The number of worker processes, 0 to decode in this one; None chooses by the size of a pass
            and the cores.

    Example:
        >>> from PIL import Image
        >>> Image.new("L", (4, 4), 255).save("white.png")
        >>> half = torch.full((3,), 127.5)
        >>> split = Streaming("mine", [Path("white.png")] * 3, torch.tensor([0, 0, 1]), 2, half, half)
        >>> [(x.shape, x.unique(), y) for x, y in split.batches(2, torch.device("cpu"))]
        [(torch.Size([2, 3, 2, 2]), tensor([1.]), tensor([0, 0])), (torch.Size([1, 3, 2, 2]), ...)]
    """

    def __init__(
        self,
        name: str,
        paths: Sequence[Path],
        labels: Tensor,
        size: int,
        mean: Tensor,
        std: Tensor,
        workers: int | None = None,
    ) -> None:
        self.labels, self.size, self.mean, self.std = labels, size, mean, std
        self.workers = workers
        self._files = _Files(name, [str(path) for path in paths], size)

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, batch_size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every example once, in the stored order, not augmented; the last batch may be smaller."""
        order = torch.arange(len(self))
        parts = [slice(i, i + batch_size) for i in range(0, len(self), batch_size)]
        return self._walk(parts, order, device, Draws(None, None, None))

    def epoch(
        self, batch_size: int, device: torch.device, generator: torch.Generator, augment: str = "none"
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields a shuffled, augmented pass in full batches without the rest; a small split is one batch."""
        order = torch.randperm(len(self), generator=generator)
        draws = Draws.make(len(self), (3, self.size, self.size), augment, generator)
        size = min(batch_size, len(self))
        parts = [slice(i, i + size) for i in range(0, len(self) - size + 1, size)]
        return self._walk(parts, order, device, draws.to(device))

    def _walk(
        self, parts: list[slice], order: Tensor, device: torch.device, draws: Draws
    ) -> Iterator[tuple[Tensor, Tensor]]:
        mean, std = self.mean.to(device), self.std.to(device)
        loader = DataLoader(
            self._files,
            batch_sampler=[order[part].tolist() for part in parts],
            collate_fn=_stack,
            num_workers=self._workers(),
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # its own, so that the global one is not advanced
        )
        for part, images in zip(parts, loader, strict=True):
            if isinstance(images, str):
                raise SparsebenchError(images)
            moved = draws.apply(images.to(device, non_blocking=True), part)
            yield normalise(moved, mean, std), self.labels[order[part]].to(device)

    def _workers(self) -> int:
        if self.workers is not None:
            return self.workers
        pays = 3 * self.size**2 * len(self) >= PAYS_FROM_BYTES
        # A daemonic process, such as a pool's, may not start processes.
        if cores() <= 2 or not pays or multiprocessing.current_process().daemon:
            return 0
        return min(8, cores() - 1)


class _Files(Dataset[Tensor | str]):
    """Decoded images by index; an error is returned as its message, since a worker adds its traceback."""

    def __init__(self, name: str, paths: list[str], size: int) -> None:
        self.name, self.paths, self.size = name, paths, size

    def __getitem__(self, index: int) -> Tensor | str:
        try:
            return decode(self.name, Path(self.paths[index]), self.size)
        except SparsebenchError as error:
            return str(error)


def _stack(images: list[Tensor | str]) -> Tensor | str:
    decoded = []
    for image in images:
        if isinstance(image, str):
            return image
        decoded.append(image)
    return torch.stack(decoded)
