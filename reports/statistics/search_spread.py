"""How far scores scatter over searches, measured beforehand, for boards of one search. No torch.

The runs of one search repeat its choice, not the search. What a second search would have found is known for
the tasks and budgets in `search_spread.json`, which `benchmarks/stability.py` writes.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from ...records.record import Record
from .differences import Differences
from .intervals import Interval, quantile

MEASURED = Path(__file__).with_name("search_spread.json")


class SearchSpread(NamedTuple):
    """The sample standard deviation of a score over independent searches, retraining included.

    Attributes:
        sd: The standard deviation.
        searches: The number of searches that it was measured with.

    Example:
        >>> round(SearchSpread(0.01, 4).half, 3)  # 3.18 · 0.01
        0.032
    """

    sd: float
    searches: int

    @property
    def half(self) -> float:
        """Half the 95% t-interval of the score of one search."""
        return quantile(self.searches - 1) * self.sd

    def widen(self, interval: Interval | None, centre: float) -> Interval | None:
        """Returns an interval of retraining, made as wide as that of the search where it is narrower."""
        if interval is None:
            return None
        low, high = max(0.0, centre - self.half), centre + self.half
        return Interval(min(interval.low, low), max(interval.high, high))


@cache
def _measured() -> Sequence[Mapping[str, Any]]:
    return tuple(json.loads(MEASURED.read_text()))


def budget_of(records: Sequence[Record], compressions: Sequence[float]) -> dict[str, Any]:
    """Returns what decides how far a score scatters over searches: the task and the budget.

    Args:
        records: The records of a task.
        compressions: Its common compressions.

    Returns:
        The task's name, compressions, steps, and the trials and seeds of one search of an entry.

    Example:
        >>> budget_of(records, (4, 64))["steps"], budget_of(records, (4, 64))["seeds"]
        (100, 3)
    """
    search = [record for record in records if record.phase == "search"]
    runs = [record for record in records if record.phase == "confirm"]
    steps = {record.steps for record in runs if record.status == "ok"}
    return {
        "task": records[0].task if records else "",
        "compressions": [float(c) for c in compressions],
        "steps": steps.pop() if len(steps) == 1 else None,
        "trials": 1 + max((record.trial or 0 for record in search), default=0),
        "seeds": len({record.seed for record in runs if record.replicate == runs[0].replicate}),
    }


def search_spreads(records: Sequence[Record], compressions: Sequence[float]) -> dict[str, SearchSpread]:
    """Returns how far the score of each entry scatters over searches, where the task has one search.

    Args:
        records: The records of a task.
        compressions: Its common compressions.

    Returns:
        The spreads by entry; an entry that was not measured gets the root mean square of the others. Empty
        where several searches are compared themselves, and where nothing was measured for task and budget.

    Example:
        >>> search_spreads(records, (4, 64))  # of a made-up task
        {}
    """
    if not compressions or len({record.replicate for record in records if record.phase == "search"}) != 1:
        return {}
    budget = budget_of(records, compressions)
    for known in _measured():
        if all(known[name] == value for name, value in budget.items()):
            of: Mapping[str, float] = known["score_sd"]
            rest = math.sqrt(fmean(sd * sd for sd in of.values()))
            entries = dict.fromkeys(record.entry for record in records)
            return {entry: SearchSpread(of.get(entry, rest), known["searches"]) for entry in entries}
    return {}


def widened(
    gaps: Differences, pairs: Sequence[tuple[str, str]], spreads: Mapping[str, SearchSpread]
) -> Differences:
    """Returns differences whose intervals and p cover the search as well as retraining.

    The difference of two scores, each of one search, has the variance sd² + sd²; Student's t has as many
    degrees of freedom as went into both. Where retraining alone is less certain its interval stays.

    Args:
        gaps: The differences of the entries' replicates.
        pairs: The entries of each difference.
        spreads: The spreads by entry; empty changes nothing.

    Returns:
        The differences.

    Example:
        >>> from sparsebench.reports.statistics.differences import differences
        >>> gaps = differences([{1: 0.30, 2: 0.31}, {1: 0.20, 2: 0.2101}], [(0, 1)])
        >>> wide = widened(gaps, [("a", "b")], dict.fromkeys("ab", SearchSpread(0.1, 4)))
        >>> gaps[0].distinct, wide[0].distinct, round(wide[0].mean, 2)
        (True, False, 0.1)
    """
    if not spreads:
        return gaps
    from scipy.special import stdtr  # type: ignore[import-untyped, unused-ignore]

    both = [(spreads[a], spreads[b]) for a, b in pairs]
    scales = np.array([math.hypot(a.sd, b.sd) for a, b in both])
    freedom = np.array([a.searches + b.searches - 2 for a, b in both])
    halves = scales * np.array([quantile(n) for n in freedom.tolist()])
    with np.errstate(divide="ignore", invalid="ignore"):
        ps = np.where(scales > 0, 2 * stdtr(freedom, -abs(gaps.means) / scales), 0.0)
    return replace(
        gaps,
        lows=np.minimum(gaps.lows, gaps.means - halves),
        highs=np.maximum(gaps.highs, gaps.means + halves),
        ps=np.maximum(gaps.ps, ps),
    )
