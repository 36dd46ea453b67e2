"""The leaderboard as CSV and JSON for programs, every number unrounded. No torch."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...escaping import csv_cell
from ..analysis.across_tasks import TasksComparison, compare_over_tasks, why_not_compared
from ..analysis.boards import on_front
from ..analysis.leaderboard import LeaderboardRow, TaskLeaderboard
from ..analysis.pairwise import Pair
from ..analysis.points import Point
from ..statistics.intervals import Interval
from . import notes

PAIR = (
    "task", "first", "second", "kind", "seeds", "difference", "difference_low", "difference_high", "p",
    "p_holm", "distinct", "distinct_holm", "verdict",
)  # fmt: skip
ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def _flat(row: LeaderboardRow) -> dict[str, Any]:
    """A row without nesting: accuracy_at_64, within_5_points, within_5_points_exact, …

    The two ends of an interval are …_low and …_high.
    """
    out: dict[str, Any] = {}
    for name, value in vars(row).items():
        if name.startswith("accuracy_at"):
            tail = name.removeprefix("accuracy_at")
            for c, number in value.items():
                out |= _ends(f"accuracy_at_{c:g}{tail}", number)
        elif name in ("cut_at", "unlearned_at", "best_at", "chosen_from"):
            out |= {f"{name}_{c:g}": number for c, number in value.items()}
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
    return "".join(pairs_csv_parts(found))


def pairs_csv_parts(found: Iterable[TaskLeaderboard]) -> Iterator[str]:
    """Yields the same text task by task: 200 entries have 19,900 pairs on each.

    Args:
        found: The leaderboards of the tasks.

    Yields:
        The header, then the lines of each task.

    Example:
        >>> [part.count("\\n") for part in pairs_csv_parts([board])]
        [1, 1]
    """
    yield ",".join(PAIR) + "\n"
    for board in found:
        out, known = io.StringIO(), {row.entry: csv_cell(row.entry) for row in board.rows}
        known[board.task] = csv_cell(board.task)
        csv.writer(out, lineterminator="\n").writerows(
            [known.get(value, value) if type(value) is str else value for value in _pair(pair).values()]
            for pair in board.pairs
        )
        yield out.getvalue()


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "task": pair.task, "first": pair.first, "second": pair.second, "kind": pair.kind,
        "seeds": pair.seeds, "difference": pair.difference, "difference_low": pair.interval.low,
        "difference_high": pair.interval.high, "p": pair.p, "p_holm": pair.p_holm,
        "distinct": pair.distinct, "distinct_holm": pair.distinct_holm, "verdict": pair.verdict,
    }  # fmt: skip


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
    entries), `points` (means, sample sds, number of seeds) and `latencies` (as in latency.json).

    Args:
        found: The leaderboards of the tasks.

    Returns:
        The text; `overall` is the comparison over tasks, or null with the reason in `overall_missing`.

    Example:
        >>> task = json.loads(to_json([board]))["tasks"][0]
        >>> task["source"], [row["entry"] for row in task["rows"]], len(task["points"])
        ('test', ['dwf-3', 'magnitude', 'dense'], 12)
    """
    return "".join(json_parts(found))


def json_parts(found: Sequence[TaskLeaderboard]) -> Iterator[str]:
    """Yields the same text task by task.

    Args:
        found: The leaderboards of the tasks.

    Yields:
        The parts of the text; each row, pair and point is a line of it.

    Example:
        >>> json.loads("".join(json_parts([board])))["schema"]
        1
    """
    yield '{"schema": 1, "tasks": ['
    for number, board in enumerate(found):
        yield ",\n" if number else "\n"
        yield _board(board)
    compared = compare_over_tasks(found)
    rest = {"overall": _overall(compared), "overall_missing": why_not_compared(found)}
    yield "\n],\n" + ENCODER.encode(rest).removeprefix("{") + "\n"


def _overall(found: TasksComparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    lists = {name: [vars(one) for one in getattr(found, name)] for name in ("standings", "pairs")}
    return vars(found) | lists | {"differ": found.differ}


def _board(board: TaskLeaderboard) -> str:
    fronts = {entry: on_front(points) for entry, points in board.points.items()}
    facts = {
        "task": board.task,
        "source": board.source,
        "chance": board.chance,
        "metric": board.metric,
        "dense_accuracy": board.dense,
        "dense_accuracy_sd": board.dense_sd,
        "prunable_share": board.prunable_share,
        "x_max": board.x_max,
        "compressions": list(board.compressions),
        "notes": [notes.basis(board), notes.budget(board), *notes.remarks(board)],
    }
    lists = {
        "rows": map(_flat, board.rows),
        "pairs": map(_pair, board.pairs),
        "points": (_point(p, p in fronts[entry]) for entry, group in board.points.items() for p in group),
        "latencies": (one.model_dump(mode="json") for one in board.latencies),
    }
    listed = [f'"{name}": [\n' + ",\n".join(map(ENCODER.encode, items)) for name, items in lists.items()]
    return ENCODER.encode(facts).removesuffix("}") + ",\n" + "],\n".join(listed) + "]}"


def _point(point: Point, front: bool) -> dict[str, Any]:
    exact = point.xy_exact
    return {
        "entry": point.entry,
        "at": point.at,
        "cut": point.cut if point.at is not None else None,
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
