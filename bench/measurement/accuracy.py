"""Accuracy of a model on a split, every example counted once: of all examples, and by class."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ...datasets.api import Split
from ...records.fields import Metric
from .eval_mode import eval_mode

EVAL_BATCH = 1024


@torch.inference_mode()
def correct(model: nn.Module, split: Split, device: torch.device) -> int:
    """Returns how many examples of a split the model classifies correctly, in eval mode.

    Args:
        model: A classifier on `device`; its train or eval mode is the same afterwards.
        split: The examples; each is counted once, in batches of `EVAL_BATCH`, never augmented.
        device: Where the batches are put.

    Returns:
        The number of examples whose largest logit is that of their label; NaN is no answer.

    Example:
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> images, labels = torch.eye(3).view(3, 1, 1, 3), torch.tensor([0, 1, 1])
        >>> split = OnDevice(images, labels, mean=torch.zeros(1), std=torch.ones(1))
        >>> correct(nn.Flatten(), split, torch.device("cpu"))  # it predicts 0, 1 and 2
        2
    """
    hits = torch.zeros((), dtype=torch.int64, device=device)
    for right, _, _ in _answers(model, split, device):
        hits += right.sum()
    return int(hits)


def _answers(model: nn.Module, split: Split, device: torch.device) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yields for each batch of a split which examples the model classifies correctly, for which it gives no
    number (a NaN, which `argmax` would take for the largest logit), and their labels."""
    with eval_mode(model):
        for x, y in split.batches(EVAL_BATCH, device):
            logits = model(x).reshape(len(y), -1)  # a model may squeeze a batch of one
            unknown = logits.isnan().any(dim=1)
            yield (logits.argmax(dim=1) == y) & ~unknown, unknown, y


def accuracy(model: nn.Module, split: Split, device: torch.device, metric: Metric = "accuracy") -> float:
    """Returns the accuracy of a model on a split: of all examples, or balanced over the classes.

    Args:
        model: A classifier on `device`.
        split: The examples to classify.
        device: Where the batches are put.
        metric: "balanced_accuracy" for the mean over the classes of the accuracy on each.

    Returns:
        A fraction in [0, 1].

    Example:
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> images, labels = torch.eye(4).view(4, 1, 1, 4), torch.tensor([0, 1, 2, 2])
        >>> split = OnDevice(images, labels, mean=torch.zeros(1), std=torch.ones(1))
        >>> accuracy(nn.Flatten(), split, torch.device("cpu"))  # it predicts 0, 1, 2 and 3
        0.75
    """
    if metric == "accuracy":
        return correct(model, split, device) / len(split)
    return by_class(model, split, device).balanced_accuracy


@dataclass(frozen=True)
class ClassCounts:
    """How many examples of each class a split has, and how many of them a model classifies correctly.

    Attributes:
        examples: The number of examples by class, int64 `(K,)` on the CPU; 0 where the split has none.
        hits: How many of them are classified correctly, int64 `(K,)`.
        unknown: For how many examples the model gives no number; none of them counts as correct.

    Example:
        >>> found = ClassCounts(examples=torch.tensor([8, 2, 0]), hits=torch.tensor([8, 1, 0]))
        >>> found.accuracy, found.balanced_accuracy, found.chance(), found.chance("balanced_accuracy")
        (0.9, 0.75, 0.8, 0.5)
    """

    examples: Tensor
    hits: Tensor
    unknown: int = 0

    @cached_property
    def accuracy(self) -> float:
        """Correct examples over all examples."""
        return int(self.hits.sum()) / int(self.examples.sum())

    @cached_property
    def balanced_accuracy(self) -> float:
        """Mean over the classes of the accuracy on each, of the classes that the split has."""
        there = self.examples > 0
        return float((self.hits[there].double() / self.examples[there]).mean())

    def score(self, metric: Metric = "accuracy") -> float:
        """Returns the accuracy by which networks are compared: of all examples, or balanced."""
        return self.accuracy if metric == "accuracy" else self.balanced_accuracy

    def chance(self, metric: Metric = "accuracy") -> float:
        """Returns the best score of a constant answer: the share of the largest class.

        Of the balanced accuracy it is one over the number of classes that the split has.
        """
        if metric == "accuracy":
            return int(self.examples.max()) / int(self.examples.sum())
        return 1 / int((self.examples > 0).sum())


@torch.inference_mode()
def by_class(model: nn.Module, split: Split, device: torch.device) -> ClassCounts:
    """Returns the examples of each class and how many of them a model classifies correctly, in eval mode.

    Args:
        model: A classifier on `device`; its train or eval mode is the same afterwards.
        split: The examples; each is counted once, in batches of `EVAL_BATCH`, never augmented.
        device: Where the batches are put.

    Returns:
        The counts, whose accuracy is that of `accuracy`.

    Example:
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> images, labels = torch.eye(4).view(4, 1, 1, 4), torch.tensor([0, 1, 2, 2])
        >>> split = OnDevice(images, labels, mean=torch.zeros(1), std=torch.ones(1))
        >>> by_class(nn.Flatten(), split, torch.device("cpu"))  # it predicts 0, 1, 2 and 3
        ClassCounts(examples=tensor([1, 1, 2]), hits=tensor([1, 1, 1]), unknown=0)
    """
    right, unknown, labels = zip(*_answers(model, split, device), strict=True)
    classes, hits = torch.cat(labels).cpu(), torch.cat(right).cpu()
    examples = torch.bincount(classes)
    correct_ones = torch.bincount(classes[hits], minlength=len(examples))
    return ClassCounts(examples, correct_ones, int(torch.cat(unknown).sum()))


def class_sizes(split: Split) -> ClassCounts:
    """Returns the examples of each class of a split, without a model.

    Args:
        split: The examples. Labels that the split holds as a tensor are read from it; else it is passed over.

    Returns:
        The counts of a model that classifies nothing correctly.

    Example:
        >>> from sparsebench.datasets.on_device import OnDevice
        >>> labels = torch.tensor([0, 1, 1, 1])
        >>> split = OnDevice(torch.zeros(4, 1, 1, 1), labels, torch.zeros(1), torch.ones(1))
        >>> class_sizes(split).chance()
        0.75
    """
    labels = getattr(split, "labels", None)
    if not isinstance(labels, Tensor) or labels.shape != (len(split),):
        labels = torch.cat([y for _, y in split.batches(EVAL_BATCH, torch.device("cpu"))])
    examples = torch.bincount(labels.cpu())
    return ClassCounts(examples, torch.zeros_like(examples))


@dataclass(frozen=True)
class Evaluation:
    """A model's results on the validation split and, outside a search, on the test set.

    Attributes:
        valid: The counts on the validation split.
        test: The counts on the test set; None where it was not read.

    Example:
        >>> counts = ClassCounts(examples=torch.tensor([8, 2]), hits=torch.tensor([8, 1]))
        >>> Evaluation(counts, None).accuracies("accuracy", exact=Evaluation(counts, None))["val_accuracy"]
        0.9
    """

    valid: ClassCounts
    test: ClassCounts | None

    def accuracies(self, metric: Metric, exact: "Evaluation") -> dict[str, Any]:
        """Returns the accuracies and the chance of a record; `exact` is the evaluation at exact zeros."""
        found: dict[str, Any] = {}
        for name, counts, first in (("val", self.valid, exact.valid), ("test", self.test, exact.test)):
            if counts is not None and first is not None:
                found |= {
                    f"{name}_accuracy": counts.score(metric),
                    f"{name}_accuracy_exact": first.score(metric),
                    f"{name}_chance": counts.chance(metric),
                    f"{name}_balanced_accuracy": counts.balanced_accuracy,
                }
        return found
