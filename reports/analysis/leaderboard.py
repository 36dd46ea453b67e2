"""The leaderboard of one task and its rows: numbers, before any rendering. No torch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...records.fields import Granularity
from ...records.measured.latency import Latency
from ...records.record import Record
from ...records.stored import unchanged
from ..statistics.intervals import Interval
from ..statistics.search_spread import SearchSpread
from ..verified import State
from . import measures
from .measures import References
from .pairwise import Pairs, compare_pairs
from .points import Point, Source
from .scores import repeated_scores

DENSE = "dense"  # the method of a dense baseline
IMBALANCED = 1.5


@dataclass(frozen=True)
class LeaderboardRow:
    """The numbers of one entry on one task. Accuracies are fractions, compressions ratios; None is no number.

    A field `…_interval` is the 95% interval over seeds of the number before it (None for validation accuracy
    and below two seeds), a field `…_sd` its sample standard deviation. Fields `…_exact` hold at zeros of
    float32 eps, the others at the validated threshold.

    Attributes:
        task: The task, dataset-model.
        entry: The entry of the suite.
        method: The method of the entry.
        source: The split of its accuracies: "test" where confirmed, else "validation".
        baseline: Whether it is the dense baseline, which has no rank.
        rank: 1 for the largest score, of older records hypervolume; None also for an unconfirmed entry
            beside confirmed ones.
        tied: Whether the entry ranked directly above is not significantly better; None for rank 1, for
            validation accuracy, and where there are too few seeds to judge.
        score: Mean over the common compressions of (accuracy − chance)/(dense − chance); None of older
            records.
        score_inner: The same without the largest compression.
        hypervolume: Area under the front above chance, over that of dense accuracy; None without dense.
        hypervolume_raw: The same area in accuracy × decades of compression.
        accuracy_at: Accuracy measured at each common compression; of older records that of the front at each
            of `COMPRESSIONS`, None beyond its largest compression.
        cut_at: Whether most of its runs were cut to each common compression, without retraining.
        unlearned_at: Whether its networks have learned nothing at each.
        best_at: Whether no entry is significantly better at each.
        chosen_from: The number of trainings of one search that each cell was chosen from, at compression 1
            too: those aimed at it of a targeted entry, else all.
        targeted: Whether its trainings had the compressions that they were assigned as their targets.
        free_knobs: The number of knobs that its search varied.
        searches: The number of its independent searches, of an unconfirmed entry those that have begun.
        confirmations: The number of trainings that confirm, those behind no cell included.
        within: Largest measured compression with accuracy at most each of `TOLERANCES` below dense.
        learned: Whether a point has learned something; else all areas are 0 and `best_accuracy` is marked.
        best_accuracy: Accuracy of the most accurate point.
        best_compression: Compression of that point.
        largest_compression: Largest compression of a point that has learned something.
        speedup: Theoretical speed-up of the point at `within[0.05]`.
        points: The number of operating points.
        seeds: The least number of seeds of a point on the front.
        runs: The number of runs behind the points, failed ones included.
        failed: Runs among them without a result.
        diverged: Runs among them that diverged.
        collapsed: Runs among them without a path from the input to a logit, or that learned nothing.
        search_trials: The number of trials of the search.
        search_failed: Trials among them without a result.
        search_diverged: Trials among them that diverged.
        steps: The most optimizer steps of a run.
        seconds: Mean seconds of a run.
        training_flops_ratio: Mean training FLOPs of runs that did not diverge, relative to dense training.
        verified: What is known of its results beyond their records; None where nobody has looked.

    Example:
        >>> row = board.row("dwf-3")
        >>> row.rank, round(row.hypervolume, 3), round(row.within[0.05], 1)
        (1, 0.581, 13.3)
    """

    task: str
    entry: str
    method: str
    source: Source
    baseline: bool = False
    rank: int | None = None
    tied: bool | None = None
    score: float | None = None
    score_sd: float | None = None
    score_interval: Interval | None = None
    score_inner: float | None = None
    hypervolume: float | None = None
    hypervolume_sd: float | None = None
    hypervolume_interval: Interval | None = None
    hypervolume_exact: float | None = None
    hypervolume_raw: float = 0.0
    hypervolume_raw_sd: float | None = None
    hypervolume_raw_interval: Interval | None = None
    accuracy_at: dict[float, float | None] = field(default_factory=dict)
    accuracy_at_sd: dict[float, float | None] = field(default_factory=dict)
    accuracy_at_interval: dict[float, Interval | None] = field(default_factory=dict)
    cut_at: dict[float, bool] = field(default_factory=dict)
    unlearned_at: dict[float, bool] = field(default_factory=dict)
    best_at: dict[float, bool] = field(default_factory=dict)
    chosen_from: dict[float, int] = field(default_factory=dict)
    targeted: bool = False
    free_knobs: int = 0
    searches: int = 1
    confirmations: int = 0
    within: dict[float, float | None] = field(default_factory=dict)
    within_interval: dict[float, Interval | None] = field(default_factory=dict)
    within_exact: dict[float, float | None] = field(default_factory=dict)
    learned: bool = True
    best_accuracy: float | None = None
    best_accuracy_sd: float | None = None
    best_accuracy_interval: Interval | None = None
    best_compression: float | None = None
    largest_compression: float | None = None
    largest_compression_exact: float | None = None
    speedup: float | None = None
    speedup_interval: Interval | None = None
    points: int = 0
    seeds: int = 0
    runs: int = 0
    failed: int = 0
    diverged: int = 0
    collapsed: int = 0
    search_trials: int = 0
    search_failed: int = 0
    search_diverged: int = 0
    steps: int = 0
    seconds: float = 0.0
    training_flops_ratio: float | None = None
    training_flops_ratio_interval: Interval | None = None
    verified: State | None = None

    @property
    def merit(self) -> float:
        """What entries are ranked by: the score, of older records the hypervolume."""
        return self.hypervolume_raw if self.score is None else self.score


@dataclass(frozen=True)
class TaskLeaderboard:
    """The leaderboard of one task.

    Attributes:
        task: The task, dataset-model.
        source: "test" where an entry is confirmed, else "validation".
        chance: Accuracy of guessing on the split of `source`: the share of its largest class.
        dense: Accuracy of the tuned dense baseline; None without one.
        dense_sd: Its sample standard deviation over seeds.
        x_max: log10 compression at which hypervolumes are cut off.
        rows: The rows in the order shown: by rank, then unconfirmed entries, then the dense baseline.
        points: The operating points by entry.
        records: The records of the task that the rows were computed from.
        compressions: The common compressions, at which every number is measured; empty of older records.
        own: The points that the methods reached by themselves, by entry, at the validated threshold.
        spreads: How far scores scatter over searches, by entry, where one search is compared and it is known.
        latencies: Measured times of its models, each of one machine.
        whole: Returns the whole record for one of `records`, which may lack its curve and its layers.

    Example:
        >>> [(row.entry, row.rank) for row in board.rows], board.winner
        ([('dwf-3', 1), ('magnitude', 2), ('dense', None)], 'dwf-3')
    """

    task: str
    source: Source
    chance: float
    dense: float | None
    dense_sd: float | None
    x_max: float
    rows: list[LeaderboardRow]
    points: dict[str, list[Point]]
    records: list[Record]
    compressions: tuple[float, ...] = ()
    own: dict[str, list[Point]] = field(default_factory=dict)
    spreads: dict[str, SearchSpread] = field(default_factory=dict)
    latencies: tuple[Latency, ...] = ()
    whole: Callable[[Record], Record] = unchanged

    def __getstate__(self) -> dict[str, Any]:
        """Returns the fields alone: another process computes again what it needs of the rest."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def row(self, entry: str) -> LeaderboardRow:
        """Returns the row of an entry."""
        return self._by_entry[entry]

    @cached_property
    def _by_entry(self) -> dict[str, LeaderboardRow]:
        return {row.entry: row for row in self.rows}

    @property
    def ranked(self) -> list[str]:
        """The entries that have a rank, in its order."""
        return [row.entry for row in self.rows if row.rank is not None]

    @property
    def prunable_share(self) -> float | None:
        """The prunable share of the model's parameters, the least of the records; None where none has it."""
        return min((r.prunable_share for r in self.records if r.prunable_share is not None), default=None)

    @property
    def winner(self) -> str | None:
        """The entry of rank 1; None where rank 2 is missing or rank 1 is not significantly better."""
        ranked = {row.rank: row for row in self.rows if row.rank is not None}
        return ranked[1].entry if 1 in ranked and 2 in ranked and ranked[2].tied is False else None

    @property
    def metric(self) -> str:
        """The accuracy that is compared, as the recipe says: "accuracy" or "balanced_accuracy"."""
        return str(self.records[0].recipe.get("metric", "accuracy")) if self.records else "accuracy"

    @property
    def granularity(self) -> Granularity:
        """What is removed on the task, and what its compressions count."""
        return self.records[0].granularity if self.records else "weights"

    @property
    def has_patterns(self) -> bool:
        """Whether an entry keeps N of every M weights: its method has the knobs n and m."""
        return any({"n", "m"} <= record.knobs.keys() for record in self.records)

    @property
    def imbalanced(self) -> bool:
        """Whether guessing reaches half as much again as it would with classes of equal size."""
        classes = next((record.classes for record in self.records if record.classes), None)
        return classes is not None and self.chance > IMBALANCED / classes

    @property
    def references(self) -> References:
        """Chance, dense accuracy and the limit of x, which every measure needs."""
        return References(self.chance, self.dense, self.x_max)

    @property
    def has_intervals(self) -> bool:
        """Whether an accuracy of a row has an interval."""
        found = (
            i for row in self.rows for i in (row.best_accuracy_interval, *row.accuracy_at_interval.values())
        )
        return any(found)

    @property
    def scale(self) -> float | None:
        """The raw hypervolume that is normalised to 1; None without a dense network that learned."""
        return self.references.scale

    @cached_property
    def pairs(self) -> Pairs:
        """The comparisons of every two ranked entries, as `compare_pairs` returns them."""
        return compare_pairs(self)

    @cached_property
    def records_of(self) -> dict[str, list[Record]]:
        """The records by entry, in their order."""
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.entry, []).append(record)
        return found

    @cached_property
    def searched(self) -> dict[str, Record]:
        """The trials of all searches by their ids."""
        return {record.id: record for record in self.records if record.phase == "search"}

    @cached_property
    def accuracies(self) -> list[float]:
        """The mean accuracy of every point."""
        return [point.accuracy.mean for points in self.points.values() for point in points]

    @cached_property
    def replicates(self) -> dict[str, dict[int, float]]:
        """What each entry is ranked by (`merit`), by seed or search; empty for unconfirmed entries."""
        repeated = repeated_scores if self.compressions else measures.repeated
        return {entry: repeated(self.references, found) for entry, found in self.points.items()}

    @property
    def merit_unit(self) -> float:
        """What `merit` is divided by where it is shown: 1 for scores, the scale of hypervolumes."""
        return 1.0 if self.compressions else self.scale or 1.0

    def shown(self, entry: str) -> float | None:
        """Returns what an entry is ranked by, as it is shown; None where that needs a dense baseline."""
        row = self.row(entry)
        return row.score if self.compressions and self.scale else row.hypervolume

    @property
    def merit_name(self) -> str:
        """The name of `merit`: "score" or "hypervolume"."""
        return "score" if self.compressions else "hypervolume"
