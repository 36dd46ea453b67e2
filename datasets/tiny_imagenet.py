"""Tiny ImageNet, read from its authors' archive: colour images of 64x64 pixels in 200 classes."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import SparsebenchError
from . import pixels
from .api import Data, register_dataset
from .assemble import Arrays, assemble
from .decode_many import decode_all
from .images import digest_files, images_in
from .sources import ensure, reading

FOLDER = "tiny-imagenet-200"
CACHE = "sparsebench-pixels.safetensors"
_FILES = tuple(f"{FOLDER}/{file}" for file in ("wnids.txt", "words.txt", "val/val_annotations.txt"))


@dataclass(frozen=True)
class Archive:
    """The source and the size of an archive in Tiny ImageNet's layout; the defaults are the authors' own.

    Attributes:
        url: Where the zip file is downloaded from.
        md5: The checksum of the zip file.
        classes: The number of classes.
        train_each: The number of training images in each class.
        test: The number of images in val/, which are the test set.

    Example:
        >>> archive = Archive()
        >>> archive.classes * archive.train_each, archive.test
        (100000, 10000)
    """

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
    """Opens Tiny ImageNet; the archive's val/ is the test set, since its test/ has no labels.

    Args:
        root: The data root; the files are in its folder `tiny-imagenet-200`.
        download: Whether the archive may be downloaded where a file is missing.
        valid: The number of images of train/ to hold out for validation.

    Returns:
        The dataset, normalised by channel over the training images that remain.

    Raises:
        SparsebenchError: A file is missing and not downloaded, or damaged; or `valid` is out of range.

    Example:
        >>> from sparsebench.datasets.api import registry
        >>> entry = registry["tiny_imagenet"]
        >>> entry.shape, entry.classes, entry.train_size, entry.args["valid"]
        ((3, 64, 64), 200, 95000, 5000)
    """
    return open_archive(root, download, valid, Archive())


def open_archive(root: Path, download: bool, valid: int, archive: Archive) -> Data:
    r"""Opens an archive in Tiny ImageNet's layout, of any number of classes and images.

    A downloaded zip file stays in the data root. The decoded pixels are written to a file beside the images,
    where that is permitted, and read from there the next time.

    Args:
        root: The data root, with or for the archive's folder `tiny-imagenet-200`.
        download: Whether the archive may be downloaded where a file is missing.
        valid: The number of images of train/ to hold out for validation.
        archive: The source of the archive, and the numbers of images that it must have.

    Returns:
        The dataset, whose class names are the first synonym that words.txt has for each class.

    Raises:
        SparsebenchError: A file is missing and not downloaded, or damaged; or `valid` is out of range.

    Example:
        >>> from PIL import Image
        >>> train = [f"train/{wnid}/images/{i}" for wnid in ("n1", "n2") for i in (1, 2)]
        >>> for file in [*train, "val/images/5"]:
        ...     Path(FOLDER, file).parent.mkdir(parents=True, exist_ok=True)
        ...     Image.new("L", (64, 64)).save(f"{FOLDER}/{file}.JPEG")
        >>> words, of_val = "n1\tgoldfish, carp\nn2\tnewt", "5.JPEG\tn2"
        >>> for file, text in zip(_FILES, ("n1 n2", words, of_val), strict=True):
        ...     _ = Path(file).write_text(text)
        >>> made = open_archive(Path(), False, 2, Archive(classes=2, train_each=2, test=1))
        >>> made.labels, len(made.train), len(made.valid), len(made.test)
        (('goldfish', 'newt'), 2, 2, 1)
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
    """Returns the WordNet ids in the order of wnids.txt, and the first synonym for each."""
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
    """Returns the files of val/, which are all in one folder, and their labels from its table."""
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
