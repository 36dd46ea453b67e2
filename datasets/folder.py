"""Datasets of the user's own images, with one folder per class."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import SparsebenchError
from . import pixels
from .api import Data, register_dataset
from .assemble import split_definition
from .images import class_folders, decode_all, digest_files, images_in, shorter_side
from .on_device import OnDevice, channel_statistics
from .splits import held_out
from .streaming import Streaming

MEMORY_LIMIT_BYTES = 512 * 2**20
"""The decoded size up to which a folder is read once and held on the device; a larger one is streamed."""
KEEP_FROM_BYTES = 16 * 2**20
"""The decoded size from which pixels are stored in the user's cache: to decode takes longer than to read."""
STATISTICS_COUNT = 4096
"""About how many training images, evenly spaced, give a streamed folder's mean and standard deviation."""


@dataclass(frozen=True)
class _ImageFiles:
    """Image files with their labels, int64 `(N,)`."""

    paths: list[Path]
    labels: Tensor

    def take(self, indices: Tensor) -> "_ImageFiles":
        """Returns the files at `indices`, int64 `(M,)`, in that order."""
        return _ImageFiles([self.paths[i] for i in indices.tolist()], self.labels[indices])


@register_dataset(
    "image_folder",
    summary="your own images: PATH/train/CLASS/*.jpg and optionally PATH/test or PATH/val",
    files=("train",),
    args={"path": "", "size": 0, "valid": 0, "stream": "auto"},
)
def image_folder(root: Path, download: bool, *, path: str, size: int, valid: int, stream: str) -> Data:
    """Opens a folder PATH/train/CLASS/ of images in colour, each scaled and cropped to a square.

    The shorter side is scaled to `size`, then the central square is cut out. The test set is PATH/test, else
    PATH/val, else a fixed stratified fifth of the images. Where test/ and val/ both exist, val/ is the
    validation split; otherwise it is held out of the training images.

    Args:
        root: The data root.
        download: Not used.
        path: The folder, relative to the data root or absolute; empty for the data root itself.
        size: The side of the images in pixels, 4 to 4096; 0 for the shorter side of the first training image,
            at most 224.
        valid: The number of images to hold out for validation; 0 for a tenth of them, at most 5,000. It has
            to be 0 where val/ is the validation split.
        stream: "never" holds all decoded images on the device, "always" decodes them from disk while training
            runs, "auto" chooses by the decoded size.

    Returns:
        The dataset, normalised by channel over the training split; over a sample of it where it is streamed.

    Raises:
        SparsebenchError: An argument is out of range; a folder or file, which the message names, is missing,
            empty, unreadable or no image; or val/ or test/ has a class that train/ has not.

    Example:
        >>> from PIL import Image
        >>> from sparsebench.datasets.api import open_dataset
        >>> for i in range(20):
        ...     file = Path("pets/train", ("cat", "dog")[i % 2], f"{i}.png")
        ...     file.parent.mkdir(parents=True, exist_ok=True)
        ...     Image.new("RGB", (12, 10)).save(file)
        >>> pets = open_dataset("image_folder", ".", path="pets")
        >>> pets.labels, pets.shape, len(pets.train), len(pets.valid), len(pets.test)
        (('cat', 'dog'), (3, 10, 10), 15, 1, 4)
    """
    # The splits as lists of files, and the side of their images.
    base = root / Path(path).expanduser()
    _check(base, size, valid, stream)
    names, train, held, test, definition = _split(base, valid)
    size = size or min(224, shorter_side("image_folder", train.paths[0]))
    # The digest is of the files, before any is decoded.
    parts = [train, held, test]
    every = [file for part in parts for file in part.paths]
    digest = digest_files("image_folder", base, every, f"{definition} size={size}")
    # Pixels in memory, or streams of the files.
    streams = stream == "always" or (stream == "auto" and 3 * size**2 * len(every) > MEMORY_LIMIT_BYTES)
    splits: Sequence[OnDevice | Streaming]
    splits = _streamed(parts, size) if streams else _in_memory(parts, size, digest)
    norm = (tuple(splits[0].mean.tolist()), tuple(splits[0].std.tolist()))
    return Data(
        "image_folder",
        (3, size, size),
        len(names),
        splits[0],
        splits[1],
        splits[2],
        digest,
        tuple(names),
        *norm,
    )


def _check(base: Path, size: int, valid: int, stream: str) -> None:
    if not base.is_dir():
        raise SparsebenchError(
            f"dataset 'image_folder': the folder {str(base)!r} does not exist: set its argument path, "
            "or --data DIR or SPARSEBENCH_DATA, to the folder that holds train/"
        )
    if size and not 4 <= size <= 4096:
        raise SparsebenchError(f"dataset 'image_folder': size = {size} is out of range: 4 to 4096 pixels")
    if valid < 0:
        raise SparsebenchError(f"dataset 'image_folder': valid = {valid} is below 0")
    if stream not in ("auto", "always", "never"):
        raise SparsebenchError(
            f"dataset 'image_folder': stream = {stream!r} is not one of auto, always, never"
        )


def _split(base: Path, valid: int) -> tuple[list[str], _ImageFiles, _ImageFiles, _ImageFiles, str]:
    """Returns class names, the files for training, validation and test, and the rule in words."""
    if not (base / "train").is_dir():
        raise SparsebenchError(
            f"dataset 'image_folder': there is no folder train/ in {str(base)!r}; "
            "images are looked for in train/CLASS/"
        )
    names = class_folders("image_folder", base / "train")
    if len(names) < 2:
        raise SparsebenchError(
            f"dataset 'image_folder': {str(base / 'train')!r} holds {len(names)} class folders, and needs two"
        )
    train = _files(base / "train", names)
    others = [folder for folder in ("val", "test") if (base / folder).is_dir()]
    definition = "+".join(["train", *others])
    if others:
        test = _files(base / others[-1], names)
    else:
        train, test = _hold_out(train, max(1, len(train.paths) // 5))
    if len(others) == 2:
        if valid:
            raise SparsebenchError(
                f"dataset 'image_folder': {str(base)!r} has a val/ of its own beside test/: leave valid at 0"
            )
        return names, train, _files(base / "val", names), test, definition
    count = valid or min(5000, max(1, len(train.paths) // 10))
    train, held = _hold_out(train, count)
    return names, train, held, test, f"{definition} {split_definition(count)}"


def _files(folder: Path, names: list[str]) -> _ImageFiles:
    found = class_folders("image_folder", folder)
    if strangers := sorted(set(found) - set(names)):
        raise SparsebenchError(
            f"dataset 'image_folder': {str(folder / strangers[0])!r} is a class that train/ does not have"
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        images = images_in("image_folder", folder / name) if name in found else []
        paths += images
        labels += [label] * len(images)
    if not paths:
        raise SparsebenchError(f"dataset 'image_folder': {str(folder)!r} has no class folders")
    return _ImageFiles(paths, torch.tensor(labels))


def _hold_out(files: _ImageFiles, count: int) -> tuple[_ImageFiles, _ImageFiles]:
    try:
        kept, held = held_out(files.labels, count)
    except SparsebenchError as error:
        raise SparsebenchError(f"dataset 'image_folder': {error}") from None
    return files.take(kept), files.take(held)


def _in_memory(parts: list[_ImageFiles], size: int, digest: str) -> list[OnDevice]:
    import PIL

    paths = [path for part in parts for path in part.paths]
    # The digest is of all bytes of the files; another version of Pillow may decode them slightly differently.
    file = _pixels_folder() / f"{digest[:32]}-pillow-{PIL.__version__}.safetensors"
    kept = pixels.load(file)
    whole = kept[0]["images"] if kept else decode_all("image_folder", paths, size)
    if not kept and whole.numel() >= KEEP_FROM_BYTES:
        pixels.store(file, {"images": whole}, digest)
    images = torch.split(whole, [len(part.paths) for part in parts])
    mean, std = channel_statistics(images[0])
    return [OnDevice(x, part.labels, mean, std) for x, part in zip(images, parts, strict=True)]


def _pixels_folder() -> Path:
    """Returns the folder of decoded pixels, `sparsebench/pixels` in the user's cache; it may be deleted."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sparsebench" / "pixels"


def _streamed(parts: list[_ImageFiles], size: int) -> list[Streaming]:
    paths = parts[0].paths
    step = max(1, len(paths) // STATISTICS_COUNT)
    mean, std = channel_statistics(decode_all("image_folder", paths[::step], size))
    return [Streaming("image_folder", part.paths, part.labels, size, mean, std) for part in parts]
