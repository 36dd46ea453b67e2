"""Tiny ImageNet: 200 classes at 64x64, from its own archive."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import SparsebenchError
from . import pixels
from .api import Data, register_dataset
from .assemble import Arrays, assemble
from .images import decode_all, digest_files, images_in
from .sources import ensure, reading

FOLDER = "tiny-imagenet-200"
CACHE = "sparsebench-pixels.safetensors"
_FILES = tuple(f"{FOLDER}/{file}" for file in ("wnids.txt", "words.txt", "val/val_annotations.txt"))


@dataclass(frozen=True)
class Archive:
    """Where the archive lies and what it holds."""

    url: str = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
    # The authors publish no checksum; this one is quoted for their file across public loaders of it.
    md5: str = "90528d7ca1a48142e341f4ef8d21d0de"
    classes: int = 200
    train_each: int = 500
    test: int = 10_000


@register_dataset(
    "tiny_imagenet",
    summary="photographs in 200 classes, 64x64 colour, 100,000 + 10,000",
    reference="Le, Yang 2015, Tiny ImageNet visual recognition challenge (Stanford CS231n)",
    shape=(3, 64, 64),
    classes=200,
    train_size=95_000,
    downloads=True,
    files=_FILES,
    args={"valid": 5000},
)
def tiny_imagenet(root: Path, download: bool, *, valid: int) -> Data:
    """The archive's train/ less `valid` held-out images; its val/ is the test set (test/ has no labels)."""
    return open_archive(root, download, valid, Archive())


def open_archive(root: Path, download: bool, valid: int, archive: Archive) -> Data:
    """As `tiny_imagenet`, for an archive of this layout and any size. The zip is kept beside its folder.

    The decoded pixels are written once beside the images, where that is allowed, and read from there later.
    """
    ensure("tiny_imagenet", root, _FILES, download, lambda: _fetch(root, archive))
    folder = root / FOLDER
    names, words = _classes(folder, archive)
    kept = pixels.load(folder / CACHE)
    if kept is None:
        kept = _decoded(folder, names, archive)
        pixels.store(folder / CACHE, *kept)
    arrays, content = kept
    train = Arrays(arrays["train_images"], arrays["train_labels"])
    test = Arrays(arrays["test_images"], arrays["test_labels"])
    return assemble("tiny_imagenet", train, test, words, valid, content=content)


def _decoded(folder: Path, names: list[str], archive: Archive) -> tuple[dict[str, Tensor], str]:
    train, train_labels = _train_files(folder, names, archive)
    test, test_labels = _test_files(folder, names, archive)
    content = digest_files("tiny_imagenet", folder, [*train, *test, folder / "val/val_annotations.txt"], "")
    arrays = {
        "train_images": decode_all("tiny_imagenet", train, 64),
        "train_labels": torch.tensor(train_labels),
        "test_images": decode_all("tiny_imagenet", test, 64),
        "test_labels": torch.tensor(test_labels),
    }
    return arrays, content


def _fetch(root: Path, archive: Archive) -> None:
    from torchvision.datasets.utils import download_and_extract_archive  # type: ignore[import-untyped]

    download_and_extract_archive(archive.url, str(root), filename=f"{FOLDER}.zip", md5=archive.md5)


def _classes(folder: Path, archive: Archive) -> tuple[list[str], list[str]]:
    """The WordNet ids in the order of wnids.txt, and the first word for each."""
    with reading("tiny_imagenet", folder / "wnids.txt"):
        names = (folder / "wnids.txt").read_text(encoding="utf-8").split()
    with reading("tiny_imagenet", folder / "words.txt"):
        lines = (folder / "words.txt").read_text(encoding="utf-8").splitlines()
    if len(names) != archive.classes:
        raise _incomplete(folder, f"wnids.txt names {len(names)} of {archive.classes} classes")
    words = dict(line.split("\t", 1) for line in lines if "\t" in line)
    return names, [words.get(name, name).split(",")[0].strip() for name in names]


def _train_files(folder: Path, names: list[str], archive: Archive) -> tuple[list[Path], list[int]]:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        images = images_in("tiny_imagenet", folder / "train" / name / "images")
        if len(images) != archive.train_each:
            raise _incomplete(folder, f"train/{name} has {len(images)} of {archive.train_each} images")
        paths += images
        labels += [label] * len(images)
    return paths, labels


def _test_files(folder: Path, names: list[str], archive: Archive) -> tuple[list[Path], list[int]]:
    """All of val/ lies in one folder; a table says which class each file is of."""
    table = folder / "val" / "val_annotations.txt"
    with reading("tiny_imagenet", table):
        rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines() if line.strip()]
        order = {name: label for label, name in enumerate(names)}
        labels = {row[0]: order[row[1]] for row in rows}
    paths = images_in("tiny_imagenet", folder / "val" / "images")
    if len(paths) != archive.test or {path.name for path in paths} != set(labels):
        raise _incomplete(folder, f"val/ has {len(paths)} of {archive.test} images, and {len(labels)} labels")
    return paths, [labels[path.name] for path in paths]


def _incomplete(folder: Path, what: str) -> SparsebenchError:
    return SparsebenchError(
        f"dataset 'tiny_imagenet': {str(folder)!r} is incomplete ({what}): delete the folder, so that the "
        "archive is unpacked again"
    )
