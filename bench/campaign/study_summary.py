"""What the study run of an entry in MLflow has, from the leaderboard. No MLflow."""

from pathlib import Path

from ...reports.analysis.boards import on_front
from ...reports.analysis.leaderboard import LeaderboardRow, TaskLeaderboard
from ...reports.analysis.points import Point
from ..tracking.publisher import StudySummary


def study_summary(board: TaskLeaderboard, row: LeaderboardRow, folder: Path, suite: str) -> StudySummary:
    """Returns the content of an entry's study run: the leaderboard's numbers, its points and the figures.

    Args:
        board: The task's leaderboard.
        row: The entry's row in it.
        folder: The output folder, whose figures of the task are attached.
        suite: The suite's name.

    Returns:
        The content, with a row for each common compression; of earlier versions for each point of the front.

    Example:
        >>> summary = study_summary(board, board.row("dwf-3"), folder, "synthetic")
        >>> len(summary.front), round(summary.metrics["hypervolume"], 3)
        (3, 0.581)
    """
    measured = {c: value for c, value in row.accuracy_at.items() if value is not None}
    named: dict[str, float | None] = {
        "score": row.score,
        "score_without_largest": row.score_inner,
        "hypervolume": row.hypervolume,
        "hypervolume_raw": row.hypervolume_raw,
        "best_top1": row.best_accuracy,
        "learned": float(row.learned),
        "largest_compression": row.largest_compression,
        "largest_compression_exact": row.largest_compression_exact,
        "failures": row.failed + row.diverged + row.collapsed,
        **{f"top1_at_{c:g}x": value for c, value in measured.items()},
        **{f"compression_within_{round(100 * tol)}pt": value for tol, value in row.within.items()},
    }
    points = board.points.get(row.entry, [])
    if not board.compressions:
        points = on_front(points)
    return StudySummary(
        suite=suite,
        task=board.task,
        entry=row.entry,
        metrics={name: float(value) for name, value in named.items() if value is not None},
        front=[_front_row(point) for point in points],
        figures=sorted(
            folder.glob(f"*-{board.task}.png"), key=lambda path: not path.name.startswith("fronts")
        ),
        versions=board.records[0].versions,
        over_compression=measured if board.compressions else {},
    )


def _front_row(point: Point) -> dict[str, object]:
    """Returns a point's row in the table of its study run: at a common compression where it has one."""
    record = point.outcomes[0].record
    knobs = {**record.params} or {**record.knobs}
    linked = (
        {"config": record.config}
        if point.at is None
        else {"id": " ".join(o.record.id for o in point.outcomes)}
    )
    return {
        **linked,
        "compression": float(f"{point.compression:.4g}"),
        f"{point.source} top1": round(point.accuracy.mean, 4),
        "sd": None if point.accuracy.sd is None else round(point.accuracy.sd, 4),
        **({} if point.at is None else {"cut": "yes" if point.cut else "no"}),
        "seeds": len(point.outcomes),
        "knobs": ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in knobs.items()),
    }
