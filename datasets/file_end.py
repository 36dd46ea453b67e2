"""Whether an image file has its end: what is lacking where a copy or a download broke off."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

TAIL_BYTES = 64 * 1024
"""How many bytes from the end on the mark of the end is looked for; cameras and editors append to it."""
MARKS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
_OFFSETS, _COUNTS = (273, 324), (279, 325)  # TIFF's tags of strips and of tiles


def has_its_end(image: "ImageFile") -> bool:
    """Returns whether an opened image file is as long as its format asks for.

    Args:
        image: The image, as `PIL.Image.open` returns it; nothing of it needs to be decoded.

    Returns:
        False for a file that was cut off, and for some that are only unusual: decoding tells. True for
        formats that say nothing of their end.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> Image.effect_noise((64, 64), 50).save("noise.jpg")
        >>> with Image.open("noise.jpg") as image:
        ...     has_its_end(image)
        True
        >>> _ = Path("cut.jpg").write_bytes(Path("noise.jpg").read_bytes()[:-100])
        >>> with Image.open("cut.jpg") as image:
        ...     has_its_end(image)
        False
    """
    file = image.fp
    if file is None:
        return True
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    try:
        if mark := MARKS.get(image.format or ""):
            # A thumbnail in the head, which opening has read, may have an end of its own.
            file.seek(max(here, size - TAIL_BYTES))
            return mark in file.read()
        if image.format == "GIF":
            file.seek(max(0, size - 1))
            return file.read() == b";"
        file.seek(0)
        head = file.read(8)
    finally:
        file.seek(here)
    if image.format == "WEBP":
        return size >= int.from_bytes(head[4:8], "little") + 8
    if image.format == "BMP":
        return size >= int.from_bytes(head[2:6], "little")
    return size >= _end_of_strips(image) if image.format == "TIFF" else True


def _end_of_strips(image: "ImageFile") -> int:
    """Returns the place after the last pixel of a TIFF's first page."""
    tags = getattr(image, "tag_v2", {})
    ends = [0]
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        ends += [sum(pair) for pair in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)]
    return max(ends)
