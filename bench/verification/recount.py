"""The comparison of a model with its record: zeros are counted and accuracies measured again."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ...datasets.api import Data
from ...records.fields import CompressionPoint, Metric
from ...records.record import Record
from ...records.schema_1 import recorded_arguments
from ..measurement.accuracy import ClassCounts, Evaluation, by_class
from ..measurement.compression import compression, layer_table, zero_below
from ..measurement.curve import curve
from ..measurement.cuts import ChannelCut, Cut, WeightCut, restored
from ..measurement.flops import by_weight
from ..measurement.forward import products
from ..measurement.graph.find_channels import find_channels
from ..measurement.prunable import prunable_weights

EQUAL = 1e-9  # relative tolerance of a recomputed ratio
ROUNDING = 1e-6  # of an example


def record_differences(record: Record, network: nn.Module, data: Data, device: torch.device) -> Iterator[str]:
    """Yields what a record says otherwise than its model shows.

    Counts of weights have to be equal, accuracies may differ by one example: devices round otherwise.

    Args:
        record: The whole record of the trial.
        network: The model with the uncut weights of the file, on `device`.
        data: The dataset, which has been checked to be that of the record.
        device: Where the batches are put.

    Yields:
        A phrase for each difference.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> from sparsebench.bench.verification.untrusted_model import load_weights, network_of
        >>> from pathlib import Path
        >>> made = run(trial, save=Path("model.safetensors"))
        >>> network = network_of(made, data.shape, data.classes)
        >>> load_weights(Path("model.safetensors"), network, made.id)
        >>> cpu = torch.device("cpu")
        >>> list(record_differences(made, network, data, cpu))
        []
        >>> raised = made.model_copy(update={"test_accuracy": 1.0})
        >>> list(record_differences(raised, network, data, cpu))
        ['its test_accuracy is 1.0000, that of the model is ...']
    """
    forward = products(network, data.shape)
    names = prunable_weights(network, forward, recorded_arguments(record).keep_dense)
    sizes = [(layer.name, tuple(layer.shape)) for layer in record.layers]
    if sizes != [(layer.name, tuple(layer.shape)) for layer in layer_table(network, names)]:
        yield "its layers are not the prunable ones of the network"
        return
    if record.classes != data.classes:
        yield f"it has {record.classes} classes, the data have {data.classes}"
    # The uncut model, and its curve
    weights = [network.get_parameter(name).detach() for name in names]
    metric: Metric = record.recipe.get("metric", "accuracy")
    exact = _evaluated(network, data, device)
    margins = _margins(exact, metric)
    counted = compression(layer_table(network, names))
    if record.compression_exact is not None and _unequal(record.compression_exact, counted):
        yield f"its compression_exact is {record.compression_exact:.6g}, that of the model {counted:.6g}"
    cut: Cut = WeightCut(dict(zip(names, weights, strict=True)), by_weight(forward))
    if record.granularity == "channels":
        cut = ChannelCut(network, names, find_channels(network, names, data.shape))
    points = curve(network, cut, record.compressions, data, device, whole=exact, metric=metric)
    yield from _point_differences(record, points, margins)
    # The model at the record's threshold
    with restored(weights):
        zero_below(weights, record.threshold or 0.0)
        layers = layer_table(network, names)
        found = _evaluated(network, data, device) if record.threshold else exact
    wrong = [b.name for a, b in zip(record.layers, layers, strict=True) if a.nonzeros != b.nonzeros]
    if wrong:
        yield f"its nonzeros of {len(wrong)} layers, such as {wrong[0]!a}, are not those of the model"
    yield from _accuracy_differences(record, found.accuracies(metric, exact), margins)


def _evaluated(network: nn.Module, data: Data, device: torch.device) -> Evaluation:
    return Evaluation(by_class(network, data.valid, device), by_class(network, data.test, device))


def _margins(found: Evaluation, metric: Metric) -> dict[str, float]:
    """Returns by how much an accuracy may differ: that of one example, by split and by kind of accuracy."""
    assert found.test is not None, "a verification reads the test set"
    margins = {"val": _example(found.valid, metric), "test": _example(found.test, metric)}
    for split, counts in (("val", found.valid), ("test", found.test)):
        margins[f"{split}_balanced"] = _example(counts, "balanced_accuracy")
        margins[f"{split}_chance"] = ROUNDING
    return margins


def _example(counts: ClassCounts, metric: Metric) -> float:
    """Returns what one example of a split is worth in an accuracy."""
    there = counts.examples[counts.examples > 0]
    worth = 1 / int(there.sum()) if metric == "accuracy" else 1 / (len(there) * int(there.min()))
    return worth * (1 + ROUNDING)


def _unequal(first: float, second: float) -> bool:
    return abs(first - second) > EQUAL * max(abs(first), abs(second))


def _point_differences(
    record: Record, points: list[CompressionPoint], margins: dict[str, float]
) -> Iterator[str]:
    """Yields how the points at the common compressions differ."""
    if [point.at for point in record.at_compressions] != [point.at for point in points]:
        yield "its common compressions are not those that leave a weight of the model"
        return
    for told, found in zip(record.at_compressions, points, strict=True):
        where = f"at compression {told.at:g}"
        if (told.nonzeros, told.cut) != (found.nonzeros, found.cut):
            yield f"{where} its nonzeros are {told.nonzeros:,}, those of the model {found.nonzeros:,}"
        if told.speedup is not None and found.speedup is not None and _unequal(told.speedup, found.speedup):
            yield f"{where} its speedup is {told.speedup:.6g}, that of the model {found.speedup:.6g}"
        for split in ("val", "test"):
            said, is_ = getattr(told, f"{split}_accuracy"), getattr(found, f"{split}_accuracy")
            if said is not None and abs(said - is_) > margins[split]:
                yield f"{where} its {split}_accuracy is {said:.4f}, that of the model is {is_:.4f}"


def _accuracy_differences(record: Record, found: dict[str, Any], margins: dict[str, float]) -> Iterator[str]:
    """Yields how the accuracies and what guessing reaches differ."""
    for name, value in found.items():
        said = getattr(record, name)
        kind = name.removesuffix("_exact").removesuffix("_accuracy")
        if said is not None and abs(said - value) > margins[kind]:
            yield f"its {name} is {said:.4f}, that of the model is {value:.4f}"
