"""Labels and images of a plugin's dataset that no training takes are one sentence when it is opened."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sparsebench.bench.data.checks import checked
from sparsebench.bench.data.opened import open_data
from sparsebench.datasets.api import Data, open_dataset
from sparsebench.errors import SparsebenchError
from sparsebench.registry import load_plugin

PLUGIN = """
import torch
from sparsebench import Data, register_dataset
from sparsebench.datasets.on_device import OnDevice

class Held:
    '''A split in memory, with its labels at hand.'''
    def __init__(self, images, labels):
        self.images, self.labels = images, labels
    def __len__(self):
        return len(self.images)
    def batches(self, batch_size, device):
        for x, y in zip(self.images.split(batch_size), self.labels.split(batch_size)):
            yield x.to(device), y.to(device)
    def epoch(self, batch_size, device, generator, augment="none"):
        yield from self.batches(batch_size, device)

class Dropping(Held):
    '''A split that leaves out the last batch.'''
    def batches(self, batch_size, device):
        yield from list(super().batches(batch_size, device))[:-1]

class OddEpoch(Held):
    '''A split whose shuffled pass alone is odd.'''
    def __init__(self, images, labels, kind):
        super().__init__(images, labels)
        self.kind = kind
    def epoch(self, batch_size, device, generator, augment="none"):
        for x, y in self.batches(batch_size, device):
            if self.kind == "epoch float64": yield x.double(), y
            if self.kind == "epoch nan": yield x / 0, y
            if self.kind == "epoch large": yield x, y + 10
            if self.kind == "epoch one": yield x

class Streamed:
    '''A split that gives batches alone.'''
    def __init__(self, images, labels):
        self._held = Held(images, labels)
    def __len__(self):
        return len(self._held)
    def batches(self, batch_size, device):
        yield from self._held.batches(batch_size, device)
    def epoch(self, *args):
        yield from self._held.epoch(*args)

@register_dataset("odd_labels", summary="odd", args={"kind": "", "part": "train", "streamed": 0})
def opener(root, download, *, kind, part, streamed):
    def split(kind):
        x, y = torch.zeros(600, 1, 8, 8), torch.arange(600) % 10
        if kind == "negative": y[500] = -1
        if kind == "large": y[500] = 10
        if kind == "float": y = y.float()
        if kind == "short": y = y.to(torch.int16)
        if kind == "one-hot": y = torch.nn.functional.one_hot(y, 10)
        if kind == "column": y = y[:, None]
        if kind == "channels": x = x.permute(0, 2, 3, 1)
        if kind == "float64": x = x.double()
        if kind == "bytes": x = x.byte()
        if kind == "fewer": y = y[:500]
        if kind == "nan": x[590] = float("nan")
        if kind == "empty": x, y = x[:0], y[:0]
        if kind == "dropping": return Dropping(x, y)
        if kind == "ours nan": x[590] = float("nan")
        if kind == "ours nan": return OnDevice(x, y, torch.zeros(1), torch.ones(1))
        if kind == "ours flat": return OnDevice(x, y, torch.zeros(1), torch.zeros(1))
        if kind.startswith("epoch"): return OddEpoch(x, y, kind)
        if kind == "none": return None
        return (Streamed if streamed else Held)(x, y)
    splits = {name: split(kind if name == part else "") for name in ("train", "valid", "test")}
    return Data("odd_labels", (1, 8, 8), 10, **splits, digest=f"{kind}{part}{streamed}")
"""


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "odd_labels.py").write_text(PLUGIN)
    load_plugin(tmp_path / "odd_labels.py")
    yield


@pytest.fixture
def data() -> Data:
    return open_dataset("planted", n=320, valid=64)


@pytest.mark.parametrize("streamed", [0, 1])
@pytest.mark.parametrize("part", ["train", "valid", "test"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("negative", "labels go from -1 to 9, but the 10 classes are 0 to 9"),
        ("large", "labels go from 0 to 10"),
        ("float", "labels are torch.float32, not torch.int64"),
        ("short", "labels are torch.int16"),
        ("one-hot", r"labels (of 256 images )?have the shape \(\d+, 10\)"),
        ("column", r"labels (of 256 images )?have the shape \(\d+, 1\)"),
        ("channels", "of 8×8×1, not torch.float32 of 1×8×8"),
        ("float64", "images are torch.float64 of 1×8×8, not torch.float32 of 1×8×8"),
        ("bytes", "images are torch.uint8"),
        ("fewer", r"labels of 256 images have the shape \(244,\)"),
        ("nan", "not finite"),
        ("empty", "it is empty"),
    ],
)
def test_a_split_that_no_training_takes_is_refused(kind: str, words: str, part: str, streamed: int) -> None:
    if kind in ("negative", "large") and streamed:
        words = "labels go from"  # of the batch that has it
    with pytest.raises(SparsebenchError, match=words) as met:
        open_data("odd_labels", args={"kind": kind, "part": part, "streamed": streamed})
    assert f"dataset 'odd_labels', split '{part}'" in str(met.value)
    assert "\n" not in str(met.value)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("dropping", "its length is 600, but its batches have 512 images"),
        ("epoch float64", "train', an epoch: images are torch.float64"),
        ("epoch nan", "an epoch: an image has a value that is not finite"),
        ("epoch large", "an epoch: labels go from 10 to 19"),
        ("epoch one", "an epoch: a batch is Tensor, not two tensors"),
        ("ours nan", "an image has a value that is not finite"),
        ("ours flat", "a deviation that is not above 0"),
        ("none", "NoneType has no method __len__"),
    ],
)
def test_what_a_split_does_is_checked_as_far_as_its_class_is_not_known(kind: str, words: str) -> None:
    with pytest.raises(SparsebenchError, match=words):
        open_data("odd_labels", args={"kind": kind})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", (8, 8)), ("shape", "188"), ("shape", (1, 8.0, 8)), ("shape", None), ("shape", (0, 8, 8)),
        ("classes", 0), ("classes", 10.0), ("classes", "10"), ("classes", True),
        ("digest", None), ("digest", ""), ("digest", "\x1b[1m"), ("digest", "d" * 201), ("digest", b"d"),
    ],
)  # fmt: skip
def test_what_a_dataset_says_of_itself_is_checked(data: Data, field: str, value: object) -> None:
    with pytest.raises(SparsebenchError, match=f"dataset 'mine': its .*{field}") as met:
        checked("mine", replace(data, **{field: value}))
    assert str(met.value).isprintable()


def test_what_is_no_data_is_refused() -> None:
    for value in (None, (1, 2), {"shape": (1, 8, 8)}):
        with pytest.raises(SparsebenchError, match=r"its opener returns .*, not Data"):
            checked("mine", value)  # type: ignore[arg-type]


@pytest.mark.parametrize("streamed", [0, 1])
def test_a_sound_dataset_of_a_plugin_is_opened(streamed: int) -> None:
    assert len(open_data("odd_labels", args={"streamed": streamed}).train) == 600
