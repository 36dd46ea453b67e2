"""Differences of two entries' replicates, with Student's t tests and Holm's correction. No torch."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from .intervals import CONFIDENCE, Interval

Kind = Literal["paired", "welch"]
Floats = NDArray[np.float64]

NOTHING = 1e-12  # differences and errors below it are rounding


@dataclass(frozen=True)
class Difference:
    """The difference first − second of two entries, with Student's t test of its mean.

    Attributes:
        kind: "paired" where both have the same seeds, else "welch", for unequal variances.
        seeds: The number of replicates of each entry, the smaller one where they differ.
        mean: The difference of the means over replicates.
        interval: Its t-interval, at the confidence asked for.
        p: Two-sided p of no difference.

    Example:
        >>> gap = difference({1: 0.3, 2: 0.4}, {1: 0.1, 2: 0.3})  # differences 0.2 and 0.1
        >>> round(gap.mean, 2), [round(end, 2) for end in gap.interval], gap.distinct
        (0.15, [-0.49, 0.79], False)
    """

    kind: Kind
    seeds: int
    mean: float
    interval: Interval
    p: float

    @property
    def distinct(self) -> bool:
        """Whether the two are significantly different: the interval excludes zero."""
        return not self.interval.low <= 0 <= self.interval.high

    @property
    def ahead(self) -> bool:
        """Whether the first is significantly larger: the interval lies above zero."""
        return self.interval.low > 0


def difference(
    first: Mapping[int, float], second: Mapping[int, float], confidence: float = CONFIDENCE
) -> Difference | None:
    """Returns the difference of two entries' replicates: paired where the seeds are the same, else Welch's.

    A seed fixes the order of the data and what a trial draws, for every entry alike: runs with the same
    seed are a pair, and Student's interval of their differences is right whatever they have in common.

    Args:
        first: A number (a hypervolume) of the first entry by seed; negative seeds pair with nothing.
        second: The same of the second entry.
        confidence: Coverage of the interval, 0.95 for 95%.

    Returns:
        The difference first − second. None below two replicates each, and where all replicates differ by the
        same amount other than zero: counts of examples can agree so by chance, and the spread is unknown.

    Example:
        >>> gap = difference({1: 0.30, 2: 0.31, 3: 0.32}, {1: 0.20, 2: 0.22, 3: 0.21})
        >>> gap.kind, round(gap.mean, 2), gap.distinct
        ('paired', 0.1, True)
    """
    return differences([first, second], [(0, 1)], confidence)[0]


@dataclass(frozen=True, eq=False)
class Differences(Sequence[Difference | None]):
    """The differences of many pairs of entries in columns, each as `difference` returns it.

    Attributes:
        paired: Whether the kind is "paired".
        seeds: The numbers of replicates.
        means: The differences of the means.
        lows: The lower ends of the intervals.
        highs: The upper ends of the intervals.
        ps: The two-sided p.
        known: Whether there is a difference to speak of; the other columns mean nothing where it is False.

    Example:
        >>> found = differences([{1: 0.30, 2: 0.31}, {1: 0.20, 2: 0.22}, {1: 0.2}], [(0, 1), (0, 2)])
        >>> found.known.tolist(), round(found[0].mean, 3), found[1]
        ([True, False], 0.095, None)
    """

    paired: NDArray[np.bool_]
    seeds: NDArray[np.int64]
    means: Floats
    lows: Floats
    highs: Floats
    ps: Floats
    known: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.known)

    @overload
    def __getitem__(self, index: int) -> Difference | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[Difference | None]: ...
    def __getitem__(self, index: int | slice) -> Difference | list[Difference | None] | None:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not self.known[index]:
            return None
        kind: Kind = "paired" if self.paired[index] else "welch"
        mean, low, high, p = (x[index].item() for x in (self.means, self.lows, self.highs, self.ps))
        return Difference(kind, self.seeds[index].item(), mean, Interval(low, high), p)


def differences(
    entries: Sequence[Mapping[int, float]],
    pairs: Sequence[tuple[int, int]],
    confidence: float = CONFIDENCE,
) -> Differences:
    """Returns the differences of many pairs of entries, each as `difference` returns it.

    Args:
        entries: A number (a hypervolume) of each entry by seed; negative seeds pair with nothing.
        pairs: The numbers of the first and of the second entry of each pair.
        confidence: Coverage of the intervals, 0.95 for 95%.

    Returns:
        The differences first − second, in the order of the pairs.

    Example:
        >>> entries = [{1: 0.30, 2: 0.31}, {1: 0.20, 2: 0.22}, {1: 0.2}]
        >>> [found and round(found.mean, 3) for found in differences(entries, [(0, 1), (0, 2)])]
        [0.095, None]
    """
    # Samples of equal kind and sizes are tested together: a call of scipy takes a millisecond.
    groups: dict[tuple[Kind, int, int], list[int]] = {}
    seeds = [frozenset(entry) if entry and min(entry) >= 0 else None for entry in entries]
    for number, (i, j) in enumerate(pairs):
        kind: Kind = "paired" if seeds[i] is not None and seeds[i] == seeds[j] else "welch"
        groups.setdefault((kind, len(entries[i]), len(entries[j])), []).append(number)
    rows = [np.array([entry[seed] for seed in sorted(entry)]) for entry in entries]
    count = len(pairs)
    flags, numbers = np.zeros((2, count), dtype=bool), np.zeros((4, count))
    means, lows, highs, ps = numbers
    found = Differences(flags[0], np.zeros(count, dtype=np.int64), means, lows, highs, ps, flags[1])
    for (kind, n, m), at in groups.items():
        if min(n, m) >= 2:
            first, second = (np.stack([rows[pairs[number][side]] for number in at]) for side in (0, 1))
            found.paired[at], found.seeds[at] = kind == "paired", min(n, m)
            found.known[at], numbers[:, at] = _tested(kind, first, second, confidence)
    return found


def _tested(kind: Kind, first: Floats, second: Floats, confidence: float) -> tuple[NDArray[np.bool_], Floats]:
    """Student's t test of each two rows: whether it says anything; difference of the means, ends of its
    interval, p."""
    from scipy.stats import ttest_ind, ttest_rel  # type: ignore[import-untyped, unused-ignore]

    gaps, errors = first.mean(1) - second.mean(1), _standard_errors(kind, first, second)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of values that nearly agree, which are judged below
        paired = kind == "paired"
        test = (
            ttest_rel(first, second, axis=1) if paired else ttest_ind(first, second, axis=1, equal_var=False)
        )
        lows, highs = test.confidence_interval(confidence)
    # Without spread there is nothing to test: equal, or unknown
    spread, equal = errors > NOTHING, abs(gaps) <= NOTHING
    same = np.array([[0.0], [0.0], [0.0], [1.0]])
    return spread | equal, np.where(spread, np.stack([gaps, lows, highs, test.pvalue]), same)


def _standard_errors(kind: Kind, first: Floats, second: Floats) -> Floats:
    """The standard error of each difference of two means."""
    if kind == "paired":
        variances = (first - second).var(1, ddof=1) / first.shape[1]
    else:
        variances = first.var(1, ddof=1) / first.shape[1] + second.var(1, ddof=1) / second.shape[1]
    return np.asarray(np.sqrt(variances))


def holm(ps: Sequence[float] | Floats) -> list[float]:
    """Returns p-values after Holm's step-down correction (1979), which bounds the family-wise error rate.

    The i-th smallest of m is multiplied by m − i + 1, made monotone and cut at 1.

    Args:
        ps: The p-values of all tests of one family.

    Returns:
        The corrected p-values, in the order given.

    Example:
        >>> holm([0.125, 0.25, 0.75])  # times 3, 2 and 1
        [0.375, 0.5, 0.75]
    """
    order = np.argsort(ps, kind="stable")
    raised = np.minimum(1.0, np.arange(len(ps), 0, -1) * np.asarray(ps)[order])
    corrected = np.empty(len(ps))
    corrected[order] = np.maximum.accumulate(raised)
    return [float(p) for p in corrected]
