"""What is measured of one entry on one task, each number with its interval over seeds. No torch.

Every function gives fields of a `Row` by name. `References` are the task's: chance, dense accuracy, x_max.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from ...records.pareto import accuracy_at, compression_at, front, hypervolume, hypervolume_scale
from .comparison import replicates
from .intervals import Interval, deviation, t_interval
from .points import COLLAPSE, Point, SeedResult

COMPRESSIONS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
TOLERANCES = (0.01, 0.05, 0.10)
SLACK = 1e-9  # as in pareto: means of ratios of counts


@dataclass(frozen=True)
class References:
    """Chance accuracy, the tuned dense accuracy (fixed once for the task), and where x is cut off."""

    chance: float
    dense: float | None
    x_max: float

    @property
    def scale(self) -> float | None:
        """What normalises the hypervolume; None without a dense accuracy above chance."""
        return hypervolume_scale(self.chance, self.dense, self.x_max)


def volumes(at: References, points: Sequence[Point]) -> dict[str, Any]:
    """The hypervolume of the front of means, and over replicates its sd and t-interval.

    The interval's centre is the number itself; its width is that of one front a seed.
    """
    reference = (0.0, at.chance)
    raw = hypervolume([p.xy for p in points], reference, at.x_max)
    at_eps = [xy for xy in (p.xy_exact for p in points) if xy is not None]
    exact = hypervolume(at_eps, reference, at.x_max) if at_eps else None
    several = list(repeated(at, points).values())
    raw_sd = deviation(several) if len(several) > 1 else None
    interval = t_interval(several, raw, least=0.0, most=at.x_max * (1 - at.chance))
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
    """Hypervolumes by seed; none for a provisional front: the search did not repeat what it found."""
    return replicates(points, at.chance, at.x_max) if points and points[0].source == "test" else {}


def accuracies_and_compressions(at: References, points: Sequence[Point]) -> dict[str, Any]:
    """Accuracy at compressions, compression within tolerances, the best and the sparsest point, speed-up."""
    xy = [p.xy for p in points]
    at_eps = [pair for pair in (p.xy_exact for p in points) if pair is not None]
    best = max(points, key=lambda p: (p.accuracy.mean, p.x.mean))
    alive = COLLAPSE * at.chance + 1e-12
    floors = {tol: at.dense - tol if at.dense is not None and at.scale else None for tol in TOLERANCES}
    within = _each(floors, lambda floor: compression_at(xy, floor))
    speeds = _speeds(points, within[0.05])
    return {
        "accuracy_at": {c: accuracy_at(xy, c) for c in COMPRESSIONS},
        "accuracy_at_interval": {c: accuracy_interval(points, c) for c in COMPRESSIONS},
        "within": within,
        "within_interval": _each(floors, lambda floor: within_interval(points, floor)),
        "within_exact": _each(floors, lambda floor: compression_at(at_eps, floor)),
        "best_accuracy": best.accuracy.mean,
        "best_accuracy_sd": best.accuracy.sd,
        "best_accuracy_interval": best.accuracy_interval,
        "best_compression": best.compression,
        "largest_compression": compression_at(xy, alive),
        "largest_compression_exact": compression_at(at_eps, alive),
        "speedup": fmean(speeds) if speeds else None,
        "speedup_interval": t_interval(speeds, least=1.0) if _confirmed(points) else None,
    }


def _each(floors: Mapping[float, float | None], found: Callable[[float], Any]) -> dict[float, Any]:
    return {tol: None if floor is None else found(floor) for tol, floor in floors.items()}


def _confirmed(points: Sequence[Point]) -> bool:
    return bool(points) and points[0].source == "test"


def _speeds(points: Sequence[Point], reached: float | None) -> list[float]:
    """The theoretical speed-ups, a seed each, of the fastest point at a compression."""
    if reached is None:
        return []
    there = [p for p in points if abs(p.compression / reached - 1) < 1e-9 and p.speedup is not None]
    fastest = max(there, key=lambda p: p.speedup or 0.0, default=None)
    if fastest is None:
        return []
    return [o.speedup for o in fastest.outcomes if o.speedup is not None]


def accuracy_interval(points: Sequence[Point], compression: float) -> Interval | None:
    """The t-interval of the front's accuracy at a compression.

    The number is linear in the two points of the front of means around it, so each seed has a value of its
    own: the mean's, moved by how far the seed's accuracies lie from the means, and (to first order) by how
    far its compressions do, times the slope. None where either point lacks two shared seeds.
    """
    line = front(points, lambda p: p.xy)
    value = accuracy_at([p.xy for p in line], compression)
    if value is None or not _confirmed(points):
        return None
    x = math.log10(compression)
    around = next(((a, b) for a, b in pairwise(line) if a.x.mean < x <= b.x.mean), None)
    if around is None:
        edge = line[0] if x <= line[0].x.mean else line[-1]
        return t_interval([o.accuracy for o in edge.outcomes], value, 0.0, 1.0)
    (x0, y0), (x1, y1) = (p.xy for p in around)
    slope, weight = (y1 - y0) / (x1 - x0), (x - x0) / (x1 - x0)
    moved = [
        value
        + (1 - weight) * (first.accuracy - y0 - slope * (first.x - x0))
        + weight * (second.accuracy - y1 - slope * (second.x - x1))
        for first, second in _shared(*around)
    ]
    return t_interval(moved, value, 0.0, 1.0)


def _shared(first: Point, second: Point) -> list[tuple[SeedResult, SeedResult]]:
    """The outcomes of two points that have the same seed."""
    seeds = {o.seed: o for o in second.outcomes}
    return [(o, seeds[o.seed]) for o in first.outcomes if o.seed in seeds]


def within_interval(points: Sequence[Point], floor: float) -> Interval | None:
    """From the largest compression that surely keeps `floor` to the largest that possibly does.

    Surely: the whole t-interval of the point's accuracy is at or above the floor; possibly: some of it is.
    1 where no point is sure, since the dense network itself is there. None where a point of the front of
    means has one seed.
    """
    if any(len(p.outcomes) < 2 for p in front(points, lambda p: p.xy)):
        return None
    found = [(p.accuracy_interval, p.compression_interval) for p in points]
    known = [(y, x) for y, x in found if y is not None and x is not None]
    if not known:
        return None
    sure = [x.low for y, x in known if y.low >= floor - SLACK]
    possible = [x.high for y, x in known if y.high >= floor - SLACK]
    return Interval(max(sure, default=1.0), max(possible, default=1.0))


def counts(points: Sequence[Point], failures: int) -> dict[str, Any]:
    """Points, seeds, runs, and what went wrong in them."""
    return {
        "points": len(points),
        "seeds": min(len(p.outcomes) for p in front(points, lambda p: p.xy)),
        "runs": sum(len(p.outcomes) for p in points) + failures,
        "diverged": sum(p.diverged for p in points),
        "collapsed": sum(p.collapses for p in points),
    }


def cost(points: Sequence[Point]) -> dict[str, Any]:
    """Per run: the most steps, mean seconds, mean training FLOPs to dense of runs that did not diverge: these
    stop early, and a method is not cheap because it crashes."""
    done = [o.record for p in points for o in p.outcomes]
    flops = [ratio for p in points for o in p.outcomes if (ratio := _flops(o)) is not None]
    return {
        "steps": max(r.steps for r in done),
        "seconds": sum(r.seconds for r in done) / len(done),
        "training_flops_ratio": sum(flops) / len(flops) if flops else None,
        "training_flops_ratio_interval": _cost_interval(points),
    }


def _cost_interval(points: Sequence[Point]) -> Interval | None:
    """Over seeds, of the mean over an entry's points: the points differ by design, the seeds by chance."""
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
