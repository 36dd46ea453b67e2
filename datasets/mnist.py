"""MNIST and two datasets in its format, read through torchvision: grey images of 28x28, ten classes."""

import struct
from math import prod
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import SparsebenchError
from .api import Data, register_dataset
from .assemble import Arrays, assemble
from .sources import ensure, reading

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _facts(folder: str) -> dict[str, Any]:
    return {
        "shape": (1, 28, 28),
        "classes": 10,
        "train_size": 55_000,
        "downloads": True,
        "files": tuple(f"{folder}/raw/{file}" for file in _FILES),
        "args": {"valid": 5000},
    }


@register_dataset(
    "mnist",
    summary="handwritten digits, 28x28 grey, 60,000 + 10,000",
    reference="LeCun, Bottou, Bengio, Haffner 1998",
    **_facts("MNIST"),
)
def mnist(root: Path, download: bool, *, valid: int) -> Data:
    """Opens MNIST in torchvision's layout: 60,000 training and 10,000 test images.

    Args:
        root: The data root; the files are in its folder `MNIST/raw`, named `*-ubyte`.
        download: Whether the files may be downloaded where one is missing.
        valid: The number of training images to hold out for validation.

    Returns:
        The dataset, normalised by mean and standard deviation of the training images that remain.

    Raises:
        SparsebenchError: A file is missing and not downloaded, or truncated; or `valid` is out of range.

    Example:
        >>> from sparsebench.datasets.api import registry
        >>> entry = registry["mnist"]
        >>> entry.shape, entry.classes, entry.train_size, entry.args["valid"]
        ((1, 28, 28), 10, 55000, 5000)
    """
    return _open("mnist", "MNIST", root, download, valid)


@register_dataset(
    "fashion_mnist",
    summary="articles of clothing, 28x28 grey, 60,000 + 10,000",
    reference="arXiv:1708.07747",
    **_facts("FashionMNIST"),
)
def fashion_mnist(root: Path, download: bool, *, valid: int) -> Data:
    """Opens Fashion-MNIST in torchvision's layout: 60,000 training and 10,000 test images.

    Args:
        root: The data root; the files are in its folder `FashionMNIST/raw`, named `*-ubyte`.
        download: Whether the files may be downloaded where one is missing.
        valid: The number of training images to hold out for validation.

    Returns:
        The dataset, normalised by mean and standard deviation of the training images that remain.

    Raises:
        SparsebenchError: A file is missing and not downloaded, or truncated; or `valid` is out of range.

    Example:
        >>> from sparsebench.datasets.api import registry
        >>> entry = registry["fashion_mnist"]
        >>> entry.summary, entry.reference
        ('articles of clothing, 28x28 grey, 60,000 + 10,000', 'arXiv:1708.07747')
    """
    return _open("fashion_mnist", "FashionMNIST", root, download, valid)


@register_dataset(
    "kmnist",
    summary="cursive Japanese characters (Kuzushiji-MNIST), 28x28 grey, 60,000 + 10,000",
    reference="arXiv:1812.01718",
    **_facts("KMNIST"),
)
def kmnist(root: Path, download: bool, *, valid: int) -> Data:
    """Opens Kuzushiji-MNIST in torchvision's layout: 60,000 training and 10,000 test images.

    Args:
        root: The data root; the files are in its folder `KMNIST/raw`, named `*-ubyte`.
        download: Whether the files may be downloaded where one is missing.
        valid: The number of training images to hold out for validation.

    Returns:
        The dataset, normalised by mean and standard deviation of the training images that remain.

    Raises:
        SparsebenchError: A file is missing and not downloaded, or truncated; or `valid` is out of range.

    Example:
        >>> from sparsebench.datasets.api import registry
        >>> entry = registry["kmnist"]
        >>> entry.downloads, entry.files[0]
        (True, 'KMNIST/raw/train-images-idx3-ubyte')
    """
    return _open("kmnist", "KMNIST", root, download, valid)


def _open(name: str, family: str, root: Path, download: bool, valid: int) -> Data:
    import torchvision  # type: ignore[import-untyped]

    source = getattr(torchvision.datasets, family)
    files = [f"{family}/raw/{file}" for file in _FILES]
    ensure(name, root, files, download, lambda: source(root, train=True, download=True))
    for file in files:
        _check_length(name, root / file)
    parts = []
    for train in (True, False):
        with reading(name, root / family):
            part = source(root, train=train, download=False)
        parts.append(_arrays(name, root / family, part.data, part.targets, len(part.classes)))
    return assemble(name, parts[0], parts[1], [str(label) for label in part.classes], valid)


def _check_length(name: str, file: Path) -> None:
    """Raises a `SparsebenchError` where an idx file's length is not the one that its header states."""
    with reading(name, file), file.open("rb") as stream:
        head = stream.read(4)
        if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 3:
            raise ValueError("not an idx file of bytes")
        sides = struct.unpack(f">{head[3]}I", stream.read(4 * head[3]).ljust(4 * head[3], b"\0"))
        size, due = file.stat().st_size, 4 + 4 * head[3] + prod(sides)
        if size != due:
            raise ValueError(f"{size} bytes where its header announces {due}")


def _arrays(name: str, folder: Path, images: Tensor, labels: Tensor, classes: int) -> Arrays:
    if images.ndim != 3 or images.shape[1:] != (28, 28) or len(images) != len(labels) or not len(labels):
        raise SparsebenchError(
            f"dataset {name!r}: the files in {str(folder)!r} are not 28x28 images with labels"
        )
    if int(labels.max()) >= classes:
        raise SparsebenchError(
            f"dataset {name!r}: a label in {str(folder)!r} is beyond the {classes} classes"
        )
    return Arrays(images.unsqueeze(1), labels.long())
