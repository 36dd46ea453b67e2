"""What a dataset is: three splits that hand out batches, and the registry that finds them by name."""

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
    """One split of a dataset. Images leave it as float32 `(batch, C, H, W)`, normalised, on the device."""

    def __len__(self) -> int:
        """The number of examples."""

    def batches(self, batch_size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Every example once, in the stored order, never augmented; the last batch may be smaller."""

    def epoch(
        self, batch_size: int, device: torch.device, generator: torch.Generator, augment: str = "none"
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One shuffled, augmented pass in full batches (the ragged rest is left out, unless it is all).

        Order and augmentation are drawn from `generator` (on the CPU) alone, the same on every device.
        """


@dataclass(frozen=True)
class Data:
    """A dataset, opened. `shape` is (C, H, W); `digest` hashes the content that was read and the split.

    Images are normalised by channel as (x − mean)/std, in the units of the stored pixels; empty where a
    dataset does not say. It is told to those who use a finished model.
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


@dataclass(frozen=True)
class Dataset:
    """A registered dataset: what is known before it is opened, and how to open it.

    `open(root, download, **args)` returns `Data`; `shape`, `classes` and `train_size` (after the
    validation split is taken out) are None where only the user's folder knows them. `files`, relative to
    the root, tell whether the data are there; `args` holds the opener's arguments with their defaults.
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
    """Register an opener `f(root: Path, download: bool, **args) -> Data` under `name`."""

    def decorate(opener: Callable[..., Data]) -> Callable[..., Data]:
        registry.add(name, Dataset(name=name, open=opener, summary=summary, **facts))
        return opener

    return decorate


def data_root(root: str | Path | None = None) -> Path:
    """Where datasets lie: the argument, else SPARSEBENCH_DATA, else `data` in the user's cache."""
    if root is not None:
        return Path(root).expanduser()
    if named := os.environ.get("SPARSEBENCH_DATA"):
        return Path(named).expanduser()
    return Path("~/.cache/sparsebench/data").expanduser()


def open_dataset(name: str, root: str | Path | None = None, *, download: bool = True, **args: Any) -> Data:
    """Open a dataset by name. Errors: `SparsebenchError` for an unknown name or argument, or missing data."""
    dataset = registry[name]
    settings = dict(dataset.args)
    for key, value in args.items():
        if key not in settings:
            known = ", ".join(sorted(settings)) or "none"
            raise SparsebenchError(f"dataset {name!r} takes no argument {key!r}; known: {known}")
        settings[key] = _converted(f"dataset {name!r}: {key}", value, settings[key])
    return dataset.open(data_root(root), download, **settings)


def present(name: str, root: str | Path | None = None, **args: Any) -> bool:
    """Whether the data lie under the root already, judged by their files' names alone (nothing is opened).

    True for what needs no files. `path`, where the dataset has that argument, is taken below the root.
    """
    dataset = registry[name]
    folder = data_root(root) / str(args.get("path", dataset.args.get("path", "")))
    try:
        return all((folder / file).exists() for file in dataset.files)
    except OSError:  # a folder that may not be looked into
        return False


def full_batches(count: int, batch_size: int) -> int:
    """The number of batches that `Split.epoch` hands out: full ones, or the one ragged batch if it is all."""
    return max(1, count // batch_size)


def _converted(what: str, value: Any, default: Any) -> Any:
    """`value` in the type of `default`: numbers may come as text (from a command line), never as a bool."""
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
