"""Decoding of many image files at once, with what there is to tell of them."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from ..errors import SparsebenchError
from .decoding import KINDS, decode_file, glance

THREADS_PAY_FROM_BYTES = 16 * 2**10
"""The size of an image file from which several files are decoded at once, by threads."""

Seen = dict[str, list[int]]
"""By key of `KINDS` the indices of the files that are of that kind."""


def decode_all(name: str, paths: Sequence[Path], size: int) -> Tensor:
    """Returns image files as one tensor, decoded by up to eight threads where the files are large.

    Args:
        name: The dataset's name, for error messages.
        paths: The image files; at least one.
        size: The side of the images in pixels, as in `decode`.

    Returns:
        The pixels, uint8 `(N, 3, size, size)`, in the order of the paths.

    Raises:
        SparsebenchError: A file may not be read or is no whole image.

    Example:
        >>> from PIL import Image
        >>> for value in (0, 255):
        ...     Image.new("L", (12, 12), value).save(f"{value}.png")
        >>> decode_all("mine", [Path("0.png"), Path("255.png")], 4)[:, 0, 0, 0]
        tensor([ 0, 255], dtype=torch.uint8)
    """
    return decode_files(name, paths, size)[0]


def decode_files(name: str, paths: Sequence[Path], size: int) -> tuple[Tensor, Seen]:
    """Returns image files as one tensor, as `decode_all` does, and what there is to tell of them.

    Args:
        name: The dataset's name, for error messages.
        paths: The image files; at least one.
        size: The side of the images in pixels.

    Returns:
        The pixels; and by key of `KINDS` the indices of the files that are of that kind.

    Raises:
        SparsebenchError: Files may not be read or are no whole images; the message says how many.

    Example:
        >>> from PIL import Image
        >>> Image.new("L", (12, 12), 9).save("plain.png")
        >>> decode_files("mine", [Path("plain.png")], 4)[1]
        {'constant': [0]}
    """
    images = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)

    def one(i: int) -> frozenset[str]:
        images[i], kinds = decode_file(name, paths[i], size)
        return kinds

    return images, _each(paths, one)


def glance_all(name: str, paths: Sequence[Path]) -> Seen:
    """Returns what the headers of image files tell, as `glance` does.

    Args:
        name: The dataset's name, for error messages.
        paths: The image files; at least one.

    Returns:
        By key of `KINDS` the indices of the files that may be of that kind.

    Raises:
        SparsebenchError: Files are no images; the message says how many.

    Example:
        >>> from PIL import Image
        >>> Image.new("RGBA", (8, 8)).save("clear.png")
        >>> glance_all("mine", [Path("clear.png")])
        {'blended': [0]}
    """
    return _each(paths, lambda i: glance(name, paths[i]))


def _each(paths: Sequence[Path], one: Callable[[int], frozenset[str]]) -> Seen:
    """Returns the indices by kind; raises the first error, with the number of all."""

    def some(start: int) -> list[frozenset[str] | SparsebenchError]:
        found: list[frozenset[str] | SparsebenchError] = []
        for i in range(start, min(start + 256, len(paths))):
            try:
                found.append(one(i))
            except SparsebenchError as error:
                found.append(error)
        return found

    # Decoding releases Python's lock, opening a file does not: on small files threads are slower than none.
    large = paths[0].stat().st_size >= THREADS_PAY_FROM_BYTES
    with ThreadPoolExecutor(min(8, cores()) if large else 1) as pool:
        every = [kinds for part in pool.map(some, range(0, len(paths), 256)) for kinds in part]
    errors = [found for found in every if isinstance(found, SparsebenchError)]
    if errors:
        more = f" ({len(errors)} of {len(paths)} files are refused)" if len(errors) > 1 else ""
        raise SparsebenchError(f"{errors[0]}{more}")
    kinds = [found for found in every if not isinstance(found, SparsebenchError)]
    seen = {kind: [i for i, found in enumerate(kinds) if kind in found] for kind in KINDS}
    return {kind: indices for kind, indices in seen.items() if indices}


def cores() -> int:
    """Returns the number of CPU cores that this process may use.

    Returns:
        The cores of the process's affinity, which a scheduler or container may restrict; where the system
        has no such notion, all cores of the machine.

    Example:
        >>> 1 <= cores() <= os.cpu_count()
        True
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1
