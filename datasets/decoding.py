"""Decoding of an image file to a square of 8-bit colour, as viewers show it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import SparsebenchError
from ..reasons import message
from .file_end import has_its_end

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

# What is told of pictures, in this order. Those of `REDRAWN` came out otherwise in versions before.
KINDS = {
    "deep": "have more than 8 bits a channel, and are scaled to 8",
    "coarse": "have 16 bits a channel, of which the upper 8 are used",
    "dim": "use less than an eighth of the range of their 16 bits, and come out nearly black: scale them up",
    "turned": "are turned as their EXIF orientation says",
    "blended": "have transparent pixels, which are shown on white",
    "frames": "hold several frames or pages, of which the first is used",
    "constant": "are of one colour when decoded",
}
REDRAWN = frozenset({"deep", "turned", "blended"})

ORIENTATION = 0x0112  # EXIF's tag
_SIXTEEN = re.compile(";16[BLN]'")  # Pillow's raw modes of 16 bits a channel, such as RGB;16B
_SEVERAL = ("GIF", "TIFF", "WEBP", "PNG")  # an MPO's second frame is a camera's preview


class Decoded(NamedTuple):
    """A decoded image, and what there is to tell of it.

    Attributes:
        pixels: The pixels, uint8 `(3, size, size)`: red, green, blue.
        kinds: Keys of `KINDS`.

    Example:
        >>> from PIL import Image
        >>> Image.new("L", (8, 8), 7).save("grey.png")
        >>> decode_file("mine", Path("grey.png"), 4).kinds
        frozenset({'constant'})
    """

    pixels: Tensor
    kinds: frozenset[str]


class _Unscaled(ValueError):
    """The pixels have no known range."""


def decode(name: str, path: Path, size: int) -> Tensor:
    """Returns an image in colour, its shorter side scaled to `size` and its central square cut out.

    Args:
        name: The dataset's name, for error messages.
        path: The image file, in any format that Pillow reads.
        size: The side of the result in pixels.

    Returns:
        The pixels, uint8 `(3, size, size)`: red, green, blue.

    Raises:
        SparsebenchError: The file, which the message names, may not be read or is no whole image, or its
            pixels have no known range.

    Example:
        >>> from PIL import Image
        >>> Image.new("RGB", (40, 20), (255, 128, 0)).save("wide.png")
        >>> decoded = decode("mine", Path("wide.png"), 8)
        >>> decoded.shape, decoded[:, 0, 0].tolist()
        (torch.Size([3, 8, 8]), [255, 128, 0])
    """
    return decode_file(name, path, size).pixels


def decode_file(name: str, path: Path, size: int) -> Decoded:
    """Returns an image as `decode` does, and what there is to tell of it.

    Pixels of 16 bits are scaled by their depth, floating-point ones from 0 to 1; the picture is turned as
    EXIF says, and transparent pixels are blended with white.

    Args:
        name: The dataset's name, for error messages.
        path: The image file.
        size: The side of the result in pixels.

    Returns:
        The pixels and their kinds.

    Raises:
        SparsebenchError: As `decode`.

    Example:
        >>> from PIL import Image
        >>> Image.fromarray(np.array([[0, 32896, 65535]] * 3, dtype=np.uint16)).save("deep.png")
        >>> pixels, kinds = decode_file("mine", Path("deep.png"), 3)
        >>> pixels[0, 0].tolist(), sorted(kinds)
        ([0, 128, 255], ['deep'])
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            # JPEG only: decode at 1/2, 1/4 or 1/8 of the size where that is still no smaller than `size`.
            image.draft("RGB", (size, size))
            kinds = set(_glance(image))
            if image.format in _SEVERAL and getattr(image, "n_frames", 1) > 1:
                kinds.add("frames")
            picture, blended = _colour(image)
            if not blended:
                kinds.discard("blended")
            # Pillow turns a TIFF while it loads, and then takes the tag away.
            picture = _upright(picture, image.getexif().get(ORIENTATION, 1))
        width, height = picture.size
        if (width, height) != (size, size):
            short = min(width, height)
            left, top = (width - short) // 2, (height - short) // 2
            box = (left, top, left + short, top + short)
            picture = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
        pixels = np.array(picture, dtype=np.uint8)
        if kinds & {"deep", "coarse"} and pixels.max() < 32:
            kinds.add("dim")
    except Exception as error:  # Pillow raises many classes on broken files
        raise _refusal(name, path, error) from None
    if bool((pixels == pixels[0, 0]).all()):
        kinds.add("constant")
    return Decoded(torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), frozenset(kinds))


def _refusal(name: str, path: Path, error: Exception) -> SparsebenchError:
    where = f"dataset {name!r}: {str(path)!r}"
    if isinstance(error, PermissionError):
        return SparsebenchError(f"{where} is not readable")
    if isinstance(error, _Unscaled):
        return SparsebenchError(f"{where} has {error}: save it with 8 or 16 bits a channel")
    return SparsebenchError(f"{where} is not a whole image ({message(error)}): mend it or take it out")


def _glance(image: "Picture") -> frozenset[str]:
    """Returns the kinds that an image may be of by its header alone; "blended" of all that have an alpha."""
    found = {
        "deep": image.mode[0] in "IF",
        "coarse": image.mode[0] not in "IF" and _SIXTEEN.search(str(getattr(image, "tile", ""))) is not None,
        "turned": image.getexif().get(ORIENTATION, 1) in range(2, 9),
        "blended": image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info,
    }
    return frozenset(kind for kind, holds in found.items() if holds)


def glance(name: str, path: Path) -> frozenset[str]:
    """Returns the kinds of `REDRAWN` that an image may be of, read from the file's header.

    Args:
        name: The dataset's name, for error messages.
        path: The image file. One whose pixels may have no known range, or whose end is not there, is decoded.

    Returns:
        Keys of `KINDS`; "blended" where there may be transparent pixels.

    Raises:
        SparsebenchError: As `decode`, as far as the header shows.

    Example:
        >>> from PIL import Image
        >>> Image.new("RGBA", (8, 8)).save("clear.png")
        >>> glance("mine", Path("clear.png"))
        frozenset({'blended'})
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            found = _glance(image)
            sure = image.mode not in ("I", "F") and has_its_end(image)
    except Exception as error:
        raise _refusal(name, path, error) from None
    if not sure:
        decode_file(name, path, 1)
    return found


def _colour(image: "Picture") -> tuple["Picture", bool]:
    """Returns an image in 8-bit colour, and whether transparent pixels were blended with white."""
    from PIL import Image

    if image.mode[0] in "IF":
        return Image.fromarray(_eight_bits(image)).convert("RGB"), False
    if "blended" not in _glance(image):
        return image.convert("RGB"), False
    clear = image.convert("RGBA")
    if clear.getchannel("A").getextrema() == (255, 255):
        return clear.convert("RGB"), False
    return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB"), True


def _eight_bits(image: "Picture") -> np.ndarray:
    """Returns grey pixels of 16 bits, or floating-point ones from 0 to 1, as 8 bits."""
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if image.mode == "F":
        if not (low >= 0 and high <= 1):  # nan is not
            raise _Unscaled(
                f"floating-point pixels from {low:g} to {high:g}, of which only 0 to 1 has a scale"
            )
        return (values * 255 + 0.5).astype(np.uint8)
    if image.mode == "I" and (image.format not in ("PNG", "PPM") or low < 0 or high > 65535):
        raise _Unscaled(f"pixels of 32 bits from {low} to {high}, whose scale is not known")
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _upright(picture: "Picture", orientation: int) -> "Picture":
    """Returns a picture turned and mirrored as EXIF's orientation, 1 to 8, says."""
    from PIL.Image import Transpose

    moves = {
        2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
    }  # fmt: skip
    return picture.transpose(moves[orientation]) if orientation in moves else picture


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
    except Exception as error:
        raise _refusal(name, path, error) from None
