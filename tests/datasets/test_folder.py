"""Folders of images, kept in memory and streamed."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sparsebench.datasets import folder
from sparsebench.datasets.api import open_dataset, present
from sparsebench.datasets.decoding import decode
from sparsebench.errors import SparsebenchError

CPU = torch.device("cpu")
SHARED = Path(__file__).parents[3] / "shared" / "data"


def fill(place, count, seed, side=(12, 10), suffix="png"):
    place.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (*side, 3), dtype=np.uint8)).save(place / f"{i:03}.{suffix}")


@pytest.fixture
def animals(tmp_path):
    for seed, (part, count) in enumerate((("train", 20), ("test", 6))):
        for kind in ("cat", "dog", "eel"):
            fill(tmp_path / "animals" / part / kind, count, seed * 10 + len(kind) + ord(kind[0]))
    return tmp_path


def everything(split, batch_size=7, device=CPU):
    parts = list(split.batches(batch_size, device))
    return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_folder_is_classes_in_the_order_of_their_names(animals):
    assert present("image_folder", animals, path="animals") and not present("image_folder", animals)
    data = open_dataset("image_folder", animals, path="animals", valid=9)
    assert (data.shape, data.classes, data.labels) == ((3, 10, 10), 3, ("cat", "dog", "eel"))
    assert (len(data.train), len(data.valid), len(data.test)) == (51, 9, 18)
    images, labels = everything(data.test)
    assert labels.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    file = animals / "animals/test/dog/002.png"
    want = (decode("x", file, 10).float() - data.train.mean.view(3, 1, 1)) / data.train.std.view(3, 1, 1)
    torch.testing.assert_close(images[8], want)


def test_the_path_may_be_absolute_and_the_root_may_be_the_folder(animals):
    digests = {
        open_dataset("image_folder", animals, path="animals").digest,
        open_dataset("image_folder", animals / "animals").digest,
        open_dataset("image_folder", "/nowhere", path=str(animals / "animals")).digest,
    }
    assert len(digests) == 1


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("augment", ["none", "crop_flip"])
def test_streaming_hands_out_what_memory_does(animals, workers, augment):
    kept = open_dataset("image_folder", animals, path="animals", stream="never")
    streamed = open_dataset("image_folder", animals, path="animals", stream="always")
    assert type(kept.train) is not type(streamed.train) and kept.digest == streamed.digest
    streamed.train.workers = streamed.test.workers = workers
    for x, y in zip(
        kept.train.epoch(8, CPU, seeded(1), augment),
        streamed.train.epoch(8, CPU, seeded(1), augment),
        strict=True,
    ):
        assert torch.equal(x[0], y[0]) and torch.equal(x[1], y[1])
    assert torch.equal(everything(kept.test)[0], everything(streamed.test)[0])


def test_streaming_leaves_the_global_generator_alone(animals):
    split = open_dataset("image_folder", animals, path="animals", stream="always").train
    before = torch.get_rng_state()
    assert len(list(split.epoch(100, CPU, seeded(), "crop"))) == 1
    assert torch.equal(before, torch.get_rng_state())


def test_two_epochs_of_a_stream_differ_and_are_whole(animals):
    split = open_dataset("image_folder", animals, path="animals", stream="always", valid=6).train
    generator = seeded()
    first, second = (torch.cat([y for _, y in split.epoch(18, CPU, generator)]) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.bincount(first).tolist() == torch.bincount(second).tolist() == [18, 18, 18]


def test_where_the_test_set_comes_from(animals):
    base = animals / "animals"
    fill(base / "val" / "cat", 4, 99)
    complain(base, r"val' lacks 2 of the 3 classes, 'dog', 'eel': .* make an empty folder")
    for kind in ("dog", "eel"):
        (base / "val" / kind).mkdir()
    both = open_dataset("image_folder", base)
    assert (len(both.train), len(both.valid), len(both.test)) == (60, 4, 18)
    complain(base, "leave valid at 0", valid=5)
    shutil.rmtree(base / "test")
    only_val = open_dataset("image_folder", base)
    assert (len(only_val.train), len(only_val.valid), len(only_val.test)) == (54, 6, 4)
    shutil.rmtree(base / "val")
    neither = open_dataset("image_folder", base)
    assert (len(neither.train), len(neither.valid), len(neither.test)) == (44, 4, 12)
    assert len({both.digest, only_val.digest, neither.digest}) == 3


def test_a_decoded_folder_is_kept_and_follows_its_content(animals, monkeypatch):
    monkeypatch.setattr(folder, "KEEP_FROM_BYTES", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(animals / "cache"))
    first = open_dataset("image_folder", animals, path="animals")
    (kept,) = (animals / "cache/sparsebench/pixels").iterdir()
    again = open_dataset("image_folder", animals, path="animals")
    assert torch.equal(first.train.images, again.train.images)
    fill(animals / "new", 1, 77)
    (animals / "new/000.png").replace(animals / "animals/test/cat/000.png")
    changed = open_dataset("image_folder", animals, path="animals")
    assert torch.equal(changed.test.images[0], decode("x", animals / "animals/test/cat/000.png", 10))
    assert len(list(kept.parent.iterdir())) == 2
    kept.write_bytes(b"not whole")
    (animals / "cache").joinpath("sparsebench/pixels").rename(animals / "cache/away")
    (animals / "cache/sparsebench/pixels").write_text("a file where the folder should be")
    assert torch.equal(open_dataset("image_folder", animals, path="animals").test.images, changed.test.images)


def test_the_digest_sees_names_bytes_and_size(animals):
    base = animals / "animals"
    first = open_dataset("image_folder", base).digest
    assert open_dataset("image_folder", base, size=8).digest != first
    (base / "train/cat/000.png").rename(base / "train/cat/zzz.png")
    renamed = open_dataset("image_folder", base).digest
    fill(base / "other", 1, 1234)
    (base / "other/000.png").rename(base / "train/cat/zzz.png")
    assert len({first, renamed, open_dataset("image_folder", base).digest}) == 3


def test_images_of_any_form_come_out_square_and_in_colour(tmp_path):
    for i, (mode, size) in enumerate([("L", (30, 20)), ("RGBA", (9, 40)), ("P", (16, 16)), ("1", (5, 5))]):
        file = tmp_path / f"{i}.png"
        Image.new(mode, size, 1).save(file)
        assert decode("x", file, 16).shape == (3, 16, 16)


def test_the_middle_is_kept(tmp_path):
    wide = np.zeros((8, 24, 3), dtype=np.uint8)
    wide[:, 8:16] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert int(decode("x", tmp_path / "wide.png", 8).min()) == 255


def complain(root, pattern, **args):
    with pytest.raises(SparsebenchError) as caught:
        data = open_dataset("image_folder", root, **args)
        everything(data.train)
    message = str(caught.value)
    assert re.search(pattern, message), message
    assert "\n" not in message and "Traceback" not in message and "image_folder" in message


def test_what_is_missing_is_said(animals):
    base = animals / "animals"
    complain(animals / "no", r"no' does not exist: set its argument path.*--data DIR")
    complain(animals, r"no folder train/ in .*train/CLASS/")
    (base / "train/fox").mkdir()
    complain(base, r"train/fox' holds no images")
    (base / "train/fox/notes.txt").write_text("soon")
    complain(base, r"train/fox' holds no images")
    shutil.rmtree(base / "train/fox")
    (base / "test/gnu").mkdir()
    complain(base, r"test/gnu' is a class that train/ does not have")
    shutil.rmtree(base / "test")
    (base / "test").mkdir()
    complain(base, r"test' has no class folders")
    for kind in ("cat", "dog"):
        shutil.rmtree(base / "train" / kind)
    complain(base, r"train' holds 1 class folders, and needs two")
    shutil.rmtree(base / "train/eel")
    complain(base, r"train' holds 0 class folders")


@pytest.mark.parametrize(
    ("args", "pattern"),
    [
        ({"size": 2}, "size = 2 is out of range"),
        ({"valid": -1}, "valid = -1 is below 0"),
        ({"valid": 60}, "take 1 to 57"),
        ({"stream": "maybe"}, "stream = 'maybe' is not one of auto, always, never"),
    ],
)
def test_a_bad_argument_is_refused(animals, args, pattern):
    complain(animals / "animals", pattern, **args)


@pytest.mark.parametrize("stream", ["never", "always"])
@pytest.mark.parametrize("content", [b"", b"no image at all", "half"])
def test_a_broken_image_is_named(animals, content, stream):
    file = sorted((animals / "animals/train/eel").iterdir())[7]
    file.write_bytes(file.read_bytes()[:200] if content == "half" else content)
    complain(animals / "animals", r"train/eel/007.png' is not a whole image", stream=stream)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_breaks_while_training_is_named(animals, workers):
    data = open_dataset("image_folder", animals, path="animals", stream="always")
    data.test.workers = workers
    (animals / "animals/test/dog/003.png").write_bytes(b"gone")
    with pytest.raises(SparsebenchError, match=r"dog/003.png' is not a whole image") as caught:
        everything(data.test)
    assert "Traceback" not in str(caught.value)


def test_cifar10_jpeg(tmp_path_factory):
    if not (SHARED / "unpack").exists():
        pytest.skip("CIFAR-10-JPEG is not at hand: there is no ../shared/data beside this checkout")
    root = tmp_path_factory.mktemp("real")
    subprocess.run([SHARED / "unpack", "--cifar", root], check=True, capture_output=True)
    data = open_dataset("image_folder", root, path="cifar10-jpeg", stream="always")
    assert (len(data.train), len(data.valid), len(data.test)) == (45_000, 5000, 10_000)
    assert data.shape == (3, 32, 32) and data.labels[0] == "airplane"
    assert torch.bincount(data.valid.labels).tolist() == [500] * 10
    images, labels = next(data.train.epoch(256, CPU, seeded(), "crop_flip"))
    assert images.shape == (256, 3, 32, 32) and len(labels.unique()) == 10
    torch.testing.assert_close(data.train.mean, torch.tensor([125.3, 123.0, 113.9]), atol=3.0, rtol=0)
