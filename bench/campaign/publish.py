"""The publication of records: leaderboard, figures and pages, MLflow runs and summaries of the studies."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ...commands import path_word
from ...gc_pause import paused_gc
from ...records.measured.latency import read_latencies
from ...records.record import Record
from ...records.stored import in_memory, latest
from ...reports.analysis.boards import boards, with_latencies, with_states
from ...reports.analysis.leaderboard import TaskLeaderboard
from ...reports.style import shades_of, shown, style_of
from ...reports.verified import read_states
from ...reports.write import write_report
from ..config.suite import Suite
from ..output_folder.campaign_id import own_campaign_id
from ..output_folder.folder import x_max
from ..search.importance import deferred_importance
from ..system.environment import cores
from ..system.mlflow_address import named_address
from ..tracking.client import DATABASE, mend_database
from ..tracking.publisher import Publisher, default_uri, publish_missing, publish_studies
from .counted import counted
from .kept_models import board_models
from .mended_methods import mend_methods
from .study_summary import study_summary

Notify = Callable[[str], None]


def _colours(records: Iterable[Record] | Suite) -> dict[str, str]:
    """Returns the colour of each entry, `#rrggbb`: that of the figures, in shades where entries share it."""
    if isinstance(records, Suite):
        methods = {entry.label: entry.method for entry in records.entries}
    else:
        methods = {record.entry: record.method for record in in_memory(records)}
    dense = [entry for entry, method in methods.items() if method == "dense"]
    return shades_of(style_of(methods, dense))


class LivePublisher:
    """Publisher of a running campaign: each record to MLflow at once, everything else when it is complete.

    A background thread writes to MLflow. A failure there is a message and an entry in `problems`; it stops
    nothing.

    Args:
        uri: MLflow's server or database; None for MLFLOW_TRACKING_URI, else `mlflow.db` in the folder.
        folder: The output folder.
        campaign: Id of the campaign.
        suite: The suite, for the entries' colours and the tasks' experiments.
        say: Called with a sentence for the user at a problem, possibly from the thread.
        begun: Whether the folder had records before. MLflow may lack some of them, if a driver was killed.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> messages = []
        >>> live = LivePublisher("ftp://x", folder, "c0ffee", load_suite("quickstart"), messages.append)
        >>> live.put(record)  # returns at once
        >>> print(*live.stop())
        MLflow at ftp://x could not be written to (...); records.jsonl has everything
    """

    def __init__(
        self,
        uri: str | None,
        folder: Path,
        campaign: str,
        suite: Suite,
        say: Notify,
        begun: bool = False,
    ) -> None:
        self.folder, self.campaign, self.say, self.begun = folder, campaign, say, begun
        self.problems = list[str]()
        self.uri = named_address(uri) or default_uri(folder)
        mend_database(self.uri, folder, say)
        tasks = [(suite.name, task.name) for task in suite.tasks]
        self.publisher = Publisher(
            self.uri, folder, campaign, _colours(suite), tasks=tasks, on_problem=self._problem
        )

    def _problem(self, message: str) -> None:
        """Records a problem, and reports it with the command that publishes what is missing."""
        self.problems.append(message)
        again = f"`sparsebench track {path_word(self.folder)}` publishes what is missing"
        self.say(f"{message} (the campaign goes on; {again})")

    def put(self, record: Record) -> None:
        """Queues a record for MLflow and returns at once."""
        self.publisher.put(record)

    def close(self) -> None:
        """Ends the thread without waiting for its queue; the records file has everything."""
        self.publisher.close(timeout=0.0)

    def stop(self) -> list[str]:
        """Ends a campaign that was stopped: no tables or figures yet. Returns the problems with MLflow."""
        self.publisher.close(timeout=10.0)
        return self.problems

    def finish(self, records: Sequence[Record], found: Sequence[TaskLeaderboard]) -> list[str]:
        """Ends a complete campaign: writes leaderboard and figures, then to MLflow what it lacks. Returns the
        problems with MLflow."""
        report_folder(self.folder, found)
        missing = self.publisher.close(timeout=120.0)
        lost = self._lost()
        if lost:
            self.problems.clear()  # they were that database's
        if not self.problems:
            trials = self.begun or missing > 0 or lost
            publish_to_mlflow(
                self.folder, self.campaign, records, found, self.uri, self._problem, trials=trials
            )
        return self.problems

    def _lost(self) -> bool:
        """Whether the folder's database was damaged, deleted or replaced while the campaign ran; says so."""
        if self.publisher.lost:
            file = str(self.folder / DATABASE)
            self.say(f"{file!r} was deleted or replaced while the campaign ran: it is written again")
            mend_database(self.uri, self.folder)  # SQLite may have left an empty file
            return True
        return mend_database(self.uri, self.folder, self.say)


def ranked(folder: Path, records: Sequence[Record]) -> list[TaskLeaderboard]:
    """Returns the leaderboards of an output folder, of which everything that is written or printed is made.

    Args:
        folder: The output folder; its suite, if it has one, says where hypervolumes are cut off, and its
            verification.json what is known of results beyond their records, and its latency.json the times
            of its models.
        records: Its records in the order written; of each identity the latest counts.

    Returns:
        One leaderboard a task.

    Raises:
        SparsebenchError: There are no records.

    Example:
        >>> [[row.entry for row in found.rows] for found in ranked(folder, records)]
        [['dwf-3', 'magnitude', 'dense']]
    """
    found = boards(counted(folder, records), x_max(folder))
    return timed(folder, with_states(found, read_states(folder)))


def timed(folder: Path, found: Sequence[TaskLeaderboard]) -> list[TaskLeaderboard]:
    """Returns leaderboards with the times of their models as the folder has them now.

    Args:
        folder: The output folder.
        found: Its leaderboards.

    Returns:
        The same leaderboards.

    Example:
        >>> [found.latencies for found in timed(folder, [board])]  # no model was measured
        [()]
    """
    return with_latencies(found, read_latencies(folder))


def report_folder(folder: Path, found: Sequence[TaskLeaderboard], say: Notify = lambda _: None) -> list[Path]:
    """Writes leaderboard, figures and pages into an output folder.

    Args:
        folder: The output folder.
        found: Its leaderboards, as `ranked` returns them.
        say: Called with a sentence where a damaged methods.json was written again.

    Returns:
        The paths of all files, `leaderboard.md` first.

    Raises:
        SparsebenchError: The folder cannot be written.

    Example:
        >>> [path.name for path in report_folder(Path("report"), [board])][:3]
        ['leaderboard.md', 'leaderboard.csv', 'pairs.csv']
    """
    mend_methods(folder, (record for board in found for record in board.records), say)
    with paused_gc():
        drawn = (r for board in found for entry in shown(board) for r in board.records_of[entry])
        return write_report(folder, found, deferred_importance(drawn), processes=cores())


def publish_to_mlflow(
    folder: Path,
    campaign: str,
    records: Sequence[Record],
    found: Sequence[TaskLeaderboard],
    uri: str | None,
    on_problem: Notify,
    *,
    trials: bool = True,
) -> int:
    """Publishes to MLflow the trials that it lacks, the models of the fronts and every study's summary.

    Args:
        folder: The output folder, for models, figures and the database.
        campaign: Id of the campaign.
        records: Its records in the order written; of each identity the latest counts.
        found: Its leaderboards, as `ranked` returns them.
        uri: MLflow's server or database; None for MLFLOW_TRACKING_URI, else `mlflow.db` in the folder.
        on_problem: Called with one sentence at a failure of MLflow, which raises nothing.
        trials: Whether to look for missing trials; False where all of them were published live.

    Returns:
        The number of trials that were published by this call.

    Example:
        >>> publish_to_mlflow(folder, "c0ffee", records, [board], "ftp://nowhere", print, trials=False)
        MLflow at ftp://nowhere could not be written to (...); records.jsonl has everything
        0
    """
    # The trials that MLflow lacks
    place, shades, now = named_address(uri) or default_uri(folder), _colours(records), latest(records)
    count = publish_missing(now, place, folder, campaign, shades, on_problem=on_problem) if trials else 0
    # A summary of each entry on each task, linked to the runs and models published before
    held = in_memory(now)
    summaries = [study_summary(board, row, folder, held[0].suite) for board in found for row in board.rows]
    models = board_models(folder, held)
    publish_studies(
        summaries, place, folder, campaign, shades, records=held, models=models, on_problem=on_problem
    )
    return count


def publish_folder(
    folder: Path, records: Sequence[Record], uri: str | None, on_problem: Notify, say: Notify
) -> int:
    """Publishes to MLflow what it lacks of a folder, as the campaign that the folder belongs to.

    Args:
        folder: The output folder, in which a campaign may be running.
        records: As for `publish_to_mlflow`, like `uri` and `on_problem`.
        uri: MLflow's server or database.
        on_problem: Called with one sentence at a failure of MLflow.
        say: Called with one sentence where the folder is given a new identity.

    Returns:
        The number of trials that were published.

    Raises:
        SparsebenchError: There are no records; or no identity, and it cannot be written.

    Example:
        >>> publish_folder(folder, records, "ftp://nowhere", on_problem=print, say=print)
        campaign.json was not there: from now on this is campaign ...
        MLflow at ftp://nowhere could not be written to (...); records.jsonl has everything
        ...
        0
    """
    campaign, notice = own_campaign_id(folder)
    if notice:
        say(notice)
    mend_database(named_address(uri) or default_uri(folder), folder, say)
    return publish_to_mlflow(folder, campaign.id, records, ranked(folder, records), uri, on_problem)
