"""CIFAR-10 and CIFAR-100 through torchvision: 32x32, colour."""

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
    """CIFAR-10 in torchvision's layout, `root/cifar-10-batches-py`."""
    return _open("cifar10", "CIFAR10", _TEN["files"], root, download, valid)


@register_dataset("cifar100", summary="photographs in 100 classes, 32x32 colour, 50,000 + 10,000", **_HUNDRED)
def cifar100(root: Path, download: bool, *, valid: int) -> Data:
    """CIFAR-100 with its fine labels in torchvision's layout, `root/cifar-100-python`."""
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
    """Errors: `SparsebenchError` naming the first file whose checksum is not torchvision's."""
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
