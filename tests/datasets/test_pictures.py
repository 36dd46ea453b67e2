"""People's own pictures: bit depth, orientation, transparency, other kinds, and layouts of folders."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sparsebench.datasets import folder
from sparsebench.datasets.api import Data, open_dataset
from sparsebench.datasets.decoding import decode, decode_file
from sparsebench.errors import SparsebenchError

RAMP = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)


def opened(base: Path, **args: object) -> Data:
    return open_dataset("image_folder", base, **args)


def pictures(base: Path, splits: dict[str, int], suffix: str = "png") -> Path:
    rng = np.random.default_rng(0)
    for split, count in splits.items():
        for kind in ("cat", "dog"):
            (base / split / kind).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(base / split / kind / f"{i:02}.{suffix}")
    return base


def refused(base: Path, *parts: str) -> None:
    with pytest.raises(SparsebenchError) as caught:
        opened(base)
    assert all(part in str(caught.value) for part in parts), caught.value


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_by_their_depth(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"deep.{suffix}"
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(file)
    found = decode_file("x", file, 8)
    assert found.kinds == {"deep"}
    assert torch.equal(found.pixels, torch.from_numpy(RAMP).expand(3, 8, 8))


def test_floats_from_0_to_1_are_scaled_and_others_refused(tmp_path: Path) -> None:
    Image.fromarray((RAMP / 255).astype(np.float32)).save(tmp_path / "unit.tif")
    assert torch.equal(decode("x", tmp_path / "unit.tif", 8)[0], torch.from_numpy(RAMP))
    Image.fromarray(RAMP.astype(np.float32)).save(tmp_path / "loud.tif")
    with pytest.raises(SparsebenchError, match=r"floating-point pixels from 0 to 255, .*: save it"):
        decode("x", tmp_path / "loud.tif", 8)
    Image.fromarray(RAMP.astype(np.int32) * 1000).save(tmp_path / "wide.tif")
    with pytest.raises(SparsebenchError, match="32 bits from 0 to 255000, whose scale is not known"):
        decode("x", tmp_path / "wide.tif", 8)


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """A PNG of red, green and blue, of grey and alpha, or of all four, which Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def test_colour_of_16_bits_keeps_its_upper_8(tmp_path: Path) -> None:
    colour = np.stack([RAMP, RAMP.T, RAMP[::-1]], -1).astype(np.uint16)
    (tmp_path / "rgb.png").write_bytes(png_of_16_bits(colour * 257))
    found = decode_file("x", tmp_path / "rgb.png", 8)
    assert found.kinds == {"coarse"}
    assert torch.equal(found.pixels, torch.from_numpy(colour.astype(np.uint8)).permute(2, 0, 1))
    clear = np.stack([RAMP, np.zeros_like(RAMP)], -1).astype(np.uint16)
    (tmp_path / "la.png").write_bytes(png_of_16_bits(clear * 257))
    assert decode_file("x", tmp_path / "la.png", 8).kinds == {"coarse", "blended", "constant"}


@pytest.mark.parametrize("colour", [False, True])
def test_pictures_that_use_little_of_16_bits_are_told(tmp_path: Path, colour: bool) -> None:
    twelve = RAMP.astype(np.uint16) * 16  # as cameras and scanners of 12 bits write them
    if colour:
        (tmp_path / "a.png").write_bytes(png_of_16_bits(np.stack([twelve] * 3, -1)))
    else:
        Image.fromarray(twelve).save(tmp_path / "a.png")
    assert "dim" in decode_file("x", tmp_path / "a.png", 8).kinds


def test_print_colours_and_palettes_are_those_that_viewers_show(tmp_path: Path) -> None:
    patches = np.zeros((16, 16, 3), np.uint8)
    patches[:8, :8, 0], patches[:8, 8:, 1], patches[8:, :8, 2] = 255, 255, 255
    picture = Image.fromarray(patches)
    picture.convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    picture.convert("CMYK").save(tmp_path / "print.tif")
    picture.quantize(4).save(tmp_path / "palette.png")
    picture.quantize(4).save(tmp_path / "palette.gif")
    for name in ("print.jpg", "print.tif", "palette.png", "palette.gif"):
        found = decode_file("x", tmp_path / name, 16)
        off = (found.pixels.permute(1, 2, 0).int() - torch.from_numpy(patches).int()).abs()
        assert off[2::12, 2::12].max() <= 6 and not found.kinds, name


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_viewers_show_them(tmp_path: Path, orientation: int, suffix: str) -> None:
    marks = np.zeros((16, 16, 3), np.uint8)
    marks[:8, :8, 0], marks[:8, 8:, 1], marks[8:, :8, 2] = 250, 250, 250
    turned = {
        1: marks, 2: marks[:, ::-1], 3: marks[::-1, ::-1], 4: marks[::-1], 5: marks.transpose(1, 0, 2),
        6: np.rot90(marks, 1), 7: np.rot90(marks, 2).transpose(1, 0, 2), 8: np.rot90(marks, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(np.ascontiguousarray(turned)).save(file, exif=exif, quality=95)
    found = decode_file("x", file, 16)
    corners = found.pixels[:, 2:16:11, 2:16:11].permute(1, 2, 0) > 128
    assert corners.int().tolist() == [[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 0]]]
    assert ("turned" in found.kinds) == (orientation != 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_shown_on_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (8, 8), (10, 10, 10, 255))
    picture.paste((10, 10, 10, 0), (0, 0, 4, 8))
    picture.convert(mode).save(tmp_path / "half.png")
    found = decode_file("x", tmp_path / "half.png", 8)
    assert (found.pixels[0, 0, 0].item(), found.pixels[0, 0, 7].item()) == (255, 10)
    assert found.kinds == {"blended"}
    Image.fromarray(RAMP).convert("RGBA").save(tmp_path / "whole.png")
    assert decode_file("x", tmp_path / "whole.png", 8).kinds == frozenset()


@pytest.mark.parametrize("stream", ["never", "always"])
def test_the_digest_is_another_where_pixels_are(tmp_path: Path, stream: str) -> None:
    from sparsebench.datasets.images import digest_files

    base = pictures(tmp_path / "set", {"train": 10, "test": 2})

    def digests() -> tuple[str, str]:
        rule = "train+test held_out philox seed=0 count=2 size=8"
        data = opened(base, stream=stream)
        paths = [p for split in (data.train, data.valid, data.test) for p in files_of(split)]
        return data.digest, digest_files("x", base, paths, rule)

    def files_of(split: object) -> list[Path]:
        return [Path(p) for p in split._files.paths]  # type: ignore[attr-defined]

    if stream == "always":  # the digest of versions before, for files that they decoded alike
        assert len(set(digests())) == 1
    before = opened(base, stream=stream)
    assert not any("turned" in note for note in before.notes)
    file = base / "train/cat/00.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(file).copy().save(file, exif=exif)
    after = opened(base, stream=stream)
    assert after.digest != before.digest
    assert (
        "1 of 24 images are turned as their EXIF orientation says, such as 'train/cat/00.png'" in after.notes
    )
    if stream == "always":
        assert len(set(digests())) == 2


def test_what_is_told_of_a_folder(tmp_path: Path) -> None:
    base = pictures(tmp_path / "set", {"train": 20, "test": 4})
    (base / "train/cat/x.heic").write_bytes(b"heic")
    (base / "train/cat/.DS_Store").write_bytes(b"")
    (base / "train/dog/Thumbs.db").write_bytes(b"")
    (base / "train/dog/labels.txt").write_text("dog")
    (base / "test/cat/copy.png").write_bytes((base / "train/cat/03.png").read_bytes())
    Image.new("L", (8, 8), 255).save(base / "test/dog/white.png")
    Image.fromarray(RAMP).save(
        base / "test/dog/two.gif", save_all=True, append_images=[Image.fromarray(RAMP.T.copy())]
    )
    notes = opened(base, valid=2).notes
    assert any(n.startswith("1 file (1 .heic) cannot be read") and "'train/cat/x.heic'" in n for n in notes)
    assert any(n.startswith("1 file (1 .txt) are no pictures") for n in notes)
    assert any(n.startswith("1 of 51 images are of one colour") and "white.png" in n for n in notes)
    assert any(n.startswith("1 of 51 images hold several frames") for n in notes)
    assert any(n.startswith("1 of 11 test images are copies of training images") for n in notes)
    assert len(notes) == 5


def test_many_lost_pictures_are_refused(tmp_path: Path) -> None:
    base = pictures(tmp_path / "set", {"train": 6})
    for i in range(6):
        (base / f"train/cat/{i}.heic").write_bytes(b"heic")
    refused(base, "6 of 12 files of", "train/cat' cannot be read (6 .heic, such as '0.heic')")
    for file in (base / "train/cat").glob("*.png"):
        file.unlink()
    refused(base, "train/cat' holds no images but 6 files of other kinds (6 .heic)")


def test_broken_pictures_are_counted(tmp_path: Path) -> None:
    base = pictures(tmp_path / "set", {"train": 6})
    for i in range(3):
        (base / f"train/cat/0{i}.png").write_bytes(b"half")
    refused(base, "is not a whole image", " files are refused)")


@pytest.mark.parametrize(
    "names", [("Training", "valid", "Testing"), ("TRAIN", "dev", "test"), ("train", "validation", "TEST")]
)
def test_the_usual_names_of_splits_are_known(tmp_path: Path, names: tuple[str, str, str]) -> None:
    base = pictures(tmp_path / "set", dict(zip(names, (6, 3, 2), strict=True)))
    data = opened(base)
    assert (len(data.train), len(data.valid), len(data.test)) == (12, 6, 4)


def test_a_folder_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    refused(pictures(tmp_path / "a", {"train": 4, "val": 2, "valid": 2}), "'val', 'valid'", "keep one")
    refused(pictures(tmp_path / "b", {"train": 4, "extra": 2}), "holds 'extra' beside 'train'")
    refused(pictures(tmp_path / "c", {"data": 4}), "no folder train/", "which holds 'data'")
    base = pictures(tmp_path / "d", {"train": 4, "test": 2})
    (base / "notes").mkdir()
    (base / "notes/read.md").write_text("how they were made")
    assert len(opened(base).test) == 4
    for i in range(4):
        Image.fromarray(RAMP).save(base / f"train/{i}.png")
    refused(base, "4 of 12 files of", "lie outside of the class folders")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp"])
def test_a_streamed_folder_finds_files_that_were_cut_off(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "STATISTICS_COUNT", 2)  # the sample that is decoded when it is opened
    base = pictures(tmp_path / "set", {"train": 8, "test": 2}, suffix)
    assert len(opened(base, stream="always").train) == 15
    file = base / f"train/cat/03.{suffix}"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(SparsebenchError, match=rf"cat/03\.{suffix}' is not a whole image"):
        opened(base, stream="always")
    file.write_bytes(whole + b"\0" * 100)  # what cameras and editors append
    assert len(opened(base, stream="always").train) == 15


def test_what_stands_for_a_split_is_told(tmp_path: Path) -> None:
    base = pictures(tmp_path / "set", {"train": 5, "Valid": 3})
    assert opened(base).notes == (
        "there is no test/: Valid/ is the test set, and 1 of 10 training images are held out for validation",
        "the validation split has 1 image, of 1 of the 2 classes, on which nothing can be seen to be learned",
    )
    refused(pictures(tmp_path / "one", {"train": 1, "test": 2}), "too few to split: 2 examples in 2 classes")


def test_links_are_followed_and_circles_refused(tmp_path: Path) -> None:
    base = pictures(tmp_path / "set", {"train": 4, "test": 2})
    more = pictures(tmp_path / "more", {"train": 3}) / "train/cat"
    (base / "train/cat/more").symlink_to(more)
    assert len(opened(base, valid=1).train) == 10
    (base / "train/dog/all").symlink_to(base / "train")
    refused(base, "the link", "dog/all' leads to a folder that it lies in")
    (base / "train/dog/all").unlink()
    (base / "train/dog/me").symlink_to("me")
    refused(base, "dog/me' leads to a folder that it lies in")


@pytest.mark.parametrize("stream", ["never", "always"])
def test_the_same_picture_is_told_where_it_lies_twice(tmp_path: Path, stream: str) -> None:
    base = pictures(tmp_path / "set", {"train": 20, "test": 4})
    (base / "train/dog/copy.png").write_bytes((base / "train/cat/03.png").read_bytes())
    Image.open(base / "train/cat/04.png").save(base / "test/cat/anew.bmp")  # other bytes, the same pixels
    notes = "; ".join(opened(base, valid=2, stream=stream).notes)
    assert "1 of 50 images are copies of images of another class, such as 'train/dog/copy.png'" in notes
    assert ("'test/cat/anew.bmp'" in notes) == (stream == "never")


def test_what_is_no_file_is_refused_and_any_name_of_one_is_read(tmp_path: Path) -> None:
    base = pictures(tmp_path / "set", {"train": 6, "test": 2})
    (base / "train/cat/00.png").rename(os.fsdecode(bytes(base / "train/cat") + b"/\xff.png"))
    assert len(opened(base).train) == 11
    os.mkfifo(base / "train/cat/pipe.png")
    refused(base, "train/cat/pipe.png' is no file but a pipe")
    (base / "train/cat/pipe.png").unlink()
    for split in ("train", "test"):
        (base / split / "cat").rename(os.fsdecode(bytes(base / split) + b"/\xff"))
    refused(base, "is not UTF-8: rename it")
