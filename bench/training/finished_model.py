"""The measurements of a finished model: its two operating points, its curve, and what is counted of it."""

from collections.abc import Sequence
from typing import Any

import torch

from ...datasets.api import Data
from ...methods.api import Diverged, Sparsifier, keep_count
from ...records.fields import Layer, Measurements, TrainingResult
from ..config.trial_spec import Trial
from ..measurement.accuracy import ClassCounts, Evaluation, by_class, class_sizes
from ..measurement.collapse import has_collapsed
from ..measurement.compression import (
    compression,
    densities,
    effective_compression,
    empty_layers,
    layer_table,
    total_compression,
    zero_below,
)
from ..measurement.curve import curve
from ..measurement.cuts import ChannelCut, Cut, WeightCut, restored
from ..measurement.flops import speedup
from ..measurement.zero_threshold import operating_points
from .loop import Training


def measurements(
    trial: Trial, training: Training, result: TrainingResult, data: Data, place: torch.device
) -> Measurements:
    """Returns the measurements of a finished training; the model is left uncut, with its exact zeros.

    Args:
        trial: The trial: its phase says whether test data may be read, and it names the compressions.
        training: The training, which has ended.
        result: How it went; it is set to diverged where the model has no numbers.
        data: The dataset.
        place: Where the batches are put.

    Returns:
        The measurements; of a diverged training what guessing reaches, at compression 1.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> run(trial).val_accuracy is not None
        True
    """
    try:
        if result.status == "ok":
            return _measured(trial, training, data, place)
    except Diverged as error:
        result.status, result.reason = "diverged", str(error)
    return _chance(trial, data)


def _chance(trial: Trial, data: Data) -> Measurements:
    """Returns the measurements of a diverged training: what guessing reaches, at compression 1."""
    metric = trial.recipe.metric
    valid = class_sizes(data.valid).chance(metric)
    test = None if trial.phase == "search" else class_sizes(data.test).chance(metric)
    return Measurements(
        classes=data.classes, val_accuracy=valid, test_accuracy=test, val_chance=valid, test_chance=test,
        compression=1.0,
    )  # fmt: skip


def _measured(trial: Trial, training: Training, data: Data, place: torch.device) -> Measurements:
    """Returns the measurements at both operating points and the curve; the model is left at the first."""
    model, method = training.model, training.method

    def on_test() -> ClassCounts | None:
        return by_class(model, data.test, place) if trial.phase != "search" else None

    if not all(bool(p.isfinite().all()) for p in model.parameters()):
        raise Diverged("a parameter of the finished model is not finite")
    # The two thresholds.
    weights = [training.net.weight(name).detach() for name in training.prunable]
    exact, chosen = operating_points(model, weights, data.valid, place, method.exact_zeros)
    if exact.valid.unknown == len(data.valid):
        raise Diverged("every logit of the finished model is NaN")
    # The exact point and the curve from it, then the reported point.
    zero_below(weights, exact.threshold)
    compression_exact = compression(layer_table(model, training.prunable))
    first, metric = Evaluation(exact.valid, on_test()), trial.recipe.metric
    cut = _cut(trial, training)
    points = curve(model, cut, trial.compressions, data, place, whole=first, metric=metric)
    with restored(weights):
        zero_below(weights, chosen.threshold)
        found = first if chosen is exact else Evaluation(chosen.valid, on_test())
        return Measurements(
            classes=data.classes,
            **found.accuracies(metric, first),
            **_sizes(training, data, place),
            compression_exact=compression_exact,
            threshold=chosen.threshold,
            at_compressions=points,
        )


def _sizes(training: Training, data: Data, place: torch.device) -> dict[str, Any]:
    """Returns what is counted of a finished model: its zeros, and what they save."""
    model, layers = training.model, layer_table(training.model, training.prunable)
    target, missed_by = _target(training.method, layers)
    return {
        "compression": compression(layers),
        "target": target,
        "missed_by": missed_by,
        "total_compression": total_compression(model),
        "effective_compression": effective_compression(model, training.prunable, data.shape),
        "speedup": speedup(training.metrics.cost, densities(layers)),
        "prunable_share": training.prunable_share,
        "collapsed": has_collapsed(model, data.shape, place),
        "empty_layers": empty_layers(layers),
        "layers": layers,
    }


def _cut(trial: Trial, training: Training) -> Cut:
    """Returns the way in which the finished model is brought to the common compressions."""
    if trial.granularity == "channels":
        return ChannelCut(training.model, training.prunable, training.net.channels)
    weights = {name: training.net.weight(name).detach() for name in training.prunable}
    return WeightCut(weights, training.metrics.cost)


def _target(method: Sparsifier, layers: Sequence[Layer]) -> tuple[float | None, int | None]:
    """Returns the target as a compression, and how many nonzeros more than it the finished model has."""
    sparsity = method.target()
    if sparsity is None:
        return None, None
    size, nonzeros = sum(layer.size for layer in layers), sum(layer.nonzeros for layer in layers)
    return 1 / (1 - sparsity), nonzeros - keep_count(sparsity, size)
