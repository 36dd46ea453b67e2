"""The curve of a finished model: its accuracy at the common compressions, cut to get there."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import nn

from ...datasets.api import Data
from ...errors import SparsebenchError
from ...records.fields import CompressionPoint, Metric
from .accuracy import Evaluation, accuracy
from .accuracy import by_class as by_class
from .cuts import Cut, restored


def check_compressions(compressions: Iterable[float], size: int, task: str) -> None:
    """Raises where a common compression leaves no weight of a network.

    Args:
        compressions: The common compressions.
        size: |P|.
        task: The name of the task, for the message.

    Raises:
        SparsebenchError: A compression is larger than |P|.

    Example:
        >>> check_compressions([4, 512], 300, "digits-tiny")
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: compression 512 leaves no weight of digits-tiny, whose ...
    """
    if (largest := max(compressions, default=1)) > size:
        raise SparsebenchError(
            f"compression {largest:g} leaves no weight of {task}, whose network has {size:,} prunable ones: "
            "name smaller `compressions` in the suite's budget"
        )


def curve(
    model: nn.Module,
    cut: Cut,
    compressions: Sequence[float],
    data: Data,
    device: torch.device,
    *,
    whole: Evaluation,
    metric: Metric = "accuracy",
) -> list[CompressionPoint]:
    """Returns the accuracy of a model at compression 1 and at each common compression.

    The model is measured as it is where it is that sparse already, else cut to get there, without retraining.
    It has its values again afterwards.

    Args:
        model: The finished plain model, on `device`.
        cut: How it is cut.
        compressions: The common compressions, each 1 or more; those that leave no network are left out.
        data: The validation split and the test set.
        device: Where the batches are put.
        whole: The results of the model as it is, which are those at compression 1; where they have none on
            the test set, that is not read.
        metric: Which accuracy.

    Returns:
        One point a compression, ascending; none where there are no common compressions.

    Example:
        >>> from sparsebench.bench.measurement.cuts import WeightCut
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> layer, labels = nn.Linear(2, 2, bias=False), torch.tensor([0, 1, 1])
        >>> layer.weight.data = torch.tensor([[1.0, 0.0], [0.0, 0.5]])
        >>> split = OnDevice(torch.eye(2)[labels].view(3, 1, 1, 2), labels, torch.zeros(1), torch.ones(1))
        >>> data = Data("two", (1, 1, 2), 2, train=split, valid=split, test=split, digest="d1915")
        >>> net, cpu = nn.Sequential(nn.Flatten(), layer), torch.device("cpu")
        >>> whole = Evaluation(by_class(net, split, cpu), None)
        >>> cut = WeightCut({"1.weight": layer.weight.detach()}, cost={"1.weight": 4})
        >>> points = curve(net, cut, [2, 4], data, cpu, whole=whole)
        >>> [(p.at, p.nonzeros, p.cut, p.speedup, round(p.val_accuracy, 2)) for p in points]
        [(1.0, 2, False, 2.0, 1.0), (2.0, 2, False, 2.0, 1.0), (4.0, 1, True, 4.0, 0.33)]
    """
    if not compressions:
        return []
    test = whole.test.score(metric) if whole.test is not None else None
    valid = whole.valid.score(metric)
    points = [CompressionPoint(1.0, valid, cut.nonzeros(), False, test, cut.speedup())]
    limit = cut.limit()
    with restored(cut.tensors):
        for c in sorted(c for c in set(compressions) if 1 < c <= limit):
            if not cut.to(c):  # the same model
                points.append(replace(points[-1], at=c))
                continue
            valid = accuracy(model, data.valid, device, metric)
            test = accuracy(model, data.test, device, metric) if whole.test is not None else None
            points.append(CompressionPoint(c, valid, cut.nonzeros(), True, test, cut.speedup()))
    return points
