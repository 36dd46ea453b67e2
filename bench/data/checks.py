"""What training takes of a dataset: its facts, its images and its labels, checked when it is opened."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...datasets.api import Data, Split
from ...errors import SparsebenchError
from ...reasons import reason
from ...validation import odd_name

CHECK_SECONDS = 1.0  # of a split of others: as much of it as that allows
CHECKED_AT_ONCE = 256
PARTS = ("train", "valid", "test")
OURS = f"{__name__.partition('.')[0]}.datasets"


def checked(name: str, data: Data) -> Data:
    """Returns an opened dataset that training takes.

    Of a split held in memory all labels and images are checked. A split of others is read too, as far as a
    second allows, and of its training split one batch of an epoch.

    Args:
        name: The dataset's name.
        data: What its opener has returned.

    Returns:
        The same object.

    Raises:
        SparsebenchError: It is not `Data`; its shape, classes or digest are none; or images or labels of a
            split are not finite float32 numbers of the shape, or int64 numbers of the classes.

    Example:
        >>> checked("mine", data) is data
        True
        >>> from dataclasses import replace
        >>> checked("mine", replace(data, classes=7))
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: dataset 'mine', split 'train': labels go from 0 to 9, but the ...
    """
    _check_facts(f"dataset {name!r}", data)
    for part in PARTS:
        split: Split = getattr(data, part)
        where = f"dataset {name!r}, split {part!r}"
        _check_methods(split, where)
        if len(split) == 0:
            raise SparsebenchError(f"{where}: it is empty")
        _check_held_labels(split, data, where)
        if type(split).__module__.startswith(f"{OURS}."):
            _check_held_images(split, data, where)
            continue
        _check_batches(split, data, where)
        if part == "train":
            _check_epoch(split, data, where)
    return data


def _check_facts(where: str, data: Any) -> None:
    """Checks what a dataset says of itself."""
    if not isinstance(data, Data):
        raise SparsebenchError(f"{where}: its opener returns {type(data).__name__}, not Data")
    if not (_is_sequence(data.shape) and len(data.shape) == 3 and all(map(_is_count, data.shape))):
        raise SparsebenchError(f"{where}: its shape is {data.shape!r:.60}, not three whole numbers (C, H, W)")
    if not _is_count(data.classes):
        raise SparsebenchError(f"{where}: its number of classes is {data.classes!r:.60}")
    if not isinstance(data.digest, str) or odd_name([data.digest]):
        raise SparsebenchError(
            f"{where}: its digest is {data.digest!r:.60}, not a text of 1 to 200 printable characters"
        )


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _check_methods(split: Any, where: str) -> None:
    """Checks that a split can be asked for what the protocol has."""
    lacking = [name for name in ("__len__", "batches", "epoch") if not callable(getattr(split, name, None))]
    if lacking:
        raise SparsebenchError(f"{where}: {type(split).__name__} has no method {lacking[0]}")


def _check_held_labels(split: Split, data: Data, where: str) -> None:
    """Checks all labels, where a split holds them as a tensor."""
    labels = getattr(split, "labels", None)
    if isinstance(labels, Tensor) and len(labels) == len(split):
        _check_labels(labels, data.classes, where)


def _check_held_images(split: Split, data: Data, where: str) -> None:
    """Checks the images that a split of sparsebench's own holds; a streamed one checks them as it reads.

    Its batches are not asked for, as they would make a normalised copy of all.
    """
    images = getattr(split, "images", None)
    if not isinstance(images, Tensor):
        return
    for start in range(0, len(images), CHECKED_AT_ONCE):
        _check_images(images[start : start + CHECKED_AT_ONCE].float(), data.shape, where)
        if not images.is_floating_point():  # every whole number is finite
            break
    mean, std = getattr(split, "mean", torch.zeros(1)), getattr(split, "std", torch.ones(1))
    if not bool(mean.isfinite().all() and std.isfinite().all() and (std > 0).all()):
        raise SparsebenchError(
            f"{where}: images are divided by a deviation that is not above 0, or not finite"
        )


def _check_batches(split: Split, data: Data, where: str) -> None:
    """Checks the batches of a split that come within `CHECK_SECONDS`, the first one at any rate."""
    end, seen = time.monotonic() + CHECK_SECONDS, 0
    for batch in _read(split.batches, (min(CHECKED_AT_ONCE, len(split)), torch.device("cpu")), where):
        seen += _check_batch(batch, data, where)
        if time.monotonic() >= end:
            return
    if seen != len(split):
        raise SparsebenchError(f"{where}: its length is {len(split)}, but its batches have {seen} images")


def _check_epoch(split: Split, data: Data, where: str) -> None:
    """Checks the first batch of an epoch."""
    generator = torch.Generator().manual_seed(0)
    for batch in _read(
        split.epoch, (min(CHECKED_AT_ONCE, len(split)), torch.device("cpu"), generator), where
    ):
        _check_batch(batch, data, f"{where}, an epoch")
        return
    raise SparsebenchError(f"{where}: an epoch of it has no batch")


def _read(method: Any, arguments: tuple[Any, ...], where: str) -> Iterator[Any]:
    """Yields the batches that a split's method gives; what its code raises becomes a sentence."""
    try:
        yield from method(*arguments)
    except SparsebenchError:
        raise
    except Exception as error:
        raise SparsebenchError(f"{where}: it cannot be read ({reason(error)})") from error


def _check_batch(batch: Any, data: Data, where: str) -> int:
    """Checks the images and the labels of a batch; returns their number."""
    if not (
        isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(b, Tensor) for b in batch)
    ):
        found = " and ".join(type(b).__name__ for b in batch) if isinstance(batch, tuple | list) else None
        raise SparsebenchError(f"{where}: a batch is {found or type(batch).__name__}, not two tensors")
    x, y = batch
    _check_images(x, data.shape, where)
    if tuple(y.shape) != (len(x),):
        raise SparsebenchError(f"{where}: labels of {len(x)} images have the shape {tuple(y.shape)}")
    _check_labels(y, data.classes, where)
    return len(x)


def _check_images(images: Tensor, shape: tuple[int, int, int], where: str) -> None:
    """Checks that images are float32 of the dataset's shape, and finite."""
    if images.dtype != torch.float32 or tuple(images.shape[1:]) != tuple(shape):
        found, declared = ("×".join(map(str, size)) for size in (images.shape[1:], shape))
        raise SparsebenchError(
            f"{where}: images are {images.dtype} of {found}, not torch.float32 of {declared}"
        )
    if not bool(images.isfinite().all()):
        raise SparsebenchError(f"{where}: an image has a value that is not finite: mend it or take it out")


def _check_labels(labels: Tensor, classes: int, where: str) -> None:
    """Checks that labels are whole numbers from 0 to classes - 1."""
    if labels.dtype != torch.int64:
        raise SparsebenchError(f"{where}: labels are {labels.dtype}, not torch.int64: write labels.long()")
    if labels.ndim != 1:
        raise SparsebenchError(
            f"{where}: labels have the shape {tuple(labels.shape)}, not one number an image"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise SparsebenchError(
            f"{where}: labels go from {low} to {high}, but the {classes} classes are 0 to {classes - 1}"
        )
