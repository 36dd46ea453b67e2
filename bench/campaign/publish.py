"""What becomes of records once they are on the disk: leaderboard files, MLflow runs, study summaries."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ...gc_pause import paused_gc
from ...records.record import Record
from ...records.store import latest
from ...reports.analysis.boards import LeaderboardRow, TaskLeaderboard, boards, on_front
from ...reports.analysis.points import Point
from ...reports.style import style_of
from ...reports.tables.terminal import LeaderboardTable
from ...reports.write import write_report
from ..config.suite import Suite
from ..output_folder.folder import x_max
from ..search.importance import importance
from ..system.environment import cores
from ..tracking.publisher import Publisher, StudySummary, default_uri, publish_missing, publish_studies
from .kept_models import front_models

Notify = Callable[[str], None]


def colours(records: Iterable[Record] | Suite) -> dict[str, str]:
    """Each entry's colour, the one that the figures give it."""
    if isinstance(records, Suite):
        methods = {entry.label: entry.method for entry in records.entries}
    else:
        methods = {record.entry: record.method for record in records}
    dense = [entry for entry, method in methods.items() if method == "dense"]
    return {entry: style[0] for entry, style in style_of(methods, dense).items()}


class LivePublisher:
    """MLflow while a campaign runs, and everything that is written when it ends.

    `begun`: there are records already, of which MLflow may lack some: who wrote them may have been killed.
    """

    def __init__(self, uri: str | None, folder: Path, suite: Suite, say: Notify, begun: bool = False) -> None:
        self.folder, self.say, self.begun, self.problems = folder, say, begun, list[str]()
        self.uri = uri or default_uri(folder)
        tasks = [(suite.name, task.name) for task in suite.tasks]
        self.publisher = Publisher(self.uri, folder, colours(suite), tasks=tasks, on_problem=self._problem)

    def _problem(self, message: str) -> None:
        self.problems.append(message)
        self.say(
            f"{message} (the campaign goes on; `sparsebench track {self.folder}` publishes what is missing)"
        )

    def put(self, record: Record) -> None:
        self.publisher.put(record)

    def close(self) -> None:
        """Give up what is still queued; the records keep it."""
        self.publisher.close(timeout=0.0)

    def stop(self) -> list[str]:
        """A campaign that was stopped leaves tables and figures to its end. Returns the problems met."""
        self.publisher.close(timeout=10.0)
        return self.problems

    def finish(self, records: Sequence[Record]) -> list[str]:
        """Leaderboard and figures first, then what MLflow lacks. Returns the problems met on the way."""
        report_folder(self.folder, records)
        missing = self.publisher.close(timeout=120.0)
        if not self.problems:
            publish_to_mlflow(self.folder, records, self.uri, self._problem, trials=self.begun or missing > 0)
        return self.problems


def report_folder(folder: Path, records: Sequence[Record]) -> list[Path]:
    """Write the leaderboard and the figures from records alone; returns the files, the page first."""
    now = latest(records)
    with paused_gc():
        return write_report(folder, now, x_max(folder), importance(now), processes=cores())


def leaderboard_table(folder: Path, records: Sequence[Record]) -> LeaderboardTable:
    """The leaderboard for a LeaderboardTable."""
    return LeaderboardTable(latest(records), x_max(folder))


def publish_to_mlflow(
    folder: Path, records: Sequence[Record], uri: str | None, on_problem: Notify, *, trials: bool = True
) -> int:
    """Publish to MLflow the trials it lacks, and every study's summary. Returns how many trials were new."""
    place, shades, now = uri or default_uri(folder), colours(records), latest(records)
    count = publish_missing(now, place, folder, shades, on_problem=on_problem) if trials else 0
    summaries = [
        study_summary(board, row, folder, records[0].suite)
        for board in boards(now, x_max(folder))
        for row in board.rows
    ]
    models = front_models(folder, now)
    publish_studies(summaries, place, folder, shades, records=now, models=models, on_problem=on_problem)
    return count


def study_summary(board: TaskLeaderboard, row: LeaderboardRow, folder: Path, suite: str) -> StudySummary:
    """What MLflow's study run of an entry shows: the leaderboard's numbers, the front and the figures."""
    named: dict[str, float | None] = {
        "hypervolume": row.hypervolume,
        "hypervolume_raw": row.hypervolume_raw,
        "best_top1": row.best_accuracy,
        "largest_compression": row.largest_compression,
        "largest_compression_exact": row.largest_compression_exact,
        "failures": row.failed + row.diverged + row.collapsed,
        **{f"top1_at_{c}x": value for c, value in row.accuracy_at.items()},
        **{f"compression_within_{round(100 * tol)}pt": value for tol, value in row.within.items()},
    }
    points = on_front(board.points.get(row.entry, []))
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
    )


def _front_row(point: Point) -> dict[str, object]:
    record = point.outcomes[0].record
    knobs = {**record.params} or {**record.knobs}
    return {
        "config": record.config,
        "compression": float(f"{point.compression:.4g}"),
        f"{point.source} top1": round(point.accuracy.mean, 4),
        "sd": None if point.accuracy.sd is None else round(point.accuracy.sd, 4),
        "seeds": point.accuracy.n,
        "knobs": ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in knobs.items()),
    }
