"""The numbers of one entry on one task, each with its interval over seeds. No torch.

The functions return fields of a `LeaderboardRow` by name, from the entry's points and the task's references.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ...records.pareto import accuracy_at, compression_at, front, hypervolume, hypervolume_scale
from ..statistics.intervals import Interval, deviation, t_interval
from .front_intervals import accuracy_interval, within_interval
from .points import Point, SeedResult, learning, learning_at_eps, most_accurate
from .replicates import replicates

COMPRESSIONS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
TOLERANCES = (0.01, 0.05, 0.10)


@dataclass(frozen=True)
class References:
    """The references of a task, the same for all its entries.

    Attributes:
        chance: Accuracy of guessing on the split that `dense` is of.
        dense: Accuracy of the tuned dense baseline; None without one.
        x_max: log10 compression at which hypervolumes are cut off.

    Example:
        >>> References(chance=0.1, dense=0.6, x_max=3.0).scale  # three decades at 0.5 above chance
        1.5
    """

    chance: float
    dense: float | None
    x_max: float

    @property
    def scale(self) -> float | None:
        """The raw hypervolume that is normalised to 1; None without a dense network that learned."""
        return hypervolume_scale(self.chance, self.dense, self.x_max)


def volumes(at: References, points: Sequence[Point]) -> dict[str, Any]:
    """Returns the hypervolume of the front of means, with its sd and t-interval over replicates.

    Points that have learned nothing add nothing, however near to the dense accuracy chance is.

    The interval is centred on the hypervolume of the front of means; its width comes from the hypervolumes
    of the fronts of single seeds.

    Args:
        at: The references of the task.
        points: The operating points of one entry.

    Returns:
        The fields `hypervolume…`, normalised by `at.scale`, and `hypervolume_raw…`.

    Example:
        >>> found = volumes(board.references, board.points["dwf-3"])
        >>> round(found["hypervolume"], 3), round(found["hypervolume_sd"], 3)
        (0.581, 0.003)
    """
    chance = points[0].chance
    raw = hypervolume([p.xy for p in learning(points)], (0.0, chance), at.x_max)
    known = any(p.xy_exact is not None for p in points)
    exact = hypervolume(learning_at_eps(points), (0.0, chance), at.x_max) if known else None
    several = list(repeated(at, points).values())
    raw_sd = deviation(several) if len(several) > 1 else None
    interval = t_interval(several, raw, least=0.0, most=at.x_max * (1 - chance))
    scale = at.scale
    return {
        "hypervolume_raw": raw,
        "hypervolume_raw_sd": raw_sd,
        "hypervolume_raw_interval": interval,
        "hypervolume": raw / scale if scale else None,
        "hypervolume_sd": raw_sd / scale if scale and raw_sd is not None else None,
        "hypervolume_interval": Interval(*(end / scale for end in interval)) if scale and interval else None,
        "hypervolume_exact": exact / scale if scale and exact is not None else None,
    }


def repeated(at: References, points: Sequence[Point]) -> dict[int, float]:
    """Returns the raw hypervolume of each replicate of an entry's front.

    Args:
        at: The references of the task.
        points: The operating points of one entry.

    Returns:
        Hypervolumes by seed; empty for provisional points, since a search trains each configuration once.

    Example:
        >>> found = repeated(board.references, board.points["dwf-3"])
        >>> {seed: round(volume, 2) for seed, volume in found.items()}
        {1000: 1.53, 1001: 1.53, 1002: 1.55}
    """
    return replicates(points, at.x_max) if points and points[0].source == "test" else {}


def accuracies_and_compressions(at: References, points: Sequence[Point]) -> dict[str, Any]:
    """Returns the accuracies, compressions and the speed-up that are read off an entry's points.

    The best accuracy is that of all points, everything else is of those that have learned something.

    Args:
        at: The references of the task.
        points: The operating points of one entry.

    Returns:
        The fields `learned`, `accuracy_at…`, `within…`, `best_…`, `largest_…` and `speedup…`.

    Example:
        >>> found = accuracies_and_compressions(board.references, board.points["dwf-3"])
        >>> round(found["accuracy_at"][64], 2), round(found["within"][0.05], 1)
        (0.77, 13.3)
    """
    best = most_accurate(points)
    alive, at_eps = learning(points), learning_at_eps(points)
    xy = [p.xy for p in alive]
    floors = {tol: at.dense - tol if at.dense is not None and at.scale else None for tol in TOLERANCES}
    within = _each(floors, lambda floor: compression_at(xy, floor))
    speeds = _speeds(alive, within[0.05])
    return {
        "learned": bool(alive),
        "accuracy_at": {c: accuracy_at(xy, c) for c in COMPRESSIONS},
        "accuracy_at_interval": {c: accuracy_interval(alive, c) for c in COMPRESSIONS},
        "within": within,
        "within_interval": _each(floors, lambda floor: within_interval(alive, floor)),
        "within_exact": _each(floors, lambda floor: compression_at(at_eps, floor)),
        "best_accuracy": best.accuracy.mean,
        "best_accuracy_sd": best.accuracy.sd,
        "best_accuracy_interval": best.accuracy_interval,
        "best_compression": best.compression,
        "largest_compression": compression_at(xy, 0.0),
        "largest_compression_exact": compression_at(at_eps, 0.0),
        "speedup": fmean(speeds) if speeds else None,
        "speedup_interval": t_interval(speeds, least=1.0) if _confirmed(points) else None,
    }


def _each(floors: Mapping[float, float | None], found: Callable[[float], Any]) -> dict[float, Any]:
    return {tol: None if floor is None else found(floor) for tol, floor in floors.items()}


def _confirmed(points: Sequence[Point]) -> bool:
    return bool(points) and points[0].source == "test"


def _speeds(points: Sequence[Point], reached: float | None) -> list[float]:
    """The theoretical speed-ups, one a seed, of the fastest point with compression `reached`."""
    if reached is None:
        return []
    there = [p for p in points if abs(p.compression / reached - 1) < 1e-9 and p.speedup is not None]
    fastest = max(there, key=lambda p: p.speedup or 0.0, default=None)
    if fastest is None:
        return []
    return [o.speedup for o in fastest.outcomes if o.speedup is not None]


def run_counts(points: Sequence[Point], failures: int) -> dict[str, Any]:
    """Returns how many points, seeds and runs the numbers of an entry rest on.

    Args:
        points: The operating points of one entry.
        failures: The number of its runs without a result.

    Returns:
        The fields `points`, `seeds` (the fewest of a point on the front), `runs`, `diverged`, `collapsed`.

    Example:
        >>> run_counts(board.points["dwf-3"], failures=1)
        {'points': 4, 'seeds': 3, 'runs': 13, 'diverged': 0, 'collapsed': 3}
    """
    return {
        "points": len(points),
        "seeds": fewest_seeds(points),
        "runs": sum(len(p.outcomes) for p in points) + failures,
        "diverged": sum(p.diverged for p in points),
        "collapsed": sum(p.collapses for p in points),
    }


def fewest_seeds(points: Sequence[Point]) -> int:
    """Returns the least number of seeds of a point on an entry's front.

    Args:
        points: The operating points of one entry.

    Returns:
        The number; of several searches that of all of them together.

    Example:
        >>> fewest_seeds(board.points["dwf-3"])
        3
    """
    return min(len(p.outcomes) for p in front(learning(points) or points, lambda p: p.xy))


def cost(points: Sequence[Point]) -> dict[str, Any]:
    """Returns the cost of training an entry's points.

    Args:
        points: The operating points of one entry.

    Returns:
        The fields `steps` (the most of a run), `seconds` (mean of a run) and `training_flops_ratio…` (mean,
        relative to dense, over runs that did not diverge: these stop early, which would make a method cheap).

    Example:
        >>> found = cost(board.points["dwf-3"])
        >>> found["steps"], found["seconds"], found["training_flops_ratio"]
        (100, 1.5, 1.0)
    """
    done = [o.record for p in points for o in p.outcomes]
    flops = [ratio for p in points for o in p.outcomes if (ratio := _flops(o)) is not None]
    return {
        "steps": max(r.steps for r in done),
        "seconds": sum(r.seconds for r in done) / len(done),
        "training_flops_ratio": sum(flops) / len(flops) if flops else None,
        "training_flops_ratio_interval": _cost_interval(points),
    }


def _cost_interval(points: Sequence[Point]) -> Interval | None:
    """The t-interval over seeds of the mean training FLOPs over an entry's points.

    Only seeds vary by chance; the points differ by design. Seeds that lack a point are left out.
    """
    by_seed: dict[int, list[float]] = {}
    for point in points if _confirmed(points) else ():
        for outcome in point.outcomes:
            ratio = _flops(outcome)
            if ratio is not None:
                by_seed.setdefault(outcome.seed, []).append(ratio)
    whole = [fmean(ratios) for ratios in by_seed.values() if len(ratios) == len(points)]
    return t_interval(whole, least=0.0)


def _flops(outcome: SeedResult) -> float | None:
    return None if outcome.diverged else outcome.record.training_flops_ratio
