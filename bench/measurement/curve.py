"""The curve of a finished model: its accuracy at the common compressions, cut by magnitude to get there."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...datasets.api import Data
from ...errors import SparsebenchError
from ...methods.masks import top
from ...methods.sparsity import kept_at
from ...records.fields import CompressionPoint, Metric
from .accuracy import Evaluation, accuracy
from .accuracy import by_class as by_class


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


@torch.no_grad()
def cut_to(weights: Sequence[Tensor], keep: int) -> bool:
    """Keeps the `keep` weights of largest magnitude over all tensors, and sets the others to zero, in place.

    Of equal magnitudes the first in the order of tensors and indices stays. Tensors that together have no
    more nonzeros are not changed.

    Args:
        weights: The prunable tensors, in P's order.
        keep: How many weights stay at most.

    Returns:
        Whether something was cut.

    Example:
        >>> w = [torch.tensor([0.5, -2.0]), torch.tensor([1.0, 0.25])]
        >>> cut_to(w, 2), [t.tolist() for t in w], cut_to(w, 2)
        (True, [[0.0, -2.0], [1.0, 0.0]], False)
    """
    if _nonzeros(weights) <= keep:
        return False
    mask = top(torch.cat([w.abs().reshape(-1) for w in weights]), keep)
    for w, kept in zip(weights, torch.split(mask, [w.numel() for w in weights]), strict=True):
        w.masked_fill_(~kept.view_as(w), 0.0)
    return True


@contextmanager
def restored(weights: Sequence[Tensor]) -> Iterator[None]:
    """Gives tensors the values again that they have now, in place, when the block ends.

    Args:
        weights: The tensors, detached views of a model's own.

    Yields:
        Nothing: the block may change the tensors.

    Example:
        >>> w = torch.ones(2)
        >>> with restored([w]):
        ...     _ = w.zero_()
        >>> w
        tensor([1., 1.])
    """
    whole = [w.clone() for w in weights]
    try:
        yield
    finally:
        for w, was in zip(weights, whole, strict=True):
            w.copy_(was)


def curve(
    model: nn.Module,
    weights: Sequence[Tensor],
    compressions: Sequence[float],
    data: Data,
    device: torch.device,
    *,
    whole: Evaluation,
    metric: Metric = "accuracy",
) -> list[CompressionPoint]:
    """Returns the accuracy of a model at compression 1 and at each common compression.

    The model is measured as it is where it is that sparse already, else with the k(c) weights of largest
    magnitude over all of P, without retraining. The weights have their values again afterwards.

    Args:
        model: The finished plain model, on `device`.
        weights: Its prunable weights, detached views of the model's own tensors.
        compressions: The common compressions, each 1 or more; those that leave no weight are left out.
        data: The validation split and the test set.
        device: Where the batches are put.
        whole: The results of the model as it is, which are those at compression 1; where they have none on
            the test set, that is not read.
        metric: Which accuracy.

    Returns:
        One point a compression, ascending; none where there are no common compressions.

    Example:
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> layer, labels = nn.Linear(2, 2, bias=False), torch.tensor([0, 1, 1])
        >>> layer.weight.data = torch.tensor([[1.0, 0.0], [0.0, 0.5]])
        >>> split = OnDevice(torch.eye(2)[labels].view(3, 1, 1, 2), labels, torch.zeros(1), torch.ones(1))
        >>> data = Data("two", (1, 1, 2), 2, train=split, valid=split, test=split, digest="d1915")
        >>> net, cpu = nn.Sequential(nn.Flatten(), layer), torch.device("cpu")
        >>> whole = Evaluation(by_class(net, split, cpu), None)
        >>> points = curve(net, [layer.weight.detach()], [2, 4], data, cpu, whole=whole)
        >>> [(p.at, p.nonzeros, p.cut, round(p.val_accuracy, 2)) for p in points]
        [(1.0, 2, False, 1.0), (2.0, 2, False, 1.0), (4.0, 1, True, 0.33)]
    """
    if not compressions:
        return []
    size, nonzeros = sum(w.numel() for w in weights), _nonzeros(weights)
    test = whole.test.score(metric) if whole.test is not None else None
    points = [CompressionPoint(1.0, whole.valid.score(metric), nonzeros, False, test)]
    with restored(weights):
        for c in sorted(c for c in set(compressions) if 1 < c <= size):
            if not cut_to(weights, kept_at(c, size)):  # the same model
                points.append(replace(points[-1], at=c))
                continue
            valid = accuracy(model, data.valid, device, metric)
            test = accuracy(model, data.test, device, metric) if whole.test is not None else None
            points.append(CompressionPoint(c, valid, _nonzeros(weights), True, test))
    return points


def _nonzeros(weights: Iterable[Tensor]) -> int:
    return sum(int(w.count_nonzero()) for w in weights)
