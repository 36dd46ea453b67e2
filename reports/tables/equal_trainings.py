"""The second table, at equal trainings per cell: of a search only what aimed at a compression. No torch."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ...learning import chance_on
from ...records.choice import points_of
from ...records.record import Record
from ..analysis.leaderboard import TaskLeaderboard
from ..formatting import format_percent, one_line, span


@dataclass(frozen=True)
class EqualTrainings:
    """The best validation accuracies of a task's entries at equal trainings per cell.

    Attributes:
        compressions: The common compressions.
        trainings: How many trainings of one search each cell is the best of, by compression.
        accuracies: Validation accuracy by entry and compression, entries in the order of the leaderboard;
            None where an entry has no training with a result there.

    Example:
        >>> found = EqualTrainings((4.0,), {4.0: 2}, {"gmp": {4.0: 0.96}})
        >>> found.accuracies["gmp"][4.0]
        0.96
    """

    compressions: tuple[float, ...]
    trainings: dict[float, int]
    accuracies: dict[str, dict[float, float | None]]


def equal_trainings(board: TaskLeaderboard) -> EqualTrainings | None:
    """Returns the best validation accuracies among as many trainings of each entry at each compression.

    Only the trainings of an entry's first search that were assigned the compression count, and of them the
    first: as many as the entry with the fewest has. A method without a target, whose every training shows
    something at every compression, has as many as one with a target. The dense baseline is left out.

    Args:
        board: The task's leaderboard.

    Returns:
        The comparison; None without common compressions or without a search.

    Example:
        >>> equal_trainings(board) is None  # of a version without common compressions
        True
    """
    entries = [row.entry for row in board.rows if not row.baseline]
    aimed = {entry: _by_aim(board.records_of.get(entry, ())) for entry in entries}
    aimed = {entry: found for entry, found in aimed.items() if found}
    counts = {c: min((len(found[c]) for found in aimed.values()), default=0) for c in board.compressions}
    if not any(counts.values()):
        return None
    chance = chance_on(board.records, "validation")
    accuracies = {
        entry: {c: _best(found[c][: counts[c]], c, chance) for c in board.compressions}
        for entry, found in aimed.items()
    }
    return EqualTrainings(board.compressions, counts, accuracies)


def _by_aim(own: Sequence[Record]) -> dict[float, list[Record]]:
    """Returns the trials of an entry's first search by assigned compression, in their order."""
    searched = [r for r in own if r.phase == "search" and r.aim is not None]
    first = min((record.replicate for record in searched), default=0)
    found: dict[float, list[Record]] = defaultdict(list)
    for record in sorted(searched, key=lambda r: r.trial or 0):
        if record.replicate == first and record.aim is not None:
            found[record.aim].append(record)
    return found


def _best(trained: Sequence[Record], compression: float, chance: float) -> float | None:
    """Returns the best validation accuracy of some trainings; that of chance of one that diverged."""
    shown = [
        chance if record.status == "diverged" else point.val_accuracy if point else None
        for record in trained
        for point in [points_of(record).get(compression)]
    ]
    return max((accuracy for accuracy in shown if accuracy is not None), default=None)


def titles(found: EqualTrainings) -> list[str]:
    """Returns the headings: the entry, then a column a compression.

    Args:
        found: The comparison of a task.

    Returns:
        The headings.

    Example:
        >>> titles(EqualTrainings((4.0, 64.0), {4.0: 2, 64.0: 2}, {}))
        ['entry', 'val@4', 'val@64']
    """
    return ["entry", *(f"val@{c:g}" for c in found.compressions)]


def texts(found: EqualTrainings) -> list[list[str]]:
    """Returns the cells of the table, row by row: names, and accuracies in percent.

    Args:
        found: The comparison of a task.

    Returns:
        One line an entry, in the order of the leaderboard.

    Example:
        >>> texts(EqualTrainings((4.0, 64.0), {4.0: 2, 64.0: 0}, {"gmp": {4.0: 0.96, 64.0: None}}))
        [['gmp', '96.0', '–']]
    """
    return [
        [one_line(entry), *(format_percent(own[c]) for c in found.compressions)]
        for entry, own in found.accuracies.items()
    ]


def said(found: EqualTrainings) -> str:
    """Returns the sentence that says what the table is.

    Args:
        found: The comparison of a task.

    Returns:
        The sentences.

    Example:
        >>> print(said(EqualTrainings((4.0,), {4.0: 2}, {})))
        At equal trainings per cell: the best VALIDATION accuracy of only the trainings of one search (2 a
        cell) that were assigned that compression. ...
    """
    each = span(found.trainings.values())
    return (
        "At equal trainings per cell: the best VALIDATION accuracy of only the trainings of one search "
        f"({each} a cell) that were assigned that compression. Above, a method without a target has all of "
        "its trainings for each cell; here it has as many as one with a target. The best of several "
        "validation accuracies is too high by its choice, for all entries alike; nothing here was trained "
        "again."
    )
