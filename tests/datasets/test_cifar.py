"""CIFAR through small batches in the true layout; their checksums stand in for torchvision's."""

import hashlib
import pickle
import re

import numpy as np
import pytest
import torch
import torchvision
from sparsebench.datasets.api import open_dataset, present
from sparsebench.errors import SparsebenchError


def dump(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(content))
    return hashlib.md5(file.read_bytes()).hexdigest()


@pytest.fixture
def ten(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-py"
    sums = {}
    for file in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        pixels = rng.integers(0, 256, (40, 3072), dtype=np.uint8)
        sums[file] = dump(folder / file, {"data": pixels, "labels": [i % 10 for i in range(40)]})
    names = [f"name{i}" for i in range(10)]
    meta = dump(folder / "batches.meta", {"label_names": names})
    source = torchvision.datasets.CIFAR10
    monkeypatch.setattr(source, "train_list", [[f, s] for f, s in sums.items() if f != "test_batch"])
    monkeypatch.setattr(source, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": meta})
    return tmp_path


def test_cifar10_is_read_channel_first(ten):
    data = open_dataset("cifar10", ten, download=False, valid=50)
    assert (len(data.train), len(data.valid), len(data.test)) == (150, 50, 40)
    assert data.shape == (3, 32, 32) and data.labels[3] == "name3"
    stored = pickle.loads((ten / "cifar-10-batches-py" / "test_batch").read_bytes())["data"]
    assert torch.equal(data.test.images, torch.from_numpy(stored).view(40, 3, 32, 32))
    assert data.test.labels.tolist() == [i % 10 for i in range(40)]


def test_cifar100_takes_the_fine_labels(tmp_path, monkeypatch):
    folder, source = tmp_path / "cifar-100-python", torchvision.datasets.CIFAR100
    for file, count, attribute in (("train", 200, "train_list"), ("test", 100, "test_list")):
        content = {
            "data": np.zeros((count, 3072), dtype=np.uint8),
            "fine_labels": [i % 100 for i in range(count)],
            "coarse_labels": [0] * count,
        }
        monkeypatch.setattr(source, attribute, [[file, dump(folder / file, content)]])
    names = {"fine_label_names": [f"fine{i}" for i in range(100)]}
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": dump(folder / "meta", names)})
    data = open_dataset("cifar100", tmp_path, download=False, valid=100)
    assert data.classes == 100 and data.labels[99] == "fine99"
    assert sorted(data.valid.labels.tolist()) == list(range(100))


@pytest.mark.parametrize("file", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_damaged_file_is_named(ten, file):
    path = ten / "cifar-10-batches-py" / file
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SparsebenchError, match=re.escape(str(path))) as caught:
        open_dataset("cifar10", ten)
    assert "truncated or corrupt" in str(caught.value) and "\n" not in str(caught.value)


def test_absent_data_without_network(ten, monkeypatch):
    (ten / "cifar-10-batches-py" / "test_batch").unlink()
    assert not present("cifar10", ten)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "http://127.0.0.1:9/cifar.tar.gz")
    with pytest.raises(SparsebenchError, match=r"test_batch' is not in .*download failed.*--data DIR"):
        open_dataset("cifar10", ten)
