"""A user's own images: one folder a class."""

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
"""Up to this size, decoded, a folder is read once and kept on the device; a larger one streams."""
KEEP_FROM_BYTES = 16 * 2**20
"""Decoded folders from this size are kept in the user's cache: decoding them takes longer than reading."""
STATISTICS_COUNT = 4096
"""Training images, evenly spaced, that mean and deviation of a streamed folder are taken from."""


@dataclass(frozen=True)
class Files:
    """Image files with their int64 labels `(N,)`."""

    paths: list[Path]
    labels: Tensor

    def take(self, indices: Tensor) -> "Files":
        return Files([self.paths[i] for i in indices.tolist()], self.labels[indices])


@register_dataset(
    "image_folder",
    summary="your own images: PATH/train/CLASS/*.jpg and optionally PATH/test or PATH/val",
    files=("train",),
    args={"path": "", "size": 0, "valid": 0, "stream": "auto"},
)
def image_folder(root: Path, download: bool, *, path: str, size: int, valid: int, stream: str) -> Data:
    """Images as uint8 colour, scaled to `size` pixels by the shorter side and cut square from the middle.

    `path` is taken below the data root (or absolute). `size` 0 takes the first training image's shorter
    side, at most 224. The test set is PATH/test, else PATH/val, else a fixed stratified fifth of the images.
    `valid` images (0: a tenth, at most 5,000) are held out of PATH/train; where both test/ and val/ exist,
    val/ is the validation set. `stream` is "always", "never" or "auto": by the decoded size.
    Errors: `SparsebenchError` naming a folder or file that is missing, empty, unreadable or no image.
    """
    base = root / Path(path).expanduser()
    _check(base, size, valid, stream)
    names, train, held, test, definition = _split(base, valid)
    size = size or min(224, shorter_side("image_folder", train.paths[0]))
    parts = [train, held, test]
    every = [file for part in parts for file in part.paths]
    digest = digest_files("image_folder", base, every, f"{definition} size={size}")
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


def _split(base: Path, valid: int) -> tuple[list[str], Files, Files, Files, str]:
    """Class names; the files for training, validation and test; the rule in words."""
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


def _files(folder: Path, names: list[str]) -> Files:
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
    return Files(paths, torch.tensor(labels))


def _hold_out(files: Files, count: int) -> tuple[Files, Files]:
    try:
        kept, held = held_out(files.labels, count)
    except SparsebenchError as error:
        raise SparsebenchError(f"dataset 'image_folder': {error}") from None
    return files.take(kept), files.take(held)


def _in_memory(parts: list[Files], size: int, digest: str) -> list[OnDevice]:
    import PIL

    paths = [path for part in parts for path in part.paths]
    # The digest names all the bytes that were read; another Pillow may decode them a little differently.
    file = pixels_folder() / f"{digest[:32]}-pillow-{PIL.__version__}.safetensors"
    kept = pixels.load(file)
    whole = kept[0]["images"] if kept else decode_all("image_folder", paths, size)
    if not kept and whole.numel() >= KEEP_FROM_BYTES:
        pixels.store(file, {"images": whole}, digest)
    images = torch.split(whole, [len(part.paths) for part in parts])
    mean, std = channel_statistics(images[0])
    return [OnDevice(x, part.labels, mean, std) for x, part in zip(images, parts, strict=True)]


def pixels_folder() -> Path:
    """Where decoded folders are kept: `sparsebench/pixels` in the user's cache. It may be deleted."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sparsebench" / "pixels"


def _streamed(parts: list[Files], size: int) -> list[Streaming]:
    paths = parts[0].paths
    step = max(1, len(paths) // STATISTICS_COUNT)
    mean, std = channel_statistics(decode_all("image_folder", paths[::step], size))
    return [Streaming("image_folder", part.paths, part.labels, size, mean, std) for part in parts]
