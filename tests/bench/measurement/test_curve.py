"""The curve of a finished model, against cuts worked by hand and models recomputed from their files."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.measurement.accuracy import Evaluation, by_class
from sparsebench.bench.measurement.curve import check_compressions, curve
from sparsebench.bench.measurement.cuts import WeightCut, cut_to
from sparsebench.bench.training import trial as trials
from sparsebench.datasets.api import Data, open_dataset
from sparsebench.datasets.on_device import OnDevice
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import Net, keep_count
from sparsebench.methods.magnitude import keep_largest
from sparsebench.methods.sparsity import kept_at
from sparsebench.records.fields import CompressionPoint, Metric
from sparsebench.records.record import Record
from torch import nn

Make = Callable[..., Trial]
CPU = torch.device("cpu")


def linear(weights: list[list[float]]) -> tuple[nn.Module, torch.Tensor]:
    layer = nn.Linear(len(weights[0]), len(weights), bias=False)
    layer.weight.data = torch.tensor(weights)
    return nn.Sequential(nn.Flatten(), layer), layer.weight.detach()


def points_of(
    model: nn.Module,
    w: torch.Tensor,
    compressions: list[float],
    data: Data,
    *,
    tests: bool,
    metric: Metric = "accuracy",
) -> list[CompressionPoint]:
    whole = Evaluation(by_class(model, data.valid, CPU), by_class(model, data.test, CPU) if tests else None)
    cut = WeightCut({"w": w}, cost={"w": w.numel()})
    return curve(model, cut, compressions, data, CPU, whole=whole, metric=metric)


def one_hot(labels: list[int], classes: int) -> Data:
    """Images that are the unit vectors of their labels."""
    y = torch.tensor(labels)
    split = OnDevice(torch.eye(classes)[y].view(len(labels), 1, 1, classes), y, torch.zeros(1), torch.ones(1))
    return Data("one-hot", (1, 1, classes), classes, split, split, split, digest="one-hot")


def test_a_curve_by_hand() -> None:
    """Images name their class; class 0 wins where no weight of the own class is left."""
    model, w = linear([[1.0, 0.0, 0.0], [0.0, -9.0, 0.0], [0.0, 0.0, 0.5]])
    data = one_hot([0, 0, 1, 2], classes=3)
    points = points_of(model, w, [9, 3, 4.5, 1.5], data, tests=True)
    # |P| = 9 with 3 nonzeros, which are as sparse as 3; class 1 has a negative weight: never right.
    # k(4.5) = 2 leaves -9 and 1: images of class 2 fall to class 0. k(9) = 1 leaves -9 alone.
    assert [(p.at, p.nonzeros, p.cut) for p in points] == [
        (1.0, 3, False), (1.5, 3, False), (3.0, 3, False), (4.5, 2, True), (9.0, 1, True),
    ]  # fmt: skip
    assert [p.val_accuracy for p in points] == [0.75, 0.75, 0.75, 0.5, 0.5]
    assert [p.speedup for p in points] == [3, 3, 3, 4.5, 9]
    assert [p.test_accuracy for p in points] == [p.val_accuracy for p in points]
    assert w.tolist() == [[1.0, 0.0, 0.0], [0.0, -9.0, 0.0], [0.0, 0.0, 0.5]]  # given back


def test_the_metric_and_the_splits_are_those_asked_for() -> None:
    model, w = linear([[1.0, 0.0], [0.0, 0.5]])
    data = one_hot([0, 0, 0, 1], classes=2)
    [whole, cut] = points_of(model, w, [4], data, tests=False, metric="balanced_accuracy")
    assert (whole.val_accuracy, whole.test_accuracy) == (1.0, None)
    assert (cut.val_accuracy, cut.nonzeros) == (0.5, 1)  # all of class 0, none of class 1
    assert points_of(model, w, [4], data, tests=False)[1].val_accuracy == 0.75
    assert points_of(model, w, [], data, tests=False) == []


def test_a_collapsed_net_keeps_its_accuracy_of_guessing_and_is_cut_no_further() -> None:
    model, w = linear([[0.0, 0.0], [0.0, 0.0]])
    points = points_of(model, w, [2, 4], one_hot([0, 0, 1], classes=2), tests=False)
    assert [(p.val_accuracy, p.nonzeros, p.cut) for p in points] == [(pytest.approx(2 / 3), 0, False)] * 3


def test_of_equal_magnitudes_the_first_stays_over_all_tensors() -> None:
    w = [torch.tensor([[1.0, -2.0], [2.0, 1.0]]), torch.tensor([-2.0, 1.0, 2.0])]
    assert cut_to(w, 3)
    assert [t.tolist() for t in w] == [[[0.0, -2.0], [2.0, 0.0]], [-2.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    "compression", [1.0, 1.1, 1.5, 2, 2.5, 3, 4, 7, 10, 16, 33.3, 64, 100, 256, 512, 997]
)
def test_a_model_that_met_its_target_is_never_cut_at_it(compression: float) -> None:
    for inputs in [*range(7, 60, 3), 250, 997, 1000, 3333]:
        layer = nn.Linear(inputs, 1, bias=False)
        net = Net(nn.Sequential(layer), ["0.weight"], torch.Generator())
        keep_largest(net, 1 - 1 / compression, "global")
        w = net.weight("0.weight").detach()
        kept = int(w.count_nonzero())
        assert kept == kept_at(compression, inputs) == keep_count(1 - 1 / compression, inputs)
        assert abs(kept - inputs / compression) <= 0.5 + 1e-9 or kept == 1
        assert not cut_to([w], kept_at(compression, inputs))


def test_compressions_that_leave_no_weight_are_refused_with_a_sentence() -> None:
    check_compressions([4, 300], 300, "digits-tiny")
    with pytest.raises(
        SparsebenchError, match=r"^compression 301 leaves no weight of digits-tiny, whose .* 300"
    ):
        check_compressions([4, 301], 300, "digits-tiny")


def recomputed(file: Path, compression: float, planted: Data) -> tuple[float, int]:
    """What a LeNet-300-100 from a file is worth at a compression, without torch and without the package."""
    tensors = load_file(file)
    names = [name for name in tensors if name.endswith("weight")]
    flat = np.concatenate([np.abs(tensors[name]).ravel() for name in names])
    keep = max(1, round(flat.size * (1 - (1 - 1 / compression))))
    if np.count_nonzero(flat) > keep:
        kept = np.zeros(flat.size, bool)
        kept[np.argsort(-flat, kind="stable")[:keep]] = True
        for name, part in zip(
            names, np.split(kept, np.cumsum([tensors[n].size for n in names])), strict=False
        ):
            tensors[name] = tensors[name] * part.reshape(tensors[name].shape)
    x, y = (torch.cat(parts).numpy() for parts in zip(*planted.test.batches(512, CPU), strict=True))
    x = x.reshape(len(x), -1)
    for i, name in enumerate(names):
        x = np.maximum(x, 0) if i else x
        x = x @ tensors[name].T + tensors[name.replace("weight", "bias")]
    return float((x.argmax(1) == y).mean()), sum(int(np.count_nonzero(tensors[name])) for name in names)


@pytest.mark.parametrize(
    ("method", "knobs", "own"),
    [
        ("dense", {}, 1.0),
        ("l1", {"lam": 1e-2}, 1.0),
        ("magnitude", {"sparsity": 1 - 1 / 16, "finetune": 0.5}, 16.0),
        ("l1_prox", {"lam": 5e-2}, None),
        ("dwf", {"lam": 1e-2, "depth": 3}, 1.0),
    ],
)
def test_a_record_is_recomputed_from_the_weights_that_are_kept(
    make_trial: Make, tmp_path: Path, method: str, knobs: dict[str, Any], own: float | None
) -> None:
    """The kept model is the uncut one; whoever has it has the whole curve."""
    trial = make_trial(
        method=method, knobs=knobs, recipe={"epochs": 12, "lr": 0.2}, phase="confirm",
        compressions=(4.0, 16.0, 64.0, 512.0),
    )  # fmt: skip
    record = trials.run(trial, save=tmp_path / "model.safetensors")
    planted = open_dataset(trial.dataset, **trial.dataset_args)
    assert [point.at for point in record.at_compressions] == [1.0, 4.0, 16.0, 64.0, 512.0]
    size = sum(layer.size for layer in record.layers)
    for point in record.at_compressions:
        accuracy, nonzeros = recomputed(tmp_path / "model.safetensors", point.at, planted)
        assert nonzeros == point.nonzeros
        assert accuracy == pytest.approx(point.test_accuracy, abs=2 / len(planted.test))  # a tied logit
        assert point.nonzeros <= kept_at(point.at, size)
        assert point.cut == (own is not None and point.at > own) or own is None
    if own is None:  # zeros of its own, at a compression that follows from the training
        kept = record.at_compressions[0].nonzeros
        assert kept < size / 2
        assert [p.cut for p in record.at_compressions] == [
            kept > kept_at(p.at, size) for p in record.at_compressions
        ]
    if method == "magnitude":
        assert record.at_compressions[2].nonzeros == kept_at(16, size) and record.missed_by == 0


def test_a_training_that_diverged_has_no_curve(make_trial: Make) -> None:
    record: Record = trials.run(make_trial(recipe={"lr": 1e3, "epochs": 4}, compressions=(4.0, 64.0)))
    assert record.status == "diverged"
    assert record.at_compressions == []
    assert record.val_accuracy == record.val_chance


def test_a_search_trial_has_no_test_accuracy_anywhere(make_trial: Make) -> None:
    record = trials.run(make_trial(phase="search", compressions=(4.0,)))
    assert [point.test_accuracy for point in record.at_compressions] == [None, None]
    assert all(math.isfinite(point.val_accuracy) for point in record.at_compressions)
