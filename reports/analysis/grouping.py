"""Records grouped into operating points: the runs of one configuration become one point. No torch."""

import math
from collections.abc import Iterable, Sequence

from ...learning import learned
from ...records.record import Record
from ...records.stored import in_memory
from .points import XY, Point, SeedResult, Source


def by_task(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Returns the latest record of each id by task.

    Args:
        records: Records in the order they were written, of any tasks.

    Returns:
        The records by task, in the order tasks first appear.

    Example:
        >>> {task: len(found) for task, found in by_task([*records, *records]).items()}
        {'made_up-net': 48}
    """
    tasks: dict[str, list[Record]] = {}
    for record in in_memory(records):
        tasks.setdefault(record.task, []).append(record)
    return tasks


def confirmed(records: Sequence[Record], chance: float) -> tuple[list[Point], dict[str, int]]:
    """Returns the points of a task's confirm phase, with test accuracy.

    Args:
        records: The records of one task; those of other phases are ignored.
        chance: Accuracy of guessing on the test set, which a diverged run gets.

    Returns:
        The points, by entry and rising compression, each made of the runs that repeat one search trial; and
        by entry the number of runs without a result.

    Example:
        >>> points, failures = confirmed(records, chance=0.1)
        >>> [(round(p.compression, 1), len(p.outcomes)) for p in points if p.entry == "dwf-3"]
        [(1.6, 3), (13.3, 3), (112.1, 3), (964.2, 3)]
    """
    chosen = [record for record in records if record.phase == "confirm"]
    return _points(chosen, chance, "test")


def provisional(records: Sequence[Record], chance: float) -> tuple[list[Point], dict[str, int]]:
    """Returns the points of a task's search and single runs, with validation accuracy.

    Args:
        records: The records of one task; those of the confirm phase are ignored.
        chance: Accuracy of guessing on the validation split, which a diverged run gets.

    Returns:
        The points, by entry and rising compression, each made of the runs of one configuration; and by entry
        the number of runs without a result.

    Example:
        >>> points, failures = provisional(records, chance=0.1)
        >>> points[0].source, len(points[0].outcomes)
        ('validation', 1)
    """
    chosen = [record for record in records if record.phase != "confirm"]
    return _points(chosen, chance, "validation")


def _points(records: Sequence[Record], chance: float, source: Source) -> tuple[list[Point], dict[str, int]]:
    # Group the runs by entry and by the configuration or the search trial that they repeat
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        key = record.confirms if source == "test" and record.confirms else record.config
        groups.setdefault((record.entry, key), []).append(record)
    # Make a point of each group that has a result, and count the runs that have none
    points: list[Point] = []
    failed: dict[str, int] = {}
    for (entry, key), group in groups.items():
        outcomes = [seed_result(record, chance, source) for record in group]
        found = sorted((o for o in outcomes if o is not None), key=lambda o: (o.seed, o.record.id))
        missing = len(group) - len(found)
        failed[entry] = failed.get(entry, 0) + missing
        if found:
            first = group[0]
            points.append(Point(first.task, entry, first.method, key, source, tuple(found), missing))
    return sorted(points, key=lambda p: (p.entry, p.x.mean, -p.accuracy.mean, p.key)), failed


def seed_result(record: Record, chance: float, source: Source) -> SeedResult | None:
    """Returns the result of a run for the leaderboard.

    Args:
        record: The record of the run.
        chance: Accuracy of guessing on that split.
        source: The split whose accuracy is wanted, "test" or "validation".

    Returns:
        The result, chance at compression 1 for a diverged run; None where the run failed or lacks the
        accuracy or the compression.

    Example:
        >>> diverged = record.model_copy(update={"status": "diverged"})
        >>> result = seed_result(diverged, chance=0.1, source="test")
        >>> result.accuracy, result.x, result.diverged
        (0.1, 0.0, True)
    """
    accuracy = record.test_accuracy if source == "test" else record.val_accuracy
    if record.status == "diverged":
        at = (0.0, chance)
        return SeedResult(record.seed, chance, 0.0, at, chance, 1.0, True, False, record, chance)
    if record.status == "failed" or accuracy is None or record.compression is None:
        return None
    collapsed = record.has_collapsed or not learned(accuracy, chance)
    exact = _exact(record, accuracy, source)
    return SeedResult(
        record.seed, accuracy, record.log_compression, exact, record.val_accuracy, record.speedup,
        False, collapsed, record, chance,
    )  # fmt: skip


def _exact(record: Record, accuracy: float, source: Source) -> XY | None:
    """(log10 compression, accuracy) at float32 eps; the measured point for a method with exact zeros."""
    if not record.threshold and record.compression_exact is None:
        return record.log_compression, accuracy
    at_eps = record.test_accuracy_exact if source == "test" else record.val_accuracy_exact
    if record.compression_exact is None or at_eps is None:
        return (record.log_compression, accuracy) if not record.threshold else None
    return math.log10(record.compression_exact), at_eps
