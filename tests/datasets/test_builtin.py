"""What every registered dataset promises, on those that need no files."""

import subprocess
import sys

import pytest
import torch
from sparsebench.datasets.api import data_root, full_batches, open_dataset, present, registry
from sparsebench.datasets.digits import embedded_arrays
from sparsebench.errors import SparsebenchError

CPU = torch.device("cpu")
EMBEDDED = [name for name in registry if not registry[name].files]


def test_the_registry_alone_knows_all_builtins_and_stays_light():
    program = (
        "import sys; from sparsebench.datasets.api import registry; print(*registry);"
        "heavy = {'torchvision', 'sklearn', 'PIL', 'pandas', 'timm'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    out = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.split() == sorted(registry)
    assert {"digits", "mnist", "fashion_mnist", "kmnist"} <= set(out.stdout.split())


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_dataset_is_what_its_entry_says(name, tmp_path):
    entry, data = registry[name], open_dataset(name, tmp_path / "nowhere", download=False)
    assert (data.name, data.shape, data.classes) == (name, entry.shape, entry.classes)
    assert len(data.train) == entry.train_size and len(data.labels) == data.classes
    for split in (data.train, data.valid, data.test):
        images, labels = next(split.batches(64, CPU))
        assert images.shape == (64, *data.shape) and images.dtype == torch.float32
        assert labels.dtype == torch.int64 and 0 <= int(labels.min()) <= int(labels.max()) < data.classes
    assert present(name, tmp_path / "nowhere") and not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_digest_follows_the_content_and_the_split(name):
    first, again, other = open_dataset(name), open_dataset(name), open_dataset(name, valid=100)
    assert first.digest == again.digest != other.digest
    assert len(other.valid) == 100


def test_digits_are_normalised_by_their_training_part():
    data = open_dataset("digits")
    ((images, _),) = data.train.batches(2000, CPU)
    assert abs(float(images.mean())) < 1e-5 and abs(float(images.std(correction=0)) - 1) < 1e-5
    assert (len(data.train), len(data.valid), len(data.test)) == (1150, 288, 359)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    bunch, arrays = load_digits(), embedded_arrays()
    assert arrays.images.squeeze(1).tolist() == bunch.images.tolist()
    assert arrays.labels.tolist() == bunch.target.tolist()


def test_digits_have_the_same_digest_everywhere():
    assert open_dataset("digits").digest == "43d808ed05a8fce39d37e29ef37edc36d3dcd676f3bbf2d10dea60266c6969e8"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"vaild": 3}, "takes no argument 'vaild'; known: valid"),
        ({"valid": "many"}, "valid = 'many' is not a whole number"),
        ({"valid": True}, "valid = True is not a whole number"),
        ({"valid": 2.5}, "valid = 2.5 is not a whole number"),
        ({"valid": 0}, "take 1 to"),
        ({"valid": 10**6}, "take 1 to"),
    ],
)
def test_a_bad_argument_gets_one_sentence(args, message):
    with pytest.raises(SparsebenchError, match=message) as caught:
        open_dataset("digits", **args)
    assert "digits" in str(caught.value) and "\n" not in str(caught.value)


def test_an_argument_may_come_as_text():
    assert len(open_dataset("digits", valid="100").valid) == 100


def test_an_unknown_dataset_lists_what_is_near():
    with pytest.raises(SparsebenchError, match="did you mean 'mnist'"):
        open_dataset("minst")


def test_the_root_is_the_argument_then_the_environment_then_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SPARSEBENCH_DATA", str(tmp_path / "a"))
    assert data_root(tmp_path / "b") == tmp_path / "b"
    assert data_root() == tmp_path / "a"
    monkeypatch.delenv("SPARSEBENCH_DATA")
    assert data_root().parts[-2:] == ("sparsebench", "data")


def test_full_batches_counts_what_an_epoch_hands_out():
    data = open_dataset("digits")
    for size in (7, 256, 1150, 1151, 5000):
        batches = list(data.train.epoch(size, CPU, torch.Generator()))
        assert full_batches(len(data.train), size) == len(batches)
