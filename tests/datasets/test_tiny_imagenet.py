"""Tiny ImageNet through a small archive in its true layout, served over HTTP."""

import functools
import hashlib
import http.server
import io
import re
import threading
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from sparsebench.datasets.tiny_imagenet import CACHE, FOLDER, Archive, open_archive
from sparsebench.errors import SparsebenchError

IDS = ["n03", "n01", "n02"]


def jpeg(red):
    stream = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), (red, 0, 0), dtype=np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Class c is red 80·c; val/ is in an order of its own."""
    served = tmp_path_factory.mktemp("served")
    with zipfile.ZipFile(served / "tiny.zip", "w") as packed:
        packed.writestr(f"{FOLDER}/wnids.txt", "\n".join(IDS) + "\n")
        packed.writestr(
            f"{FOLDER}/words.txt", "n01\tgoldfish, Carassius\nn02\ttench\nn09\tother\nn03\tnewt\n"
        )
        for label, name in enumerate(IDS):
            packed.writestr(f"{FOLDER}/train/{name}/{name}_boxes.txt", "")
            for i in range(6):
                packed.writestr(f"{FOLDER}/train/{name}/images/{name}_{i}.JPEG", jpeg(80 * label + i))
        rows = []
        for i in range(9):
            packed.writestr(f"{FOLDER}/val/images/val_{i}.JPEG", jpeg(80 * (i * 2 % 3)))
            rows.append(f"val_{i}.JPEG\t{IDS[i * 2 % 3]}\t0\t0\t63\t63\n")
        packed.writestr(f"{FOLDER}/val/val_annotations.txt", "".join(reversed(rows)))
        packed.writestr(f"{FOLDER}/test/images/test_0.JPEG", jpeg(0))
    checksum = hashlib.md5((served / "tiny.zip").read_bytes()).hexdigest()
    handler = functools.partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Archive(f"http://127.0.0.1:{server.server_port}/tiny.zip", checksum, 3, 6, 9)
        server.shutdown()


@pytest.fixture
def unpacked(archive, tmp_path):
    open_archive(tmp_path, True, 3, archive)
    return tmp_path


def test_the_archive_is_fetched_and_read(archive, tmp_path, capfd):
    data = open_archive(tmp_path / "new", True, 3, archive)
    out, err = capfd.readouterr()
    assert out == "" and "100%" in err
    assert (len(data.train), len(data.valid), len(data.test)) == (15, 3, 9)
    assert data.shape == (3, 64, 64) and data.labels == ("newt", "goldfish", "tench")
    for split in (data.train, data.valid, data.test):
        reds = split.images[:, 0, 32, 32].long()
        assert torch.equal((reds + 20) // 80, split.labels), "an image lost its label"
    assert data.test.labels.tolist() == [i * 2 % 3 for i in range(9)]


def test_the_second_opening_needs_neither_network_nor_decoding(archive, unpacked):
    first = open_archive(unpacked, False, 3, archive)
    for file in (unpacked / FOLDER).rglob("*.JPEG"):
        file.unlink()
    again = open_archive(unpacked, False, 3, archive)
    assert again.digest == first.digest and torch.equal(again.train.images, first.train.images)
    assert open_archive(unpacked, False, 6, archive).digest != first.digest


def test_a_damaged_cache_is_made_again(archive, unpacked):
    first = open_archive(unpacked, False, 3, archive)
    cache = unpacked / FOLDER / CACHE
    cache.write_bytes(cache.read_bytes()[:100])
    assert open_archive(unpacked, False, 3, archive).digest == first.digest
    assert cache.stat().st_size > 1000
    assert [file.name for file in (unpacked / FOLDER).iterdir() if file.name.startswith(".")] == []


def complain(root, archive, pattern):
    with pytest.raises(SparsebenchError) as caught:
        open_archive(root, True, 3, archive)
    assert re.search(pattern, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value) and "tiny_imagenet" in str(caught.value)


def test_a_wrong_checksum_is_refused(archive, tmp_path):
    other = Archive(archive.url, "0" * 32, 3, 6, 9)
    complain(tmp_path, other, "download failed.*corrupted")


def test_no_network(tmp_path):
    complain(tmp_path / "no", Archive("http://127.0.0.1:9/x.zip"), "download failed.*--data DIR")


@pytest.mark.parametrize(
    ("gone", "pattern"),
    [
        ("train/n01/images/n01_2.JPEG", r"train/n01 has 5 of 6 images\): delete the folder"),
        ("val/images/val_4.JPEG", "val/ has 8 of 9 images"),
        ("train/n02/images", r"n02/images' cannot be listed"),
    ],
)
def test_a_folder_that_was_unpacked_in_part_is_told(archive, unpacked, gone, pattern):
    (unpacked / FOLDER / CACHE).unlink()
    path = unpacked / FOLDER / gone
    if path.is_dir():
        path.rename(path.with_name("elsewhere"))
    else:
        path.unlink()
    complain(unpacked, archive, pattern)


def test_a_corrupt_image_is_named(archive, unpacked):
    (unpacked / FOLDER / CACHE).unlink()
    (unpacked / FOLDER / "train/n02/images/n02_3.JPEG").write_bytes(jpeg(3)[:100])
    complain(unpacked, archive, "n02_3.JPEG' is not a whole image")


def test_an_annotation_of_no_class_is_told(archive, unpacked):
    (unpacked / FOLDER / CACHE).unlink()
    table = unpacked / FOLDER / "val/val_annotations.txt"
    table.write_text(table.read_text().replace("n01", "n77", 1))
    complain(unpacked, archive, "val_annotations.txt' cannot be read")
