"""The datasets that this process has open, each checked once: images and labels are what training takes."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...datasets.api import Data, Split, open_dataset, registry
from ...datasets.located import located
from ...errors import SparsebenchError
from ...reasons import reason

CHECK_SECONDS = 1.0  # of a split that does not have its labels as a tensor: as much of it as that allows
CHECKED_AT_ONCE = 256
OURS = f"{__name__.partition('.')[0]}.datasets"

Guard = Callable[[Callable[[str], None], str], AbstractContextManager[None]]
"""Called with a function that takes a sentence, and the name of what runs within."""


def unguarded(say: Callable[[str], None], who: str) -> AbstractContextManager[None]:
    """Returns a context that does nothing, as a `Guard`.

    Args:
        say: Not called.
        who: Not used.

    Returns:
        The context.

    Example:
        >>> with unguarded(print, "the dataset 'mine'"):
        ...     pass
    """
    return nullcontext()


@lru_cache(maxsize=4)
def _opened(name: str, root: str | None, args: tuple[tuple[str, Any], ...], guard: Guard) -> Data:
    return _guarded(name, root, dict(args), guard)


def open_data(
    name: str,
    root: str | Path | None = None,
    args: dict[str, Any] | None = None,
    base: str | Path | None = None,
    guard: Guard = unguarded,
) -> Data:
    """Returns a dataset, which the process keeps open: the next trial on it need not read it again.

    The four datasets that were opened last are cached.

    Args:
        name: Name of a registered dataset.
        root: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.
        args: Arguments of the dataset.
        base: The folder in which relative paths among them are looked for before the folder of datasets; None
            for the working directory.
        guard: Surrounds the opening of a dataset that is not one of sparsebench's own.

    Returns:
        The opened dataset; the same object for the same arguments.

    Raises:
        SparsebenchError: As `open_dataset`; or the images or labels of a split are not what training takes.

    Example:
        >>> planted = open_data("planted", args={"n": 320, "valid": 64})
        >>> planted.shape, planted is open_data("planted", args={"valid": 64, "n": 320})
        ((1, 8, 8), True)
    """
    places, notes = located(name, args or {}, base, root)
    data = _open(name, root, places, guard)
    return replace(data, notes=(*notes, *data.notes)) if notes else data


def forget_data() -> None:
    """Closes the datasets that are open, after code of others that may have changed their images.

    Example:
        >>> planted = open_data("planted", args={"n": 320, "valid": 64})
        >>> forget_data()
        >>> planted is open_data("planted", args={"n": 320, "valid": 64})
        False
    """
    _opened.cache_clear()


def _open(name: str, root: str | Path | None, args: dict[str, Any], guard: Guard) -> Data:
    key = tuple(sorted(args.items()))
    try:
        hash(key)
    except TypeError:  # such as a list: no dataset takes one, and opening it raises
        return _guarded(name, root, args, guard)
    return _opened(name, None if root is None else str(root), key, guard)


def _guarded(name: str, root: str | Path | None, args: dict[str, Any], guard: Guard) -> Data:
    """Opens and checks a dataset, one of others within the guard; what that says becomes a note."""
    if registry[name].open.__module__.startswith(f"{OURS}."):
        return _checked(name, open_dataset(name, root, **args))
    notes: list[str] = []
    with guard(notes.append, f"the dataset {name!r}"):
        data = _checked(name, open_dataset(name, root, **args))
    return replace(data, notes=(*data.notes, *notes)) if notes else data


def _checked(name: str, data: Data) -> Data:
    """Returns the dataset; raises `SparsebenchError` for a split whose images or labels no training takes."""
    for part in ("train", "valid", "test"):
        split: Split = getattr(data, part)
        where = f"dataset {name!r}, split {part!r}"
        if len(split) == 0:
            raise SparsebenchError(f"{where}: it is empty")
        labels, images = getattr(split, "labels", None), getattr(split, "images", None)
        whole = isinstance(labels, Tensor) and len(labels) == len(split)
        if isinstance(labels, Tensor) and whole:
            _check_labels(labels, data.classes, where)
        if isinstance(images, Tensor) and whole:  # in memory: a batch would make normalised copies
            _check_images(images[:CHECKED_AT_ONCE].float(), data.shape, where)
        elif not (whole and type(split).__module__.startswith(f"{OURS}.")):  # ours is checked as it is read
            _check_batches(split, data, where, seconds=0.0 if whole else CHECK_SECONDS)
    return data


def _check_batches(split: Split, data: Data, where: str, seconds: float) -> None:
    """Checks the first batch of a split, and those that follow within so many seconds."""
    start = time.monotonic()
    for x, y in _batches(split, where):
        if not (isinstance(x, Tensor) and isinstance(y, Tensor)):
            raise SparsebenchError(
                f"{where}: a batch is {type(x).__name__} and {type(y).__name__}, not two tensors"
            )
        _check_images(x, data.shape, where)
        if tuple(y.shape) != (len(x),):
            raise SparsebenchError(f"{where}: labels of {len(x)} images have the shape {tuple(y.shape)}")
        _check_labels(y, data.classes, where)
        if time.monotonic() - start >= seconds:
            return


def _batches(split: Split, where: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields the batches of a split; what its code raises becomes a sentence."""
    try:
        yield from split.batches(min(CHECKED_AT_ONCE, len(split)), torch.device("cpu"))
    except SparsebenchError:
        raise
    except Exception as error:
        raise SparsebenchError(f"{where}: it cannot be read ({reason(error)})") from error


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
