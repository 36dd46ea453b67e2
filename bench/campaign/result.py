"""The outcome of a campaign."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...records.record import Record
from ...reports.analysis.leaderboard import TaskLeaderboard


@dataclass
class Result:
    """Outcome of a campaign: its output folder and its records.

    Attributes:
        folder: The output folder.
        records: One record for each trial, failed ones too, read from the folder as they are asked for.
        stopped_by: Number of the signal that stopped it early; the same call continues it. Else None.
        problems: One sentence for each problem with MLflow, which affects no record, and for each entry of
            which every trial on a task failed.
        failed: The latter sentences alone.
        boards: The leaderboard of each task; none where the campaign was stopped.

    Example:
        >>> result = Result(folder, [record], stopped_by=15)  # SIGTERM
        >>> result.complete, len(result.records)
        (False, 1)
    """

    folder: Path
    records: Sequence[Record]
    stopped_by: int | None = None
    problems: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    boards: Sequence[TaskLeaderboard] = ()

    @property
    def complete(self) -> bool:
        """Whether all trials were run, every entry has a result, and tables and figures were written."""
        return self.stopped_by is None and not self.failed
