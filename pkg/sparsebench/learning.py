"""Chance, and whether a network has learned something: one rule for search, models, tables and figures."""

from collections.abc import Iterable
from typing import Literal, Protocol

Split = Literal["test", "validation"]

LEAST_SHARE = 0.05
"""A network has learned something from this share on of the way from chance to an accuracy of 1."""
SLACK = 1e-12  # accuracies are ratios of counts


class Measured(Protocol):
    """What a record says of the splits that it was measured on; `Record` is one.

    Example:
        >>> chance_on([record], "validation")
        0.1
    """

    @property
    def classes(self) -> int | None:
        """Number of classes of the dataset."""

    @property
    def val_chance(self) -> float | None:
        """Accuracy of guessing on the validation split."""

    @property
    def test_chance(self) -> float | None:
        """Accuracy of guessing on the test set."""

    @property
    def val_balanced_accuracy(self) -> float | None:
        """Balanced accuracy on the validation split."""

    @property
    def test_balanced_accuracy(self) -> float | None:
        """Balanced accuracy on the test set."""


def learned(accuracy: float, chance: float) -> bool:
    """Returns whether a network with this accuracy has learned something: (a − chance)/(1 − chance) > 0.05.

    A multiple of chance would not do: where nine examples of ten are of one class, 1.5 × 0.9 is out of reach.

    Args:
        accuracy: The accuracy a, a fraction.
        chance: The accuracy of guessing on the same examples.

    Returns:
        False also where every example is of one class, of which nothing can be learned.

    Example:
        >>> learned(0.52, chance=0.5), learned(0.53, chance=0.5)  # above 0.525
        (False, True)
        >>> learned(0.9, chance=0.9), learned(0.91, chance=0.9)  # above 0.905
        (False, True)
    """
    return accuracy > least_accuracy(chance) + SLACK


def least_accuracy(chance: float) -> float:
    """Returns the accuracy above which a network has learned something, as `learned` decides.

    Args:
        chance: The accuracy of guessing.

    Returns:
        chance + 0.05 · (1 − chance), a fraction.

    Example:
        >>> [round(least_accuracy(chance), 3) for chance in (0.001, 0.1, 0.5, 0.9)]
        [0.051, 0.145, 0.525, 0.905]
    """
    return chance + LEAST_SHARE * (1 - chance)


def chance_of(record: Measured, split: Split) -> float | None:
    """Returns the accuracy of guessing on a split that a record was measured on.

    Args:
        record: The record.
        split: "test" or "validation".

    Returns:
        The share of the split's largest class; 1/classes for a record of before that was recorded; None where
        the record has neither.

    Example:
        >>> chance_of(record, "test")  # an old one, of ten classes
        0.1
        >>> chance_of(record.model_copy(update={"test_chance": 0.9}), "test")
        0.9
    """
    measured = record.test_chance if split == "test" else record.val_chance
    if measured is not None:
        return measured
    return 1 / record.classes if record.classes else None


def balanced_accuracy(record: Measured, split: Split) -> float | None:
    """Returns the mean over the classes of a split of the accuracy on each.

    Args:
        record: The record.
        split: "test" or "validation".

    Returns:
        A fraction; None for a record of before it was measured.

    Example:
        >>> balanced_accuracy(record.model_copy(update={"test_balanced_accuracy": 0.8}), "test")
        0.8
    """
    return record.test_balanced_accuracy if split == "test" else record.val_balanced_accuracy


def chance_on(records: Iterable[Measured], split: Split) -> float:
    """Returns the accuracy of guessing on a split of a task, one number for all its records.

    What the split holds is decided by the data digest, so that one record that has the share of the largest
    class tells it for all others, old ones and those of the search too, whose digest is the same.

    Args:
        records: The records of one task.
        split: "test" or "validation".

    Returns:
        The share of the largest class as the most records with that share have it; without any 1/classes,
        and 0 where no record has the number of classes.

    Example:
        >>> chance_on(records, "test")  # old ones, of ten classes
        0.1
        >>> chance_on([*records, record.model_copy(update={"test_chance": 0.35})], "test")
        0.35
    """
    known = list(records)
    measured = [r.test_chance if split == "test" else r.val_chance for r in known]
    shares = [share for share in measured if share is not None]
    if shares:
        return max(sorted(set(shares)), key=shares.count)
    return next((1 / record.classes for record in known if record.classes), 0.0)
