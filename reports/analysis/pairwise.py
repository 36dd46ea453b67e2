"""Every entry of a task against every other: can the two be told apart? No torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from .boards import TaskLeaderboard
from .comparison import difference, holm
from .intervals import Interval

LEVEL = 0.05


@dataclass(frozen=True)
class Pair:
    """Two ranked entries, the higher first. `difference` is of the means over seeds of each seed's own
    hypervolume, in units of the leaderboard's, whose ranks are by the front of the points' means.

    `interval` holds the difference with 95% for this pair alone, and `distinct` says that it leaves out
    zero. `p_holm` is corrected for all pairs of the task, `distinct_holm` says that it is below 0.05.
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
        """Whether the seeds say that the first is the better one."""
        return self.interval.low > 0

    @property
    def verdict(self) -> str:
        """In words."""
        if self.distinct and not self.ahead:
            return "the seeds say the opposite of the ranks"
        if self.distinct_holm:
            return "distinct, also after correction for all pairs"
        return "distinct, taken alone" if self.distinct else "not distinguishable"


def pairs(board: TaskLeaderboard) -> list[Pair]:
    """All pairs of confirmed entries with two seeds or more, in the order of their ranks."""
    ranked = [row.entry for row in board.rows if row.rank is not None]
    unit = board.scale or 1.0
    found: list[Pair] = []
    for first, second in combinations(ranked, 2):
        gap = difference(board.replicates[first], board.replicates[second])
        if gap is not None:
            interval = Interval(gap.interval.low / unit, gap.interval.high / unit)
            found.append(
                Pair(board.task, first, second, gap.kind, gap.seeds, gap.mean / unit, interval, gap.p, 1.0,
                     gap.distinct, False)
            )  # fmt: skip
    return _corrected(found)


def _corrected(found: Sequence[Pair]) -> list[Pair]:
    both = zip(found, holm([pair.p for pair in found]), strict=True)
    return [replace(pair, p_holm=p, distinct_holm=p < LEVEL) for pair, p in both]


def summary(found: Sequence[Pair]) -> str:
    """One sentence on how many pairs the seeds can tell apart; empty without pairs."""
    if not found:
        return ""
    alone, corrected = sum(p.distinct for p in found), sum(p.distinct_holm for p in found)
    return (
        f"Of {len(found)} pairs of entries {len(found) - alone} are not distinguishable (the 95% interval of "
        f"the difference holds zero); after Holm's correction for all pairs {corrected} stay distinct."
    )
