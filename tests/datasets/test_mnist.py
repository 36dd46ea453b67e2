"""The MNIST family: small sets in the true layout for the errors, the real one where it is at hand."""

import functools
import gzip
import hashlib
import http.server
import os
import re
import struct
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from sparsebench.datasets.api import open_dataset, present
from sparsebench.errors import SparsebenchError

CPU = torch.device("cpu")
SHARED = Path(__file__).parents[3] / "shared" / "data"
FAMILIES = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}


def write_idx(file, array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    file.write_bytes(header + array.tobytes())


def small_set(root, folder="MNIST", train=100, test=30):
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 10)
    return raw


@pytest.mark.parametrize(("name", "folder"), FAMILIES.items())
def test_a_set_that_is_there_opens_without_network_or_writing(name, folder, tmp_path):
    small_set(tmp_path, folder)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert present(name, tmp_path) and not present(name, tmp_path / "else")
    data = open_dataset(name, tmp_path, valid=20)
    assert (len(data.train), len(data.valid), len(data.test)) == (80, 20, 30)
    assert data.shape == (1, 28, 28) and len(data.labels) == 10
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_pixels_and_labels_are_those_of_the_files(tmp_path):
    raw = small_set(tmp_path)
    stored = np.frombuffer((raw / "t10k-images-idx3-ubyte").read_bytes()[16:], np.uint8).reshape(
        30, 1, 28, 28
    )
    data = open_dataset("mnist", tmp_path, valid=20)
    ((images, labels),) = data.test.batches(100, CPU)
    pixels = images * data.train.std + data.train.mean
    torch.testing.assert_close(pixels, torch.from_numpy(stored.copy()).float(), atol=1e-3, rtol=0)
    assert labels.tolist() == [i % 10 for i in range(30)]


def test_the_digest_is_of_the_content_not_of_the_place(tmp_path):
    small_set(tmp_path / "a")
    raw = small_set(tmp_path / "b")
    first, second = (open_dataset("mnist", tmp_path / x, valid=20).digest for x in "ab")
    assert first == second
    file = raw / "t10k-images-idx3-ubyte"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert open_dataset("mnist", tmp_path / "b", valid=20).digest != first


def cut(file):
    file.write_bytes(file.read_bytes()[:-5])


def cut_in_header(file):
    file.write_bytes(file.read_bytes()[:6])


def lengthen(file):
    file.write_bytes(file.read_bytes() + b"0")


def replace(file):
    file.write_bytes(b"<html>not found</html>")


@pytest.mark.parametrize("damage", [cut, cut_in_header, lengthen, replace])
@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_damaged_file_is_named(damage, file, tmp_path):
    damage(small_set(tmp_path) / file)
    complain("mnist", tmp_path, rf"mnist/raw/{file}'.*cannot be read.*delete it")


def test_labels_that_do_not_fit_the_images_are_told(tmp_path):
    raw = small_set(tmp_path)
    write_idx(raw / "train-labels-idx1-ubyte", np.arange(99, dtype=np.uint8) % 10)
    complain("mnist", tmp_path, "not 28x28 images with labels")
    write_idx(raw / "train-labels-idx1-ubyte", np.full(100, 10, dtype=np.uint8))
    complain("mnist", tmp_path, "beyond the 10 classes")


def complain(name, root, pattern, **args):
    with pytest.raises(SparsebenchError) as caught:
        open_dataset(name, root, **args)
    message = str(caught.value)
    assert re.search(pattern.lower(), message.lower()), message
    assert "\n" not in message and name in message and str(root) in message
    assert caught.value.__cause__ is None


def test_absent_data_without_leave_to_download(tmp_path):
    complain("mnist", tmp_path, "is not in .*downloading is turned off: .*--data DIR", download=False)
    complain("mnist", tmp_path / "no", "does not exist.*downloading is turned off", download=False)
    assert not (tmp_path / "no").exists()


def test_absent_data_without_network(tmp_path, monkeypatch):
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    complain("mnist", tmp_path / "new", "does not exist, and the download failed.*SPARSEBENCH_DATA")
    assert not (tmp_path / "new").exists(), "a failed download leaves no empty folders"


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "data").write_text("")
    complain("mnist", tmp_path / "data", "is a file, not a folder")


@pytest.fixture
def nobody():
    """The rights of an ordinary user, where the tests run as root (who may read everything)."""
    if not hasattr(os, "seteuid"):
        pytest.skip("no file permissions of this kind on this system")
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    yield
    if was_root:
        os.seteuid(0)


@pytest.fixture
def open_to_all(tmp_path_factory):
    """A root whose parents an ordinary user may pass."""
    root = tmp_path_factory.mktemp("shown")
    small_set(root)
    open_dataset("mnist", root, valid=20)  # all imports are made
    changed = []
    for parent in [root, *root.parents]:
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            changed.append((parent, parent.stat().st_mode))
            parent.chmod(0o755)
    yield root
    for parent, mode in changed:
        parent.chmod(mode)


@pytest.mark.parametrize("place", [".", "MNIST/raw", "MNIST/raw/train-images-idx3-ubyte"])
def test_what_may_not_be_read_is_named(open_to_all, request, place):
    (open_to_all / place).chmod(0)
    request.getfixturevalue("nobody")
    complain("mnist", open_to_all, f"{place.split('/')[-1] if place != '.' else ''}' is not readable")


def test_a_root_that_may_not_be_written_to_serves(open_to_all, request):
    for path in [open_to_all, *open_to_all.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    request.getfixturevalue("nobody")
    assert len(open_dataset("mnist", open_to_all, valid=20).train) == 80
    complain("kmnist", open_to_all, "download failed \\(.*permission denied", valid=20)


def test_a_download_is_fetched_checked_and_kept(tmp_path, monkeypatch, capfd):
    raw, served = small_set(tmp_path / "source"), tmp_path / "served"
    served.mkdir()
    resources = []
    for file in sorted(raw.iterdir()):
        packed = gzip.compress(file.read_bytes())
        (served / f"{file.name}.gz").write_bytes(packed)
        resources.append((f"{file.name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    handler = functools.partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(
            torchvision.datasets.MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"]
        )
        data = open_dataset("mnist", tmp_path / "new", valid=20)
        (served / "train-images-idx3-ubyte.gz").write_bytes(b"damaged on the way")
        complain("mnist", tmp_path / "other", "download failed.*corrupted", valid=20)
        server.shutdown()
    out, err = capfd.readouterr()
    assert out == "" and "100%" in err, "progress belongs to stderr"
    again = open_dataset("mnist", tmp_path / "new", valid=20, download=False)
    assert again.digest == data.digest == open_dataset("mnist", tmp_path / "source", valid=20).digest


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    if not (SHARED / "unpack").exists():
        pytest.skip("the real MNIST is not at hand: there is no ../shared/data beside this checkout")
    root = tmp_path_factory.mktemp("real")
    subprocess.run([SHARED / "unpack", "--mnist", root], check=True, capture_output=True)
    return root


def test_the_real_mnist(real):
    data = open_dataset("mnist", real, download=False)
    assert (len(data.train), len(data.valid), len(data.test)) == (55_000, 5000, 10_000)
    assert data.digest == "81ba9ca1bf8129dbc7bdb45c8ea89df3e205123e5c3443ef756a0c3cc8a18597"
    torch.testing.assert_close(data.train.mean, torch.tensor([33.32]), atol=0.1, rtol=0)
    shares = torch.bincount(data.valid.labels).double() / 5000
    whole = torch.bincount(torch.cat([data.train.labels, data.valid.labels])).double() / 60_000
    torch.testing.assert_close(shares, whole, atol=1 / 5000, rtol=0)
