"""The entries without any result: of which every trial on a task failed. No torch."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from ...reasons import shortened
from ...records.record import Record
from .outcomes import TrialOutcome

LONGEST = 300  # characters of a reason here


def failed_entries(records: Iterable[Record] | Iterable[TrialOutcome]) -> list[str]:
    """Returns a sentence for each entry of which every trial on a task failed.

    Args:
        records: The records of a campaign, one for each identity.

    Returns:
        The sentences, with the most frequent reason; empty where every entry has a result on every task.

    Example:
        >>> broken = record.model_copy(update={"status": "failed", "reason": "no memory"})
        >>> failed_entries([broken]), failed_entries([broken, record.model_copy(update={"id": "b"})])
        (["every trial of 'dwf-3' on made_up-net failed (1): no memory"], [])
    """
    found: dict[tuple[str, str], list[Record | TrialOutcome]] = defaultdict(list)
    for record in records:
        found[record.entry, record.task].append(record)
    return [
        f"every trial of {entry!r} on {task} failed ({len(group)}): {_reason(group)}"
        for (entry, task), group in found.items()
        if not any(record.ok for record in group)
    ]


def _reason(group: Iterable[Record | TrialOutcome]) -> str:
    """Returns the most frequent reason."""
    counted = Counter(record.reason or "no reason was given" for record in group)
    return shortened(counted.most_common(1)[0][0], LONGEST)
