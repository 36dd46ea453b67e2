"""Image files: finding them in class folders, decoding them to one size, hashing them."""

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import SparsebenchError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})

THREADS_PAY_FROM_BYTES = 16 * 2**10
"""The size of an image file from which several are decoded at once."""


def class_folders(name: str, folder: Path) -> list[str]:
    """The class folders in `folder`, in the order of their names. Errors: there is none, or no access."""
    return sorted(
        entry.name for entry in _scan(name, folder) if entry.is_dir() and not entry.name.startswith(".")
    )


def images_in(name: str, folder: Path) -> list[Path]:
    """All image files below a class folder, in the order of their paths. Errors: there is none."""
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        for entry in _scan(name, waiting.pop()):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                waiting.append(Path(entry.path))
            elif Path(entry.name).suffix.lower() in SUFFIXES:
                found.append(Path(entry.path))
    if not found:
        raise SparsebenchError(f"dataset {name!r}: the class folder {str(folder)!r} holds no images")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _scan(name: str, folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except PermissionError:
        raise SparsebenchError(f"dataset {name!r}: the folder {str(folder)!r} may not be read") from None
    except OSError as error:
        raise SparsebenchError(
            f"dataset {name!r}: the folder {str(folder)!r} cannot be listed ({error.strerror})"
        ) from None


def decode(name: str, path: Path, size: int) -> Tensor:
    """One image as uint8 `(3, size, size)`: the shorter side scaled to `size`, then the middle cut out.

    Errors: `SparsebenchError` naming a file that is no whole image, or may not be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            # JPEG only: decode at half, a quarter or an eighth where that is still no smaller than needed.
            image.draft("RGB", (size, size))
            picture = image.convert("RGB")
        width, height = picture.size
        if (width, height) != (size, size):
            short = min(width, height)
            left, top = (width - short) // 2, (height - short) // 2
            box = (left, top, left + short, top + short)
            picture = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
        pixels = np.array(picture, dtype=np.uint8)
    except PermissionError:
        raise SparsebenchError(f"dataset {name!r}: {str(path)!r} may not be read") from None
    except Exception as error:  # the readers of broken files raise anything
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SparsebenchError(
            f"dataset {name!r}: {str(path)!r} is not a whole image ({text}): mend it or take it out"
        ) from None
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def shorter_side(name: str, path: Path) -> int:
    """The shorter side of an image in pixels, from its header. Errors: as `decode`."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return min(image.size)
    except Exception:
        decode(name, path, 1)  # says what is wrong
        raise


def decode_all(name: str, paths: Sequence[Path], size: int) -> Tensor:
    """All images as one uint8 tensor `(N, 3, size, size)`, decoded by a few threads where that pays."""
    from concurrent.futures import ThreadPoolExecutor

    images = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)

    def fill(start: int) -> None:
        for i in range(start, min(start + 256, len(paths))):
            images[i] = decode(name, paths[i], size)

    # Decoding runs beside Python, opening a file does not: on small files threads are slower than none.
    large = paths[0].stat().st_size >= THREADS_PAY_FROM_BYTES
    with ThreadPoolExecutor(min(8, cores()) if large else 1) as pool:
        for _ in pool.map(fill, range(0, len(paths), 256)):
            pass
    return images


def digest_files(name: str, base: Path, paths: Iterable[Path], definition: str) -> str:
    """sha256, in hex, over each file's path below `base`, its length and its bytes, then `definition`."""
    total = sha256()
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SparsebenchError(
                f"dataset {name!r}: {str(path)!r} cannot be read ({error.strerror})"
            ) from None
        total.update(f"{path.relative_to(base).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    total.update(definition.encode())
    return total.hexdigest()


def cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1
