"""What one process draws of a report. No matplotlib."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..analysis.leaderboard import TaskLeaderboard
from ..style import Style

# Objective to entry to knob to its share of the importance; the shares of an entry sum to 1.
Importance = Mapping[str, Mapping[str, Mapping[str, float]]]
Deferred = Mapping[str, Callable[[], Importance]]
Pictures = dict[str, list[Path]]


@dataclass(frozen=True)
class Share:
    """The figures that one process draws.

    Attributes:
        folder: The folder of the files.
        boards: The leaderboards of the tasks to draw. Of their records they have the first alone.
        style: Colour, marker and dash of each entry, those of all figures of the report.
        importance: What computes the importance of the knobs of a task, by task.
        together: The leaderboards of all tasks, for the figures that show them together; empty for none.

    Example:
        >>> Share(Path("report"), [board], {}, {}).boards[0].task
        'made_up-net'
    """

    folder: Path
    boards: Sequence[TaskLeaderboard]
    style: Mapping[str, Style]
    importance: Deferred
    together: Sequence[TaskLeaderboard] = ()
