"""The replicates of an entry's front: a hypervolume a seed, or a search. No torch."""

from collections.abc import Sequence
from statistics import fmean

from ...learning import learned
from ...records.pareto import X_MAX, front, hypervolume
from .points import Point, SeedResult, learning


def replicates(points: Sequence[Point], x_max: float = X_MAX) -> dict[int, float]:
    """Returns the hypervolume of each replicate of an entry's front: of the outcomes that share a
    seed, or a search where there are several.

    Only seeds that every point of the front of means has are replicates, so that no front lacks a point.
    Where fewer than two are shared, replicate j takes the j-th seed of every point and is numbered −1 − j;
    such replicates are never paired with those of another entry. Points and outcomes that have learned
    nothing add nothing.

    Args:
        points: The operating points of one entry.
        x_max: log10 compression at which the area is cut off.

    Returns:
        Hypervolumes in accuracy × decades of compression, by seed.

    Example:
        >>> found = replicates(board.points["dwf-3"])
        >>> {seed: round(volume, 2) for seed, volume in found.items()}
        {1000: 1.53, 1001: 1.53, 1002: 1.55}
    """
    used = learning(points) or points
    line = front(used, lambda p: p.xy)
    shared = set.intersection(*(set(p.by_unit) for p in line)) if line else set()
    fewest = min((len(point.outcomes) for point in line), default=0)
    if len(shared) < min(2, fewest):
        picked = {-1 - j: [[p.outcomes[j]] for p in used if j < len(p.outcomes)] for j in range(fewest)}
    else:
        picked = {unit: [p.by_unit[unit] for p in used if unit in p.by_unit] for unit in sorted(shared)}
    alive = any(point.learned for point in points)
    return {
        unit: hypervolume(
            (_place(own) for own in each if alive and _learned(own)), (0.0, used[0].chance), x_max
        )
        for unit, each in picked.items()
    }


def _place(own: Sequence[SeedResult]) -> tuple[float, float]:
    """Mean log10 compression and mean accuracy of one replicate of a point."""
    return fmean(o.x for o in own), fmean(o.accuracy for o in own)


def _learned(own: Sequence[SeedResult]) -> bool:
    return any(not o.diverged for o in own) and learned(_place(own)[1], own[0].chance)
