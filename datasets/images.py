"""Image files: their listing in class folders, decoding to one size, and digest."""

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import SparsebenchError
from ..reasons import message

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})

THREADS_PAY_FROM_BYTES = 16 * 2**10
"""The size of an image file from which several files are decoded at once, by threads."""


def class_folders(name: str, folder: Path) -> list[str]:
    """Returns the names of the class folders in a folder, sorted; hidden folders are left out.

    Args:
        name: The dataset's name, for error messages.
        folder: The folder of one split.

    Returns:
        The names; a name's index is its label. Empty where there are only files.

    Raises:
        SparsebenchError: The folder does not exist or may not be read.

    Example:
        >>> for kind in ("cat", "ant", ".thumbnails"):
        ...     Path("pets", kind).mkdir(parents=True)
        >>> class_folders("mine", Path("pets"))
        ['ant', 'cat']
    """
    return sorted(
        entry.name for entry in _scan(name, folder) if entry.is_dir() and not entry.name.startswith(".")
    )


def images_in(name: str, folder: Path) -> list[Path]:
    """Returns all image files below a class folder, sorted by path; hidden files and folders are left out.

    Args:
        name: The dataset's name, for error messages.
        folder: The class folder, which may have folders of its own.

    Returns:
        The paths of the files with a suffix in `SUFFIXES`, in upper or lower case.

    Raises:
        SparsebenchError: There is no image, or a folder does not exist or may not be read.

    Example:
        >>> Path("birds/jay").mkdir(parents=True)
        >>> for file in ("wren.png", "jay/1.JPG", "notes.txt"):
        ...     Path("birds", file).touch()
        >>> [path.as_posix() for path in images_in("mine", Path("birds"))]
        ['birds/jay/1.JPG', 'birds/wren.png']
    """
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
        raise SparsebenchError(f"dataset {name!r}: the folder {str(folder)!r} is not readable") from None
    except OSError as error:
        raise SparsebenchError(
            f"dataset {name!r}: the folder {str(folder)!r} cannot be listed ({error.strerror})"
        ) from None


def decode(name: str, path: Path, size: int) -> Tensor:
    """Returns an image in colour, its shorter side scaled to `size` and its central square cut out.

    Args:
        name: The dataset's name, for error messages.
        path: The image file, in any format that Pillow reads.
        size: The side of the result in pixels.

    Returns:
        The pixels, uint8 `(3, size, size)`: red, green, blue.

    Raises:
        SparsebenchError: The file, which the message names, may not be read or is no whole image.

    Example:
        >>> from PIL import Image
        >>> Image.new("RGB", (40, 20), (255, 128, 0)).save("wide.png")
        >>> decoded = decode("mine", Path("wide.png"), 8)
        >>> decoded.shape, decoded[:, 0, 0].tolist()
        (torch.Size([3, 8, 8]), [255, 128, 0])
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            # JPEG only: decode at 1/2, 1/4 or 1/8 of the size where that is still no smaller than `size`.
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
        raise SparsebenchError(f"dataset {name!r}: {str(path)!r} is not readable") from None
    except Exception as error:  # Pillow raises many classes on broken files
        raise SparsebenchError(
            f"dataset {name!r}: {str(path)!r} is not a whole image ({message(error)}): mend it or take it out"
        ) from None
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def shorter_side(name: str, path: Path) -> int:
    """Returns the shorter side of an image in pixels, read from the file's header.

    Args:
        name: The dataset's name, for error messages.
        path: The image file.

    Returns:
        The smaller one of width and height.

    Raises:
        SparsebenchError: The file may not be read or is no whole image, as in `decode`.

    Example:
        >>> from PIL import Image
        >>> Image.new("L", (40, 25)).save("grey.png")
        >>> shorter_side("mine", Path("grey.png"))
        25
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return min(image.size)
    except Exception:
        decode(name, path, 1)  # raises the error with its cause
        raise


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
    from concurrent.futures import ThreadPoolExecutor

    images = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)

    def fill(start: int) -> None:
        for i in range(start, min(start + 256, len(paths))):
            images[i] = decode(name, paths[i], size)

    # Decoding releases Python's lock, opening a file does not: on small files threads are slower than none.
    large = paths[0].stat().st_size >= THREADS_PAY_FROM_BYTES
    with ThreadPoolExecutor(min(8, cores()) if large else 1) as pool:
        for _ in pool.map(fill, range(0, len(paths), 256)):
            pass
    return images


def digest_files(name: str, base: Path, paths: Iterable[Path], definition: str) -> str:
    r"""Returns a sha256 of files that does not depend on the place of their folder.

    Args:
        name: The dataset's name, for error messages.
        base: The folder to which the paths are made relative.
        paths: The files, in the order in which they are hashed.
        definition: What else the dataset depends on, such as the rule of its split.

    Returns:
        The digest, in hex, over each file's relative path, its length and its bytes, then the definition.

    Raises:
        SparsebenchError: A file cannot be read.

    Example:
        >>> _ = Path("a.png").write_bytes(b"pixels")
        >>> digest = digest_files("mine", Path(), [Path("a.png")], "no split")
        >>> digest == sha256(b"a.png\0" b"6\0" b"pixels" b"no split").hexdigest()
        True
    """
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
