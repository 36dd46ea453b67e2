"""The evidence of others: whether the trainings of another submitter agree with those on the board."""

from collections.abc import Iterable, Mapping, Sequence

from ...records.record import Record
from ...reports.analysis.boards import boards
from ...reports.statistics.differences import difference
from ...reports.statistics.intervals import CONFIDENCE
from ...reports.verified import State
from ..exchange.compatibility import Source
from .layout import Submission


def states_of(held: Sequence[tuple[Submission, Source]]) -> dict[str, State]:
    """Returns what is known of each entry of a task.

    The row is that of the first submission that has the entry. It is "retrained by others" where a later one
    of somebody else, whose weights were verified, has trainings of its own whose accuracies do not differ
    significantly at any common compression (5 % over all of them, Bonferroni).

    Args:
        held: The submissions of the task in their order, with their records.

    Returns:
        The state by entry.

    Example:
        >>> states_of([])
        {}
    """
    found: dict[str, State] = {}
    first: dict[str, tuple[Submission, Source]] = {}
    for submission, source in held:
        for entry, state in submission.told.states.items():
            owner, own = first.setdefault(entry, (submission, source))
            if owner is submission:
                found[entry] = state
            elif (
                state != "records only"
                and submission.told.by.casefold() != owner.told.by.casefold()
                and _retrained(own.records, source.records, entry)
            ):
                found[entry] = "retrained by others"
    return found


def _retrained(first: Sequence[Record], second: Sequence[Record], entry: str) -> bool:
    """Whether the second records are trainings of their own, and agree with the first."""
    took = {record.id: record.seconds for record in _confirmed(first, entry)}
    if any(took.get(record.id) == record.seconds for record in _confirmed(second, entry)):
        return False  # a copy: no training takes the same time twice
    here, there = _accuracies(first, entry), _accuracies(second, entry)
    if not here or here.keys() != there.keys():
        return False
    confidence = 1 - (1 - CONFIDENCE) / len(here)
    gaps = [difference(here[c], there[c], confidence) for c in here]
    return all(gap is not None and not gap.distinct for gap in gaps)


def _confirmed(records: Iterable[Record], entry: str) -> list[Record]:
    return [record for record in records if record.entry == entry and record.phase == "confirm"]


def _accuracies(records: Sequence[Record], entry: str) -> dict[float, Mapping[int, float]]:
    """Returns the accuracy of each seed or search at each common compression.

    Their numbers are negative: seeds of two machines are no pairs, as their searches found other knobs.
    """
    [board] = boards([record for record in records if record.entry == entry])
    if board.source != "test":
        return {}
    return {
        point.at: {-1 - number: value for number, value in enumerate(point.units.values())}
        for point in board.points[entry]
        if point.at is not None
    }
