"""Over tasks: mean ranks, and whether they differ (Friedman, Nemenyi, Wilcoxon with Holm). No torch.

Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7 (2006). Tasks are the
sample: with fewer than six of them no such test can find anything, so none is made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations
from statistics import fmean

from .boards import TaskLeaderboard
from .comparison import holm
from .intervals import Interval, t_interval

LEAST_TASKS = 6
LEVEL = 0.05
ROUNDING = 1e-9  # hypervolumes nearer than this are the same


@dataclass(frozen=True)
class MeanRank:
    """An entry over all tasks: its mean rank (1 is best, equals share), and mean normalised hypervolume.

    `interval` is the t-interval of the mean hypervolume over tasks; both None where a task has no dense.
    """

    entry: str
    mean_rank: float
    ranks: tuple[float, ...]
    hypervolume: float | None
    interval: Interval | None


@dataclass(frozen=True)
class TaskPair:
    """Two entries over tasks: Wilcoxon's signed-rank p, and that after Holm's correction for all pairs."""

    first: str
    second: str
    rank_difference: float
    p: float
    p_holm: float
    distinct: bool


@dataclass(frozen=True)
class TasksComparison:
    """The comparison over tasks. `critical_difference` is Nemenyi's, in mean ranks, at level 0.05.

    `groups`: entries that the mean ranks cannot tell apart, by falling rank, each a run of `standings`.
    `least_p`: the smallest corrected p that so many tasks and pairs could give at all.
    """

    tasks: tuple[str, ...]
    standings: tuple[MeanRank, ...]
    friedman: float | None
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    pairs: tuple[TaskPair, ...]
    least_p: float
    left_out: tuple[str, ...]

    @property
    def differ(self) -> bool:
        """Whether Friedman's test finds any difference at all; with two entries, Wilcoxon's."""
        p = self.pairs[0].p if self.friedman is None else self.friedman
        return p < LEVEL


def compare_over_tasks(found: Sequence[TaskLeaderboard]) -> TasksComparison | None:
    """The comparison over the boards' tasks; None with fewer than six tasks or two entries on all of them."""
    if why_not_compared(found) is not None:
        return None
    entries, left_out = contestants(found)
    table = [[_score(board, entry) for entry in entries] for board in found]
    standings = _standings(found, entries, table)
    ordered = [s.entry for s in standings]
    pairs = _pairs(standings, {e: [row[i] for row in table] for i, e in enumerate(entries)})
    friedman = _friedman(table)
    reach = _nemenyi(len(entries), len(found))
    differ = (pairs[0].p if friedman is None else friedman) < LEVEL
    groups = _groups(standings, reach) if differ else (tuple(ordered),)
    least = min(1.0, len(pairs) * 2.0 ** (1 - len(found)))
    tasks = tuple(board.task for board in found)
    return TasksComparison(tasks, standings, friedman, reach, groups, pairs, least, left_out)


def why_not_compared(found: Sequence[TaskLeaderboard]) -> str | None:
    """The line that stands in place of the comparison over tasks; None where there is one."""
    if len(found) < LEAST_TASKS:
        count = f"are {len(found)} tasks" if len(found) != 1 else "is 1 task"
        return (
            f"No comparison over tasks: there {count}, and mean ranks, paired tests and a "
            f"critical-difference diagram mean something from {LEAST_TASKS} on."
        )
    if any(board.source != "test" for board in found):
        return "No comparison over tasks: not every task has confirmed points."
    if len(contestants(found)[0]) < 2:
        return "No comparison over tasks: fewer than two entries were run on all of them."
    return None


def contestants(found: Sequence[TaskLeaderboard]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The entries that were run on every task, and those that were not.

    One whose runs all failed on a task stays in, with hypervolume 0 there: a failure counts.
    """
    ran = [
        {r.entry for r in board.rows if not r.baseline and (r.rank is not None or not r.points)}
        for board in found
    ]
    everyone = {row.entry for board in found for row in board.rows if not row.baseline}
    everywhere = set.intersection(*ran) if ran else set()
    return tuple(sorted(everywhere)), tuple(sorted(everyone - everywhere))


def _score(board: TaskLeaderboard, entry: str) -> float:
    return board.row(entry).hypervolume_raw


def _ranks(scores: Sequence[float]) -> list[float]:
    """1 for the largest; equals share the mean of their places."""
    return [
        1 + sum(o > s + ROUNDING for o in scores) + (sum(abs(o - s) <= ROUNDING for o in scores) - 1) / 2
        for s in scores
    ]


def _standings(
    found: Sequence[TaskLeaderboard], entries: Sequence[str], table: Sequence[Sequence[float]]
) -> tuple[MeanRank, ...]:
    ranks = [_ranks(row) for row in table]
    standings = []
    for i, entry in enumerate(entries):
        own = tuple(row[i] for row in ranks)
        volumes = [board.row(entry).hypervolume if board.row(entry).points else 0.0 for board in found]
        known = [v for v in volumes if v is not None]
        whole = known if len(known) == len(volumes) else []
        mean = fmean(whole) if whole else None
        standings.append(MeanRank(entry, fmean(own), own, mean, t_interval(whole, least=0.0)))
    return tuple(sorted(standings, key=lambda s: (s.mean_rank, s.entry)))


def _friedman(table: Sequence[Sequence[float]]) -> float | None:
    """p of Friedman's chi-square; None for two entries, 1 where every task ranks all entries as equal."""
    from scipy.stats import friedmanchisquare  # type: ignore[import-untyped, unused-ignore]

    if len(table[0]) < 3:
        return None
    ranks = [_ranks(row) for row in table]
    if all(len(set(row)) == 1 for row in ranks):
        return 1.0
    return float(friedmanchisquare(*zip(*ranks, strict=True)).pvalue)


@cache
def _nemenyi(entries: int, tasks: int) -> float:
    """q·√(k(k+1)/(6N)), q of the studentized range over √2 (Demšar's table 5)."""
    from scipy.stats import studentized_range  # type: ignore[import-untyped, unused-ignore]

    q = float(studentized_range.ppf(1 - LEVEL, entries, math.inf)) / math.sqrt(2)
    return q * math.sqrt(entries * (entries + 1) / (6 * tasks))


def _pairs(standings: Sequence[MeanRank], scores: dict[str, list[float]]) -> tuple[TaskPair, ...]:
    both = list(combinations(standings, 2))
    raw = [_wilcoxon(scores[a.entry], scores[b.entry]) for a, b in both]
    return tuple(
        TaskPair(a.entry, b.entry, b.mean_rank - a.mean_rank, p, corrected, corrected < LEVEL)
        for (a, b), p, corrected in zip(both, raw, holm(raw), strict=True)
    )


def _wilcoxon(first: Sequence[float], second: Sequence[float]) -> float:
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    kept = tuple(gap for gap in gaps if abs(gap) > ROUNDING)
    return _signed_rank(kept) if kept else 1.0


@lru_cache(4096)  # every table and page asks again
def _signed_rank(gaps: tuple[float, ...]) -> float:
    from scipy.stats import wilcoxon  # type: ignore[import-untyped, unused-ignore]

    return float(wilcoxon(gaps).pvalue)


def _groups(standings: Sequence[MeanRank], reach: float) -> tuple[tuple[str, ...], ...]:
    """Maximal runs of neighbours whose mean ranks all lie within the critical difference."""
    runs: list[tuple[int, int]] = []
    for start, first in enumerate(standings):
        end = max(i for i, s in enumerate(standings) if s.mean_rank - first.mean_rank < reach + 1e-12)
        if end > start and (not runs or end > runs[-1][1]):
            runs.append((start, end))
    return tuple(tuple(s.entry for s in standings[start : end + 1]) for start, end in runs)
