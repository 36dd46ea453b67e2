"""The protocol of datasets: three splits that yield batches, and the registry that opens them by name."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..errors import SparsebenchError
from ..registry import Registry

AUGMENTATIONS = ("none", "flip", "crop", "crop_flip")


class Split(Protocol):
    """One split of a dataset: examples that are read in batches of images and labels.

    Images are yielded as float32 `(batch, C, H, W)`, normalised, and labels as int64 `(batch,)`, both on the
    device. `datasets/on_device.py` and `datasets/streaming.py` implement the protocol.

    Example:
        >>> len(data.valid)
        64
        >>> [len(labels) for _, labels in data.valid.batches(48, torch.device("cpu"))]
        [48, 16]
        >>> [len(labels) for _, labels in data.valid.epoch(48, torch.device("cpu"), torch.Generator())]
        [48]
    """

    def __len__(self) -> int:
        """The number of examples."""

    def batches(self, batch_size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every example once, in the stored order, not augmented; the last batch may be smaller."""

    def epoch(
        self, batch_size: int, device: torch.device, generator: torch.Generator, augment: str = "none"
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields a shuffled, augmented pass in full batches without the rest; a small split is one batch.

        `augment` is one of `AUGMENTATIONS`. The order and the augmentation are drawn from `generator` (on the
        CPU) alone, so they are the same on every device.
        """


@dataclass(frozen=True)
class Data:
    """An opened dataset: three splits and what a model has to know of them.

    Attributes:
        name: The name in the registry.
        shape: The shape (C, H, W) of an image.
        classes: The number of classes; labels are 0 … classes − 1.
        train: The training split, without the examples of `valid`.
        valid: The validation split, held out of the training set: a search compares trials on it.
        test: The test split, on which finished models are measured.
        digest: A sha256 in hex of the content that was read and of the rule that split it. It is part of a
            trial's identity, so that results on different data are not mixed.
        labels: The names of the classes in the order of the labels; empty where they have none.
        mean: The mean by channel, in the units of the stored pixels: images are normalised as
            (x − mean)/std. A saved model is accompanied by it; empty where a dataset does not state it.
        std: The standard deviation by channel, likewise.
        notes: What was left out or changed of the user's files, in sentences with numbers.

    Example:
        >>> data.name, data.shape, data.classes, len(data.train), len(data.valid), len(data.test)
        ('planted', (1, 8, 8), 10, 256, 64, 64)
    """

    name: str
    shape: tuple[int, int, int]
    classes: int
    train: Split
    valid: Split
    test: Split
    digest: str
    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A dataset's entry in the registry: its facts that are known without reading it, and its opener.

    Attributes:
        name: The name in the registry, on the command line and in suites.
        open: The opener; `open(root, download, **args)` returns `Data`.
        summary: One line for `sparsebench list datasets`.
        reference: The paper or page that describes the dataset.
        shape: The shape (C, H, W) of an image; None where it depends on the user's folder.
        classes: The number of classes; None likewise.
        train_size: The number of training examples with the default arguments, after the validation split
            has been taken out; None likewise.
        downloads: Whether the opener can download the files.
        files: Paths relative to the data root, all of which exist where the data are present.
        args: The opener's keyword arguments with their defaults, whose types the values are converted to.

    Example:
        >>> entry = registry["cifar10"]
        >>> entry.shape, entry.classes, entry.train_size, entry.args
        ((3, 32, 32), 10, 45000, {'valid': 5000})
    """

    name: str
    open: Callable[..., Data]
    summary: str
    reference: str = ""
    shape: tuple[int, int, int] | None = None
    classes: int | None = None
    train_size: int | None = None
    downloads: bool = False
    files: tuple[str, ...] = ()
    args: Mapping[str, Any] = field(default_factory=dict)


registry: Registry[Dataset] = Registry("dataset", "sparsebench.datasets", "sparsebench.datasets")


def register_dataset(
    name: str, *, summary: str, **facts: Any
) -> Callable[[Callable[..., Data]], Callable[..., Data]]:
    """Returns a decorator that registers an opener `f(root: Path, download: bool, **args) -> Data`.

    Args:
        name: The name of the dataset.
        summary: One line for `sparsebench list datasets`.
        **facts: The other fields of `Dataset` by name, such as `shape`, `classes` and `args`.

    Returns:
        The decorator, which returns the opener unchanged. It raises a `SparsebenchError` where another
        opener has the name.

    Example:
        >>> registry["mnist"].summary
        'handwritten digits, 28x28 grey, 60,000 + 10,000'
        >>> @register_dataset("mnist", summary="my own scans", shape=(1, 28, 28), classes=10)
        ... def scans(root: Path, download: bool) -> Data: ...
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: the dataset 'mnist' is registered already, by ...mnist.mnist
    """

    def decorate(opener: Callable[..., Data]) -> Callable[..., Data]:
        registry.add(name, Dataset(name=name, open=opener, summary=summary, **facts))
        return opener

    return decorate


def data_root(root: str | Path | None = None) -> Path:
    """Returns the folder of the datasets: the argument, else SPARSEBENCH_DATA, else one in the user's cache.

    Args:
        root: The folder that the user named, with a leading `~` for the home folder; None where none was.

    Returns:
        The folder, which need not exist; by default `~/.cache/sparsebench/data`.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, SPARSEBENCH_DATA="/srv/data"):
        ...     print(data_root(), data_root("mine"))
        /srv/data mine
    """
    if root is not None:
        return Path(root).expanduser()
    if named := os.environ.get("SPARSEBENCH_DATA"):
        return Path(named).expanduser()
    return Path("~/.cache/sparsebench/data").expanduser()


def open_dataset(name: str, root: str | Path | None = None, *, download: bool = True, **args: Any) -> Data:
    """Opens a registered dataset by name.

    Args:
        name: The name in the registry.
        root: The data root, as in `data_root`.
        download: Whether files that are missing may be downloaded, where the dataset can.
        **args: Arguments of the dataset that differ from their defaults. Numbers may be given as text.

    Returns:
        The dataset's splits, shape and digest.

    Raises:
        SparsebenchError: The name or an argument is unknown, a value is not of its default's type or out of
            range, or the data are missing or damaged.

    Example:
        >>> digits = open_dataset("digits", valid=100)
        >>> len(digits.train), len(digits.valid), len(digits.test)
        (1338, 100, 359)
        >>> open_dataset("digits", validation=100)
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: dataset 'digits' takes no argument 'validation'; known: valid
    """
    dataset = registry[name]
    settings = dict(dataset.args)
    for key, value in args.items():
        if key not in settings:
            known = ", ".join(sorted(settings)) or "none"
            raise SparsebenchError(f"dataset {name!r} takes no argument {key!r}; known: {known}")
        settings[key] = _converted(f"dataset {name!r}: {key}", value, settings[key])
    return dataset.open(data_root(root), download, **settings)


def present(name: str, root: str | Path | None = None, **args: Any) -> bool:
    """Returns whether a dataset's files exist under the data root; their content is not read.

    Args:
        name: The name in the registry.
        root: The data root, as in `data_root`.
        **args: The dataset's arguments; `path`, where it has that one, is resolved against the root.

    Returns:
        True where all files exist, so also for a dataset without files; False where a folder is unreadable.

    Example:
        >>> present("digits"), present("mnist", "an_empty_folder")
        (True, False)
    """
    dataset = registry[name]
    folder = data_root(root) / str(args.get("path", dataset.args.get("path", "")))
    try:
        return all((folder / file).exists() for file in dataset.files)
    except OSError:  # a folder that may not be looked into
        return False


def full_batches(count: int, batch_size: int) -> int:
    """Returns the number of batches, and so of optimizer steps, in one `Split.epoch`.

    Args:
        count: The number of examples in the split.
        batch_size: The number of examples in a full batch.

    Returns:
        The number of full batches; 1 for a split that is smaller than a batch, all of which is one then.

    Example:
        >>> full_batches(1000, 128), full_batches(50, 128)
        (7, 1)
    """
    return max(1, count // batch_size)


def _converted(what: str, value: Any, default: Any) -> Any:
    """Returns `value` in the type of `default`: a number may be text (of the command line) but not a bool."""
    kind = type(default)
    try:
        if isinstance(value, bool) or (kind is str and not isinstance(value, (str, os.PathLike))):
            raise ValueError
        converted = kind(os.fspath(value) if kind is str else value)
        if kind is int and converted != float(value):
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        wanted = {int: "a whole number", float: "a number", str: "a text"}.get(kind, kind.__name__)
        raise SparsebenchError(f"{what} = {value!r} is not {wanted}") from None
    return converted
