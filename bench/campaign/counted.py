"""The records of a folder that count on its leaderboard."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ...records.record import Record
from ...records.stored import in_memory, latest, without
from ..output_folder.folder import points_budget
from ..search.confirmed_points import surplus_confirmations


def counted(folder: Path, records: Iterable[Record]) -> Sequence[Record]:
    """Returns the records but the confirmations that an extended search has left behind.

    Args:
        folder: The output folder, whose suite has the budget of points.
        records: Its records in the order written, or `StoredRecords`.

    Returns:
        The latest record of each trial that counts; all of them in a folder without a suite.

    Raises:
        SparsebenchError: The suite.json is damaged.

    Example:
        >>> len(counted(folder, records)), len(records)
        (48, 48)
    """
    points = points_budget(folder)
    surplus = surplus_confirmations(in_memory(records), points) if points is not None else set[str]()
    return without(records, surplus) if surplus else latest(records)
