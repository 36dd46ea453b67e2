"""Records at the common compressions 4 and 16, made up with the accuracies that a test gives."""

from collections.abc import Sequence
from typing import Any

from sparsebench.records.fields import CompressionPoint
from sparsebench.records.record import Record
from synthetic_records import record

C = (4.0, 16.0)
ALL = (1.0, *C)
Accuracies = Sequence[float]


def points(validation: Accuracies, test: Accuracies | None, cut: bool = True) -> list[CompressionPoint]:
    return [
        CompressionPoint(
            at=c, val_accuracy=v, nonzeros=round(1000 / c), cut=cut and c > 1,
            test_accuracy=None if test is None else test[i],
        )
        for i, (c, v) in enumerate(zip(ALL, validation, strict=True))
    ]  # fmt: skip


def trained(entry: str, number: int, validation: Accuracies, replicate: int = 0, **more: Any) -> Record:
    """A search trial with its validation accuracies at 1, 4 and 16."""
    given = {
        "id": f"{entry}-{replicate}-{number}", "config": f"{entry}{number}", "phase": "search",
        "trial": number, "seed": 100 * replicate + number, "val_accuracy": validation[0], "compression": 1.0,
        "compressions": C, "aim": C[number % 2], "replicate": replicate,
        "at_compressions": points(validation, None), "params": {"lr": 0.1},
    }  # fmt: skip
    return record(entry=entry, method=more.pop("method", entry), **{**given, **more})


def confirmed(
    entry: str,
    number: int,
    seed: int,
    test: Accuracies,
    replicate: int = 0,
    validation: Accuracies | None = None,
    **more: Any,
) -> Record:
    """A confirming run with its accuracies at 1, 4 and 16; on validation data those of the test set, if not
    given."""
    given = {
        "id": f"{entry}-{replicate}-{number}-{seed}", "config": f"{entry}{number}", "seed": seed,
        "confirms": f"{entry}-{replicate}-{number}", "val_accuracy": test[0], "test_accuracy": test[0],
        "compression": 1.0, "compressions": C, "replicate": replicate,
        "at_compressions": points(validation or test, test),
    }  # fmt: skip
    return record(entry=entry, method=more.pop("method", entry), **{**given, **more})


def dense(searches: int = 1) -> list[Record]:
    """Accuracy 0.9 at 1 in every search, chance 0.1."""
    return [
        one
        for k in range(searches)
        for one in (
            trained("dense", 0, (0.95, 0.5, 0.1), k),
            *(confirmed("dense", 0, 900 + 10 * k + s, (0.9, 0.5, 0.1), k) for s in range(2)),
        )
    ]
