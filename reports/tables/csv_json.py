"""The leaderboard as CSV and JSON for programs, every number unrounded. No torch."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ...escaping import csv_cell
from ..analysis.across_tasks import TasksComparison, compare_over_tasks, why_not_compared
from ..analysis.boards import on_front
from ..analysis.intervals import Interval
from ..analysis.leaderboard import LeaderboardRow, TaskLeaderboard
from ..analysis.pairwise import Pair, compare_pairs
from ..analysis.points import Point
from . import notes


def _flat(row: LeaderboardRow) -> dict[str, Any]:
    """A row without nesting: accuracy_at_64, within_5_points, within_5_points_exact, …

    The two ends of an interval are …_low and …_high.
    """
    out: dict[str, Any] = {}
    for name, value in vars(row).items():
        if name.startswith("accuracy_at"):
            tail = name.removeprefix("accuracy_at")
            for c, number in value.items():
                out |= _ends(f"accuracy_at_{c}{tail}", number)
        elif name.startswith("within"):
            tail = name.removeprefix("within")
            for tol, number in value.items():
                out |= _ends(f"within_{round(100 * tol)}_points{tail}", number)
        else:
            out |= _ends(name, value)
    return out


def _ends(name: str, value: Any) -> dict[str, Any]:
    if not name.endswith("_interval"):
        return {name: value}
    stem = name.removesuffix("_interval")
    low, high = value if isinstance(value, Interval) else (None, None)
    return {f"{stem}_low": low, f"{stem}_high": high}


def to_csv(found: Sequence[TaskLeaderboard]) -> str:
    """Returns the leaderboards as CSV: a header, then one line for each entry of each task.

    Args:
        found: The leaderboards of the tasks.

    Returns:
        The text; the ends of an interval are in columns `…_low` and `…_high`, an empty cell is no number.

    Example:
        >>> lines = csv.DictReader(to_csv([board]).splitlines())
        >>> [(line["entry"], line["rank"], line["within_5_points"][:4]) for line in lines]
        [('dwf-3', '1', '13.2'), ('magnitude', '2', '12.8'), ('dense', '', '1.0')]
    """
    return _csv(_flat(row) for board in found for row in board.rows)


def pairs_csv(found: Sequence[TaskLeaderboard]) -> str:
    """Returns the pairwise comparisons as CSV: a header, then one line for each pair of entries of a task.

    Args:
        found: The leaderboards of the tasks.

    Returns:
        The text, with the fields of `Pair` and its verdict in words.

    Example:
        >>> line = next(csv.DictReader(pairs_csv([board]).splitlines()))
        >>> line["first"], line["second"], line["kind"], line["distinct"]
        ('dwf-3', 'magnitude', 'paired', 'True')
    """
    return _csv(_pair(pair) for board in found for pair in compare_pairs(board))


def _pair(pair: Pair) -> dict[str, Any]:
    content = {k: v for name, value in vars(pair).items() for k, v in _ends(_named(name), value).items()}
    return content | {"verdict": pair.verdict}


def _named(name: str) -> str:
    return "difference_interval" if name == "interval" else name


def _csv(lines: Iterable[dict[str, Any]]) -> str:
    """CSV of dictionaries, whose columns are all their keys in the order of first appearance."""
    table = list(lines)
    names = list(dict.fromkeys(name for line in table for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in line.items()} for line in table)
    return out.getvalue()


def to_json(found: Sequence[TaskLeaderboard]) -> str:
    """Returns the leaderboards as JSON: `schema`, `tasks`, `overall`, `overall_missing`.

    Each of `tasks` has the references of the task, its `notes`, `rows` (as in the CSV), `pairs` (every two
    entries) and `points` (means, sample sds, number of seeds).

    Args:
        found: The leaderboards of the tasks.

    Returns:
        The text; `overall` is the comparison over tasks, or null with the reason in `overall_missing`.

    Example:
        >>> task = json.loads(to_json([board]))["tasks"][0]
        >>> task["source"], [row["entry"] for row in task["rows"]], len(task["points"])
        ('test', ['dwf-3', 'magnitude', 'dense'], 12)
    """
    content = {
        "schema": 1,
        "tasks": [_board(board) for board in found],
        "overall": _overall(compare_over_tasks(found)),
        "overall_missing": why_not_compared(found),
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _overall(found: TasksComparison | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found) | {"differ": found.differ}


def _board(board: TaskLeaderboard) -> dict[str, Any]:
    fronts = {entry: on_front(points) for entry, points in board.points.items()}
    return {
        "task": board.task,
        "source": board.source,
        "chance": board.chance,
        "metric": board.metric,
        "dense_accuracy": board.dense,
        "dense_accuracy_sd": board.dense_sd,
        "prunable_share": board.prunable_share,
        "x_max": board.x_max,
        "notes": [notes.basis(board), notes.budget(board), *notes.remarks(board)],
        "rows": [_flat(row) for row in board.rows],
        "pairs": [_pair(pair) for pair in compare_pairs(board)],
        "points": [_point(p, p in fronts[entry]) for entry, group in board.points.items() for p in group],
    }


def _point(point: Point, front: bool) -> dict[str, Any]:
    exact = point.xy_exact
    return {
        "entry": point.entry,
        "key": point.key,
        "source": point.source,
        "front": front,
        "learned": point.learned,
        "seeds": len(point.outcomes),
        "accuracy": point.accuracy.mean,
        "accuracy_sd": point.accuracy.sd,
        "balanced_accuracy": point.balanced_accuracy,
        **_ends("accuracy_interval", point.accuracy_interval),
        "compression": point.compression,
        "log10_compression_sd": point.x.sd,
        **_ends("compression_interval", point.compression_interval),
        "accuracy_exact": exact[1] if exact else None,
        "compression_exact": 10 ** exact[0] if exact else None,
        "speedup": point.speedup,
        "training_flops_ratio": point.mean_of(lambda record: record.training_flops_ratio),
        "seconds": point.mean_of(lambda record: record.seconds),
        "failed": point.failures,
        "diverged": point.diverged,
        "collapsed": point.collapses,
    }
