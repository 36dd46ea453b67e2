"""Pairwise comparison of the entries of a task: which differ significantly over seeds. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, Protocol

from .comparison import differences, holm
from .intervals import Interval

LEVEL = 0.05


class Ranking(Protocol):
    """What pairs are made of: the part of a `TaskLeaderboard` that `compare_pairs` needs.

    Example:
        >>> board.ranked, list(board.replicates["dwf-3"])
        (['dwf-3', 'magnitude'], [1000, 1001, 1002])
    """

    @property
    def task(self) -> str: ...
    @property
    def ranked(self) -> Sequence[str]: ...
    @property
    def merit_unit(self) -> float: ...
    @property
    def replicates(self) -> Mapping[str, Mapping[int, float]]: ...


@dataclass(frozen=True)
class Pair:
    """The comparison of two ranked entries of a task.

    What is compared are the scores of single seeds or searches; of older records the hypervolumes of their
    fronts, whose means need not be in the order of the ranks.

    Attributes:
        task: The task, dataset-model.
        first: The entry of the higher rank.
        second: The entry of the lower rank.
        kind: "paired" where both entries have the same seeds, else "welch".
        seeds: The number of replicates of each entry, the smaller one where they differ.
        difference: Mean score of the first minus that of the second; of older records hypervolume, normalised
            as on the leaderboard.
        interval: 95% t-interval of the difference, for this pair alone.
        p: Two-sided p of no difference.
        p_holm: The same p after Holm's correction for all pairs of the task.
        distinct: Whether the interval excludes zero.
        distinct_holm: Whether `p_holm` is below 0.05.

    Example:
        >>> pair = compare_pairs(board)[0]
        >>> pair.first, pair.second, round(pair.difference, 2), [round(end, 2) for end in pair.interval]
        ('dwf-3', 'magnitude', 0.18, [0.18, 0.19])
    """

    task: str
    first: str
    second: str
    kind: Literal["paired", "welch"]
    seeds: int
    difference: float
    interval: Interval
    p: float
    p_holm: float
    distinct: bool
    distinct_holm: bool

    @property
    def ahead(self) -> bool:
        """Whether the first is significantly better: the interval lies above zero."""
        return self.interval.low > 0

    @property
    def verdict(self) -> str:
        """The result in words, as the tables and pages print it."""
        if self.distinct and not self.ahead:
            return "the seeds say the opposite of the ranks"
        if self.distinct_holm:
            return "distinct, also after correction for all pairs"
        return "distinct, taken alone" if self.distinct else "not distinguishable"


def compare_pairs(board: Ranking) -> list[Pair]:
    """Returns the comparisons of all pairs of ranked entries of a task.

    Args:
        board: The leaderboard of the task.

    Returns:
        The pairs in the order of their ranks; those with too few seeds to judge are left out.

    Example:
        >>> [(pair.first, pair.second, pair.verdict) for pair in compare_pairs(board)]
        [('dwf-3', 'magnitude', 'distinct, also after correction for all pairs')]
    """
    ranked = board.ranked
    unit = board.merit_unit
    both = list(combinations(range(len(ranked)), 2))
    tested = differences([board.replicates[entry] for entry in ranked], both)
    found = [(i, j, gap) for (i, j), gap in zip(both, tested, strict=True) if gap is not None]
    corrected = holm([gap.p for _, _, gap in found])
    return [
        Pair(
            board.task, ranked[i], ranked[j], gap.kind, gap.seeds, gap.mean / unit,
            Interval(gap.interval.low / unit, gap.interval.high / unit), gap.p, p, gap.distinct, p < LEVEL,
        )
        for (i, j, gap), p in zip(found, corrected, strict=True)
    ]  # fmt: skip


def pairs_summary(found: Sequence[Pair]) -> str:
    """Returns the sentence on how many pairs differ significantly.

    Args:
        found: The pairs of one task.

    Returns:
        The sentence; empty without pairs.

    Example:
        >>> print(pairs_summary(compare_pairs(board)))
        Of 1 pairs of entries 0 are not distinguishable (the 95% interval of the difference holds zero);
        after Holm's correction for all pairs 1 stay distinct.
    """
    if not found:
        return ""
    alone, corrected = sum(p.distinct for p in found), sum(p.distinct_holm for p in found)
    return (
        f"Of {len(found)} pairs of entries {len(found) - alone} are not distinguishable (the 95% interval of "
        f"the difference holds zero); after Holm's correction for all pairs {corrected} stay distinct."
    )
