"""Datasets of the user's own images, with one folder per class."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from itertools import accumulate, combinations, pairwise, starmap, zip_longest
from pathlib import Path

import torch
from torch import Tensor

from ..errors import SparsebenchError
from . import pixels
from .api import Data, register_dataset
from .assemble import split_definition
from .decode_many import Seen, decode_files, glance_all
from .decoding import KINDS, REDRAWN, shorter_side
from .folder_layout import Layout, read_layout
from .images import hash_files
from .on_device import OnDevice, channel_statistics
from .splits import held_out
from .streaming import Streaming

DECODING = 2
"""The version of decoding, raised where it gives other pixels."""
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
    validation split; otherwise it is held out of the training images. The folders may have the other usual
    names (training; valid, validation, dev; testing), in upper or lower case.

    Args:
        root: The data root.
        download: Not used.
        path: The folder, absolute or (here, where a suite or command has not placed it) relative to the data
            root; empty for the data root itself.
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
            empty, unreadable or no image; the folder is not understood; or many pictures cannot be read.

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
    layout = read_layout(base)
    train, held, test, definition = _split(layout, base, valid)
    size = size or _usual_size([*train.paths, *held.paths, *test.paths])
    # The files' digest, before any is decoded; pixels in memory, or streams of the files.
    parts = [train, held, test]
    every = [file for part in parts for file in part.paths]
    content, hashes = hash_files("image_folder", base, every, f"{definition} size={size}")
    streams = stream == "always" or (stream == "auto" and 3 * size**2 * len(every) > MEMORY_LIMIT_BYTES)
    splits: Sequence[OnDevice | Streaming]
    splits, seen = _streamed(parts, size) if streams else _in_memory(parts, size, content)
    hashes = _hashes_of_pictures(splits, hashes, seen)
    norm = (tuple(splits[0].mean.tolist()), tuple(splits[0].std.tolist()))
    return Data(
        "image_folder",
        (3, size, size),
        len(layout.classes),
        splits[0],
        splits[1],
        splits[2],
        _digest(content, seen),
        tuple(layout.classes),
        *norm,
        notes=(*layout.notes, *_split_notes(layout, parts), *_notes(base, parts, seen, hashes)),
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


def _split(layout: Layout, base: Path, valid: int) -> tuple[_ImageFiles, _ImageFiles, _ImageFiles, str]:
    """Returns the files for training, validation and test, and the rule in words."""
    train = _files(layout.splits["train"])
    others = [split for split in ("val", "test") if split in layout.splits]
    definition = "+".join(["train", *others])
    if others:
        test = _files(layout.splits[others[-1]])
    else:
        train, test = _hold_out(train, max(1, len(train.paths) // 5))
    if len(others) == 2:
        if valid:
            raise SparsebenchError(
                f"dataset 'image_folder': {str(base)!r} has a val/ of its own beside test/: leave valid at 0"
            )
        return train, _files(layout.splits["val"]), test, definition
    count = valid or min(5000, max(1, len(train.paths) // 10))
    train, held = _hold_out(train, count)
    return train, held, test, f"{definition} {split_definition(count)}"


def _files(classes: list[list[Path]]) -> _ImageFiles:
    labels = [label for label, images in enumerate(classes) for _ in images]
    return _ImageFiles([path for images in classes for path in images], torch.tensor(labels))


def _usual_size(paths: list[Path]) -> int:
    """Returns the shorter side of the first image, at most 224."""
    try:
        return min(224, shorter_side("image_folder", paths[0]))
    except SparsebenchError:
        glance_all("image_folder", paths)  # says how many are no images
        raise


def _hold_out(files: _ImageFiles, count: int) -> tuple[_ImageFiles, _ImageFiles]:
    try:
        kept, held = held_out(files.labels, count)
    except SparsebenchError as error:
        raise SparsebenchError(f"dataset 'image_folder': {error}") from None
    return files.take(kept), files.take(held)


def _in_memory(parts: list[_ImageFiles], size: int, content: str) -> tuple[list[OnDevice], Seen]:
    import PIL

    paths = [path for part in parts for path in part.paths]
    # The digest is of all bytes of the files; another version of Pillow may decode them slightly differently.
    file = _pixels_folder() / f"{content[:32]}-{DECODING}-pillow-{PIL.__version__}.safetensors"
    kept = pixels.load(file)
    if kept:
        whole, seen = kept[0]["images"], json.loads(kept[1])
    else:
        whole, seen = decode_files("image_folder", paths, size)
        if whole.numel() >= KEEP_FROM_BYTES:
            pixels.store(file, {"images": whole}, json.dumps(seen))
    images = torch.split(whole, [len(part.paths) for part in parts])
    mean, std = channel_statistics(images[0])
    return [OnDevice(x, part.labels, mean, std) for x, part in zip(images, parts, strict=True)], seen


def _pixels_folder() -> Path:
    """Returns the folder of decoded pixels, `sparsebench/pixels` in the user's cache; it may be deleted."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sparsebench" / "pixels"


def _streamed(parts: list[_ImageFiles], size: int) -> tuple[list[Streaming], Seen]:
    paths = parts[0].paths
    step = max(1, len(paths) // STATISTICS_COUNT)
    sample, of_sample = decode_files("image_folder", paths[::step], size)
    mean, std = channel_statistics(sample)
    seen = glance_all("image_folder", [path for part in parts for path in part.paths])
    told = {kind: [i * step for i in found] for kind, found in of_sample.items()}
    streams = [Streaming("image_folder", part.paths, part.labels, size, mean, std) for part in parts]
    return streams, {**told, **seen}


def _digest(content: str, seen: Seen) -> str:
    """Returns the digest of the files' content, another one where pixels come out otherwise than before.

    Versions before did not scale, turn or blend: what they recorded of such files is of other data.
    """
    changed = sorted(REDRAWN & seen.keys())
    return sha256(f"{content} decoding={DECODING}".encode()).hexdigest() if changed else content


def _split_notes(layout: Layout, parts: list[_ImageFiles]) -> list[str]:
    """Returns what stands for a split that has no folder, and which splits lack classes."""
    train, held, _ = parts
    found = []
    if "test" not in layout.splits and "val" in layout.splits:
        found.append(
            f"there is no test/: {layout.folders['val']}/ is the test set, and {len(held.paths)} of "
            f"{len(train.paths) + len(held.paths)} training images are held out for validation"
        )
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        has = len(set(part.labels.tolist()))
        if has < len(layout.classes):
            images = "1 image" if len(part.paths) == 1 else f"{len(part.paths)} images"
            alone = ", on which nothing can be seen to be learned" if has == 1 else ""
            found.append(
                f"the {name} split has {images}, of {has} of the {len(layout.classes)} classes{alone}"
            )
    return found


def _hashes_of_pictures(
    splits: Sequence[OnDevice | Streaming], of_files: list[bytes], seen: Seen
) -> list[bytes]:
    """Returns a hash of each picture: of its pixels where they are in memory, which are the same in a copy
    that was saved anew, without EXIF or in another format; else, and of those of one colour, of its file."""
    plain, held = set(seen.get("constant", ())), [split for split in splits if isinstance(split, OnDevice)]
    pixels = (image for split in held for image in split.images)
    return [
        file if image is None or i in plain else blake2b(image.numpy().tobytes(), digest_size=16).digest()
        for i, (file, image) in enumerate(zip_longest(of_files, pixels))
    ]


def _notes(base: Path, parts: list[_ImageFiles], seen: Seen, hashes: list[bytes]) -> list[str]:
    """Returns what there is to tell of the decoded images, of copies of images between the splits, and of
    pictures that lie in several classes."""
    every = [file for part in parts for file in part.paths]
    found = [
        f"{len(seen[kind])} of {len(every)} images {what}, such as "
        f"{every[seen[kind][0]].relative_to(base).as_posix()!r}"
        for kind, what in KINDS.items()
        if kind in seen
    ]
    ends = [0, *accumulate(len(part.paths) for part in parts)]
    own = dict(zip(("training", "validation", "test"), starmap(slice, pairwise(ends)), strict=True))
    for one, other in combinations(own, 2):
        there = set(hashes[own[one]])
        copies = [i for i in range(len(every))[own[other]] if hashes[i] in there]
        if copies:
            found.append(
                f"{len(copies)} of {len(parts[list(own).index(other)].paths)} {other} images are copies of "
                f"{one} images, such as {every[copies[0]].relative_to(base).as_posix()!r}"
            )
    classes = dict[bytes, int]()
    labels = [label for part in parts for label in part.labels.tolist()]
    twice = [i for i, one in enumerate(hashes) if classes.setdefault(one, labels[i]) != labels[i]]
    if twice:
        found.append(
            f"{len(twice)} of {len(every)} images are copies of images of another class, such as "
            f"{every[twice[0]].relative_to(base).as_posix()!r}"
        )
    return found
