"""Comparison over tasks: mean ranks and tests (Friedman, Nemenyi, Wilcoxon with Holm). No torch.

Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7 (2006). The tasks are the
sample: with fewer than six of them Wilcoxon's test cannot reach p < 0.05, so nothing is compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ..statistics.differences import holm
from ..statistics.intervals import Interval, t_interval
from .leaderboard import TaskLeaderboard

LEAST_TASKS = 6
LEVEL = 0.05
ROUNDING = 1e-9  # merits nearer than this are equal


@dataclass(frozen=True)
class MeanRank:
    """The mean rank of one entry over all tasks, and the mean of what it is ranked by.

    Attributes:
        entry: The entry.
        mean_rank: Mean over tasks of its rank, 1 for the largest merit; equal ones share the mean.
        ranks: Its rank on each task.
        mean_merit: Mean over tasks of its score, of earlier versions its normalised hypervolume (0 where all
            its runs failed); None where a task has no dense baseline.
        interval: 95% t-interval of that mean over tasks.

    Example:
        >>> from dataclasses import replace
        >>> found = compare_over_tasks([replace(board, task=f"task {i}") for i in range(6)])
        >>> [(s.entry, s.mean_rank) for s in found.standings]
        [('dwf-3', 1.0), ('magnitude', 2.0)]
    """

    entry: str
    mean_rank: float
    ranks: tuple[float, ...]
    mean_merit: float | None
    interval: Interval | None


@dataclass(frozen=True)
class TaskPair:
    """The comparison of two entries over tasks, by Wilcoxon's signed-rank test of their merits.

    Attributes:
        first: The entry with the smaller mean rank.
        second: The other entry.
        rank_difference: Mean rank of the second minus that of the first.
        p: Two-sided p of Wilcoxon's test.
        p_holm: The same p after Holm's correction for all pairs.
        distinct: Whether `p_holm` is below 0.05.

    Example:
        >>> from dataclasses import replace
        >>> found = compare_over_tasks([replace(board, task=f"task {i}") for i in range(6)])
        >>> found.pairs[0].first, found.pairs[0].p  # better on six tasks of six: 2 · (1/2)**6
        ('dwf-3', 0.03125)
    """

    first: str
    second: str
    rank_difference: float
    p: float
    p_holm: float
    distinct: bool


@dataclass(frozen=True)
class TasksComparison:
    """The comparison of all entries over tasks.

    Attributes:
        tasks: Names of the tasks.
        standings: Mean ranks and mean merits, best mean rank first.
        friedman: p of Friedman's test that all mean ranks are equal; None for two entries.
        critical_difference: Nemenyi's critical difference of mean ranks at level 0.05.
        groups: Entries whose mean ranks are not significantly different, each a run of `standings`.
        pairs: The comparisons of two entries each.
        least_p: The smallest corrected p that so many tasks and pairs can give at all.
        left_out: Entries that were not run on every task.
        merit: What the ranks are by: "score", of earlier versions "hypervolume".

    Example:
        >>> from dataclasses import replace
        >>> found = compare_over_tasks([replace(board, task=f"task {i}") for i in range(6)])
        >>> round(found.critical_difference, 2), found.differ  # 1.96 · √(2·3 / (6·6)) for two entries
        (0.8, True)
    """

    tasks: tuple[str, ...]
    standings: tuple[MeanRank, ...]
    friedman: float | None
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    pairs: tuple[TaskPair, ...]
    least_p: float
    left_out: tuple[str, ...]
    merit: str = "hypervolume"

    @property
    def differ(self) -> bool:
        """Whether Friedman's test (Wilcoxon's for two entries) finds any difference at level 0.05."""
        p = self.pairs[0].p if self.friedman is None else self.friedman
        return p < LEVEL


def compare_over_tasks(found: Sequence[TaskLeaderboard]) -> TasksComparison | None:
    """Returns the comparison of the entries over tasks.

    Args:
        found: The leaderboards of the tasks.

    Returns:
        The comparison; None where there is none, for the reason that `why_not_compared` returns.

    Example:
        >>> from dataclasses import replace
        >>> found = compare_over_tasks([replace(board, task=f"task {i}") for i in range(6)])
        >>> found.standings[0].entry, found.pairs[0].distinct
        ('dwf-3', True)
    """
    if why_not_compared(found) is not None:
        return None
    # Mean ranks, and tests of pairs
    entries, left_out = contestants(found)
    table = [[_score(board, entry) for entry in entries] for board in found]
    standings = _standings(found, entries, table)
    pairs = _pairs(standings, {e: [row[i] for row in table] for i, e in enumerate(entries)})
    # Groups by Nemenyi's test, which is made only where any difference is found
    friedman = _friedman(table)
    reach = _nemenyi(len(entries), len(found))
    differ = (pairs[0].p if friedman is None else friedman) < LEVEL
    groups = _groups(standings, reach) if differ else (tuple(s.entry for s in standings),)
    least, tasks = min(1.0, len(pairs) * 2.0 ** (1 - len(found))), tuple(board.task for board in found)
    merit = " or ".join(sorted({board.merit_name for board in found}, reverse=True))
    return TasksComparison(tasks, standings, friedman, reach, groups, pairs, least, left_out, merit)


def why_not_compared(found: Sequence[TaskLeaderboard]) -> str | None:
    """Returns the reason why the entries are not compared over tasks.

    Args:
        found: The leaderboards of the tasks.

    Returns:
        The sentence that is printed in place of the comparison; None where there is one.

    Example:
        >>> print(why_not_compared([board]))
        No comparison over tasks: there is 1 task, and mean ranks, paired tests and a critical-difference
        diagram mean something from 6 on.
    """
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
    """Returns the entries to compare over tasks: those that were run on every task.

    An entry whose runs all failed on a task is compared, with merit 0 there: a failure counts.

    Args:
        found: The leaderboards of the tasks.

    Returns:
        The entries that were run on every task, and the others, both without the dense baselines.

    Example:
        >>> contestants([board])
        (('dwf-3', 'magnitude'), ())
    """
    ran = [
        {r.entry for r in board.rows if not r.baseline and (r.rank is not None or not r.points)}
        for board in found
    ]
    everyone = {row.entry for board in found for row in board.rows if not row.baseline}
    everywhere = set.intersection(*ran) if ran else set()
    return tuple(sorted(everywhere)), tuple(sorted(everyone - everywhere))


def _score(board: TaskLeaderboard, entry: str) -> float:
    return board.row(entry).merit


def _ranks(scores: Sequence[float]) -> list[float]:
    """The ranks of the scores: 1 for the largest; equal scores share the mean of their ranks."""
    own = np.array(scores)
    gaps = own[None, :] - own[:, None]
    ranks = 1 + (gaps > ROUNDING).sum(1) + ((abs(gaps) <= ROUNDING).sum(1) - 1) / 2
    return [float(rank) for rank in ranks]


def _standings(
    found: Sequence[TaskLeaderboard], entries: Sequence[str], table: Sequence[Sequence[float]]
) -> tuple[MeanRank, ...]:
    ranks = [_ranks(row) for row in table]
    standings = []
    for i, entry in enumerate(entries):
        own = tuple(row[i] for row in ranks)
        merits = [board.shown(entry) if board.row(entry).points else 0.0 for board in found]
        whole = [merit for merit in merits if merit is not None] if None not in merits else []
        mean = fmean(whole) if whole else None
        standings.append(MeanRank(entry, fmean(own), own, mean, t_interval(whole, least=0.0)))
    return tuple(sorted(standings, key=lambda s: (s.mean_rank, s.entry)))


def _friedman(table: Sequence[Sequence[float]]) -> float | None:
    """p of Friedman's chi-square test; None for two entries, 1 where all entries are equal on every task."""
    from scipy.stats import friedmanchisquare  # type: ignore[import-untyped, unused-ignore]

    if len(table[0]) < 3:
        return None
    ranks = [_ranks(row) for row in table]
    if all(len(set(row)) == 1 for row in ranks):
        return 1.0
    return float(friedmanchisquare(*zip(*ranks, strict=True)).pvalue)


@cache
def _nemenyi(entries: int, tasks: int) -> float:
    """The critical difference q·√(k(k+1)/(6N)), q of the studentized range over √2 (Demšar's table 5)."""
    from scipy.stats import studentized_range  # type: ignore[import-untyped, unused-ignore]

    q = float(studentized_range.ppf(1 - LEVEL, entries, math.inf)) / math.sqrt(2)
    return q * math.sqrt(entries * (entries + 1) / (6 * tasks))


def _pairs(standings: Sequence[MeanRank], scores: dict[str, list[float]]) -> tuple[TaskPair, ...]:
    both = list(combinations(standings, 2))
    raw = _wilcoxon(np.array([scores[one.entry] for one in standings]))
    return tuple(
        TaskPair(a.entry, b.entry, b.mean_rank - a.mean_rank, p, corrected, corrected < LEVEL)
        for (a, b), p, corrected in zip(both, raw, holm(raw), strict=True)
    )


def _wilcoxon(scores: NDArray[np.float64]) -> list[float]:
    """p of Wilcoxon's signed-rank test of each two rows, without the columns in which both are equal; 1 where
    there are no others."""
    first, second = np.triu_indices(len(scores), 1)
    gaps = scores[first] - scores[second]
    gaps[abs(gaps) <= ROUNDING] = 0.0
    # The ranks of the unequal columns from 1; those of equal ones come first, and are 0 or less.
    sizes = np.sort(abs(gaps), axis=1)
    ranks = abs(gaps).argsort(1).argsort(1) + 1 - (gaps == 0).sum(1, keepdims=True)
    repeated = ((np.diff(sizes, axis=1) == 0) & (sizes[:, 1:] > 0)).any(1)
    # Without repeated sizes the p follows from the number of ranks and the sum of those above zero.
    sums, counts = (ranks * (gaps > 0)).sum(1), (gaps != 0).sum(1)
    return [
        _signed_rank(tuple(row[row != 0].tolist()) if odd else _ranks_of_sum(count, total)) if count else 1.0
        for row, odd, count, total in zip(gaps, repeated, counts.tolist(), sums.tolist(), strict=True)
    ]


@cache
def _ranks_of_sum(count: int, total: int) -> tuple[float, ...]:
    """Returns the ranks 1 to `count` with signs, of which the positive ones add up to `total`."""
    found = []
    for rank in range(count, 0, -1):
        positive = rank <= total
        total -= rank if positive else 0
        found.append(float(rank if positive else -rank))
    return tuple(found)


@lru_cache(4096)  # every table and page compares again
def _signed_rank(gaps: tuple[float, ...]) -> float:
    from scipy.stats import wilcoxon  # type: ignore[import-untyped, unused-ignore]

    return float(wilcoxon(gaps).pvalue)


def _groups(standings: Sequence[MeanRank], reach: float) -> tuple[tuple[str, ...], ...]:
    """The maximal runs of standings whose mean ranks all lie within the critical difference `reach`."""
    runs: list[tuple[int, int]] = []
    for start, first in enumerate(standings):
        end = max(i for i, s in enumerate(standings) if s.mean_rank - first.mean_rank < reach + 1e-12)
        if end > start and (not runs or end > runs[-1][1]):
            runs.append((start, end))
    return tuple(tuple(s.entry for s in standings[start : end + 1]) for start, end in runs)
