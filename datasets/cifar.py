"""CIFAR-10 and CIFAR-100, read through torchvision: colour images of 32x32 pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import SparsebenchError
from .api import Data, register_dataset
from .assemble import Arrays, assemble
from .sources import ensure, reading

_SOURCE = "Krizhevsky 2009, Learning multiple layers of features from tiny images"


def _facts(classes: int, folder: str, *files: str) -> dict[str, Any]:
    return {
        "reference": _SOURCE,
        "shape": (3, 32, 32),
        "classes": classes,
        "train_size": 45_000,
        "downloads": True,
        "files": tuple(f"{folder}/{file}" for file in files),
        "args": {"valid": 5000},
    }


_TEN = _facts(
    10, "cifar-10-batches-py", *(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"
)
_HUNDRED = _facts(100, "cifar-100-python", "train", "test", "meta")


@register_dataset("cifar10", summary="photographs in 10 classes, 32x32 colour, 50,000 + 10,000", **_TEN)
def cifar10(root: Path, download: bool, *, valid: int) -> Data:
    """Opens CIFAR-10 in torchvision's layout: 50,000 training and 10,000 test images in 10 classes.

    Args:
        root: The data root; the files are in its folder `cifar-10-batches-py`.
        download: Whether the archive may be downloaded where a file is missing.
        valid: The number of training images to hold out for validation.

    Returns:
        The dataset, normalised by channel over the training images that remain.

    Raises:
        SparsebenchError: A file is missing and not downloaded, or corrupt; or `valid` is out of range.

    Example:
        >>> from sparsebench.datasets.api import registry
        >>> entry = registry["cifar10"]
        >>> entry.shape, entry.classes, entry.train_size, entry.args["valid"]
        ((3, 32, 32), 10, 45000, 5000)
    """
    return _open("cifar10", "CIFAR10", _TEN["files"], root, download, valid)


@register_dataset("cifar100", summary="photographs in 100 classes, 32x32 colour, 50,000 + 10,000", **_HUNDRED)
def cifar100(root: Path, download: bool, *, valid: int) -> Data:
    """Opens CIFAR-100 in torchvision's layout: 50,000 training and 10,000 test images, with the fine labels.

    Args:
        root: The data root; the files are in its folder `cifar-100-python`.
        download: Whether the archive may be downloaded where a file is missing.
        valid: The number of training images to hold out for validation.

    Returns:
        The dataset, normalised by channel over the training images that remain.

    Raises:
        SparsebenchError: A file is missing and not downloaded, or corrupt; or `valid` is out of range.

    Example:
        >>> from sparsebench.datasets.api import registry
        >>> entry = registry["cifar100"]
        >>> entry.classes, entry.files
        (100, ('cifar-100-python/train', 'cifar-100-python/test', 'cifar-100-python/meta'))
    """
    return _open("cifar100", "CIFAR100", _HUNDRED["files"], root, download, valid)


def _open(name: str, family: str, files: tuple[str, ...], root: Path, download: bool, valid: int) -> Data:
    import torchvision  # type: ignore[import-untyped]

    source = getattr(torchvision.datasets, family)
    ensure(name, root, files, download, lambda: source(root, train=True, download=True))
    parts, labels = [], []
    for train in (True, False):
        try:
            part = source(root, train=train, download=False)
        except Exception as error:
            _blame(name, root, source)
            with reading(name, root / source.base_folder):
                raise error from None
        images = torch.from_numpy(np.ascontiguousarray(np.asarray(part.data).transpose(0, 3, 1, 2)))
        parts.append(Arrays(images, torch.tensor(part.targets)))
        labels = [str(label) for label in part.classes]
    return assemble(name, parts[0], parts[1], labels, valid)


def _blame(name: str, root: Path, source: Any) -> None:
    """Raises a `SparsebenchError` that names the first file whose checksum is not torchvision's, if any."""
    from torchvision.datasets.utils import check_integrity  # type: ignore[import-untyped]

    meta = (source.meta["filename"], source.meta["md5"])
    for file, checksum in [*source.train_list, *source.test_list, meta]:
        path = root / source.base_folder / file
        with reading(name, path):
            sound = check_integrity(path, checksum)
        if not sound:
            raise SparsebenchError(
                f"dataset {name!r}: {str(path)!r} is truncated or corrupt (its checksum is wrong): "
                "delete it, so that it is fetched again, or put a sound copy there"
            )
