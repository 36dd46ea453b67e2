"""The outcomes of a folder's trials: the few fields of records that a progress display needs. No torch."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from ...records.fields import CompressionPoint
from ...records.selection import Selected, columns, read_all


class _Fields(NamedTuple):
    id: str
    config: str
    suite: str
    entry: str
    dataset: str
    model: str
    phase: str
    status: str
    reason: str | None
    confirms: str | None
    val_accuracy: float | None
    compression: float | None
    command: str
    classes: int | None
    val_chance: float | None
    test_chance: float | None
    val_balanced_accuracy: float | None
    test_balanced_accuracy: float | None
    trial: int | None
    seed: int
    replicate: int
    at_compressions: list[CompressionPoint]


class TrialOutcome(_Fields):
    """What a progress display needs of a record; the attributes and properties are those of `Record`.

    Attributes:
        id: The trial's identity.
        config: The hash of its settings, equal for its seeds.
        suite: The suite's name.
        entry: The entry's label.
        dataset: The dataset's registered name.
        model: The model's registered name.
        phase: "search", "confirm" or "single".
        status: "ok", "diverged" or "failed".
        reason: Why the status is not "ok".
        confirms: The id of the search trial that a confirming trial repeats.
        val_accuracy: Validation accuracy, a fraction.
        compression: Compression, a ratio.
        command: The command that repeats the trial.
        classes, val_chance, test_chance, val_balanced_accuracy, test_balanced_accuracy: Measurements by which
            `learning.py` decides whether a network has learned something.
        trial: The trial's number in its search; None outside searches.
        seed: The seed.
        replicate: The number of the independent search that it belongs to.
        at_compressions: Its accuracy at the common compressions.

    Example:
        >>> _ = (folder / "records.jsonl").write_text(record.to_json())
        >>> [outcome], _ = read_outcomes(folder / "records.jsonl")
        >>> outcome.task == record.task, outcome.ok, outcome.log_compression == record.log_compression
        (True, True, True)
    """

    __slots__ = ()

    @property
    def task(self) -> str:
        """Name of the task, as `Record.task`."""
        return f"{self.dataset}-{self.model}"

    @property
    def ok(self) -> bool:
        """Whether the trial finished, as `Record.ok`."""
        return self.status != "failed"

    @property
    def log_compression(self) -> float:
        """log10 of the compression, as `Record.log_compression`."""
        return math.log10(self.compression or 1.0)


def read_outcomes(path: Path) -> tuple[list[TrialOutcome], str | None]:
    """Returns the latest outcome of each trial of a records file.

    Args:
        path: The records file.

    Returns:
        The outcomes in the order in which their identities first appeared; and the sentence on lines that
        were edited after they were written, None where there are none.

    Raises:
        SparsebenchError: A complete line is no valid record.

    Example:
        >>> found, edited = read_outcomes(folder / "records.jsonl")
        >>> len(found), edited
        (48, None)
    """
    found = dict[str, TrialOutcome]()

    def keep(read: Selected[tuple[Any, ...]]) -> None:
        outcome = TrialOutcome._make(read.value)
        found[outcome.id] = outcome

    edited = read_all(path, columns(*TrialOutcome._fields), keep)
    return list(found.values()), edited
