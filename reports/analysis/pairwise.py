"""Pairwise comparison of the entries of a task: which differ significantly over seeds. No torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from ..statistics.differences import Differences, differences, holm
from ..statistics.intervals import Interval
from ..statistics.search_spread import SearchSpread, widened

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
    @property
    def spreads(self) -> Mapping[str, SearchSpread]: ...


class Pair(NamedTuple):
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


@dataclass(frozen=True, eq=False)
class Pairs(Sequence[Pair]):
    """The comparisons of a task in columns: 200 entries have 19,900 pairs, which are made when they are read.

    Attributes:
        task: The task, dataset-model.
        ranked: The entries by rank.
        first: The number of the first entry of each pair in `ranked`.
        second: That of the second.
        gaps: Their differences, all of them known.
        p_holm: The p after Holm's correction.
        unit: The raw hypervolume that is normalised to 1.

    Example:
        >>> found = compare_pairs(board)
        >>> len(found), found[0] == next(iter(found))
        (1, True)
    """

    task: str
    ranked: Sequence[str]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    gaps: Differences
    p_holm: NDArray[np.float64]
    unit: float

    def __len__(self) -> int:
        return len(self.p_holm)

    def __iter__(self) -> Iterator[Pair]:
        return self._made(slice(None))

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return list(self._made(index))
        at = range(len(self))[index]
        return next(self._made(slice(at, at + 1)))

    def _made(self, of: slice) -> Iterator[Pair]:
        gaps, unit, names = self.gaps, self.unit, self.ranked
        lows, highs = gaps.lows[of], gaps.highs[of]
        return map(
            Pair._make,
            zip(
                repeat(self.task),
                (names[i] for i in self.first[of].tolist()),
                (names[i] for i in self.second[of].tolist()),
                ("paired" if one else "welch" for one in gaps.paired[of].tolist()),
                gaps.seeds[of].tolist(),
                (gaps.means[of] / unit).tolist(),
                map(Interval._make, zip((lows / unit).tolist(), (highs / unit).tolist(), strict=True)),
                gaps.ps[of].tolist(),
                self.p_holm[of].tolist(),
                ((lows > 0) | (highs < 0)).tolist(),
                (self.p_holm[of] < LEVEL).tolist(),
                strict=False,  # the task repeats
            ),
        )


def compare_pairs(board: Ranking) -> Pairs:
    """Returns the comparisons of all pairs of ranked entries of a task.

    Args:
        board: The leaderboard of the task.

    Returns:
        The pairs in the order of their ranks; those with too few seeds to judge are left out.

    Example:
        >>> [(pair.first, pair.second, pair.verdict) for pair in compare_pairs(board)]
        [('dwf-3', 'magnitude', 'distinct, also after correction for all pairs')]
    """
    first, second = np.triu_indices(len(board.ranked), 1)
    both = list(zip(first.tolist(), second.tolist(), strict=True))
    gaps = differences([board.replicates[entry] for entry in board.ranked], both)
    gaps = widened(gaps, [(board.ranked[i], board.ranked[j]) for i, j in both], board.spreads)
    known = gaps.known
    gaps = Differences(**{name: column[known] for name, column in vars(gaps).items()})
    return Pairs(
        board.task, board.ranked, first[known], second[known], gaps, np.array(holm(gaps.ps)),
        board.merit_unit,
    )  # fmt: skip


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
