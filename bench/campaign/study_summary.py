"""What the study run of an entry in MLflow has, from the leaderboard. No MLflow."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ...commands import shown_command
from ...records.measured.latency import Latency
from ...reports.accuracy_scale import focus_on
from ...reports.analysis.boards import focused, on_front
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
    points = board.points.get(row.entry, [])
    if not board.compressions:
        points = on_front(points)
    alive = focused(board, board.ranked)
    focus = focus_on(alive, board.chance, board.dense)
    times = {one.at: one for one in _first_machine(board, row.entry)}
    return StudySummary(
        suite=suite,
        task=board.task,
        entry=row.entry,
        metrics=_metrics(row, times),
        front=[_front_row(point) for point in points],
        figures=sorted(
            folder.glob(f"*-{board.task}.png"), key=lambda path: not path.name.startswith("fronts")
        ),
        versions=board.records[0].versions,
        facts={
            "method": row.method,
            "dataset": board.records[0].dataset,
            "model": board.records[0].model,
            "data_digest": board.records[0].data_digest,
            **_timed_on(times.values()),
        },
        line=[
            (p.accuracy.mean, p.compression, p.speedup, _milliseconds(times.get(p.at)))
            for p in points
            if p.at != 1
        ],
        common={c: value for c, value in row.accuracy_at.items() if value is not None and board.compressions},
        accuracies=(focus.bend, focus.top) if alive else None,
    )


def _metrics(row: LeaderboardRow, times: Mapping[float | None, Latency]) -> dict[str, float]:
    """Returns the numbers of the leaderboard, and the measured times."""
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
        **{f"top1_at_{c:g}x": value for c, value in row.accuracy_at.items()},
        **{f"compression_within_{round(100 * tol)}pt": value for tol, value in row.within.items()},
    }
    for one in times.values():
        at = f"at_{1 if one.at is None else one.at:g}x"
        named |= {f"latency_ms_{at}": _milliseconds(one), f"measured_speedup_{at}": one.speedup}
    return {name: float(value) for name, value in named.items() if value is not None}


def _first_machine(board: TaskLeaderboard, entry: str) -> list[Latency]:
    """Returns an entry's times on the machine that measured the task first, at its largest batch."""
    own = [one for one in board.latencies if one.machine.key == board.latencies[0].machine.key]
    largest = max((one.batch for one in own), default=0)
    return [one for one in own if one.batch == largest and one.entry == entry]


def _milliseconds(one: Latency | None) -> float | None:
    return None if one is None else 1e3 * one.seconds


def _timed_on(times: Iterable[Latency]) -> dict[str, str]:
    """Returns the tags that say where times were measured, and in which batches."""
    return next(({"timed_on": one.machine.title, "timed_batch": str(one.batch)} for one in times), {})


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
        **({} if point.at is None else {"at": float(f"{point.at:g}")}),
        "compression": float(f"{point.compression:.4g}"),
        f"{point.source} top1": round(point.accuracy.mean, 4),
        "sd": None if point.accuracy.sd is None else round(point.accuracy.sd, 4),
        **({} if point.at is None else {"cut": "yes" if point.cut else "no"}),
        "seeds": len(point.outcomes),
        "knobs": ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in knobs.items()),
        "command": shown_command(record.command),
    }
