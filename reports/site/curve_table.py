"""What an entry shows at each common compression: the table of its page. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..analysis.leaderboard import TaskLeaderboard
from ..analysis.points import Point
from ..formatting import NOTHING, format_percent, one_line, span, with_sd
from ..tables import notes

TITLES = ("compression", "validation", "test", "95% interval", "how", "nonzeros", "training", "chosen from")


@dataclass(frozen=True)
class CurveTable:
    """An entry's accuracies at the common compressions of one task.

    Attributes:
        task: The task's name as text.
        said: What is repeated, in one sentence.
        titles: The headings.
        numbers: Those of them whose cells are numbers.
        rows: The cells of each compression, 1 among them.

    Example:
        >>> CurveTable("made_up-net", "Mean over 3 seeds.", TITLES, (), []).titles[0]
        'compression'
    """

    task: str
    said: str
    titles: Sequence[str]
    numbers: Sequence[str]
    rows: list[list[str]]


def curve_table(board: TaskLeaderboard, entry: str) -> CurveTable | None:
    """Returns the table of an entry at compression 1 and at each common compression.

    Args:
        board: The task's leaderboard.
        entry: The entry.

    Returns:
        The table; None of earlier versions, or where the entry has no result.

    Example:
        >>> curve_table(board, "dwf-3") is None  # of a version without common compressions
        True
    """
    points = board.points.get(entry, []) if board.compressions else []
    if not points:
        return None
    confirmed = points[0].source == "test"
    what = f"Mean ± sample sd over {span(len(point.units) for point in points)} {notes.units(board)}"
    unconfirmed = "Validation accuracy of the search alone: nothing was trained again"
    chosen = "Each training was chosen for its compression on validation data."
    said = f"{what if confirmed else unconfirmed}. {chosen}"
    left = () if confirmed else ("test", "95% interval")
    titles = [title for title in TITLES if title not in left]
    rows = [dict(zip(TITLES, _cells(board, point), strict=True)) for point in points]
    numbers = [title for title in titles if title not in ("how", "training")]
    return CurveTable(one_line(board.task), said, titles, numbers, [[row[t] for t in titles] for row in rows])


def _cells(board: TaskLeaderboard, point: Point) -> list[str]:
    """Returns the cells of one compression, in the order of `TITLES`."""
    test = with_sd(format_percent(point.accuracy.mean, 2), format_percent(point.accuracy.sd, 2))
    cut = sum(outcome.cut for outcome in point.outcomes)
    how = (
        "cut"
        if cut == len(point.outcomes)
        else f"cut in {cut} of {len(point.outcomes)} runs"
        if cut
        else "own"
    )
    kept = [p.nonzeros for o in point.outcomes for p in o.record.at_compressions if p.at == point.at]
    row = board.row(point.entry)
    return [
        f"{point.at:g}",
        format_percent(point.val_accuracy, 2),
        test,
        f"[{notes.between(point.accuracy_interval, lambda y: format_percent(y, 2))}]"
        if point.accuracy_interval
        else NOTHING,
        how if point.learned else f"{how}, learned nothing",
        f"{round(sum(kept) / len(kept)):,}" if kept else NOTHING,
        ", ".join(_named(board, key) for key in point.key.split("+")),
        str(row.chosen_from[point.at or 1.0]),
    ]


def _named(board: TaskLeaderboard, trial: str) -> str:
    """Returns the name of a training: its number, and that of its search where there are several."""
    record = board.searched.get(trial)
    if record is None or record.trial is None:
        return one_line(trial)
    search = f" of search {record.replicate + 1}" if board.row(record.entry).searches > 1 else ""
    return f"trial {record.trial}{search}"
