"""The numbers of an entry at the common compressions: accuracies, and the score that ranks it. No torch.

The score is the mean over the common compressions of (accuracy − chance)/(dense − chance), each with the same
weight, since they are even in log compression. What has learned nothing adds 0.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ...learning import learned
from ...records.record import Record
from ..statistics.differences import differences
from ..statistics.intervals import deviation, t_interval
from .measures import References
from .points import Point


def retained(at: References, accuracy: float, chance: float) -> float:
    """Returns which part of the dense accuracy above chance is left.

    Args:
        at: The references of the task.
        accuracy: The accuracy of a network.
        chance: Accuracy of guessing on the same split.

    Returns:
        (accuracy − chance)/(dense − chance); 0 for a network that has learned nothing. Without a dense
        baseline that learned, 1 stands for its accuracy.

    Example:
        >>> at = References(chance=0.1, dense=0.9, x_max=2.0)
        >>> retained(at, 0.5, 0.1), retained(at, 0.11, 0.1)
        (0.5, 0.0)
    """
    if not learned(accuracy, chance):
        return 0.0
    return (accuracy - chance) / ((at.dense if at.dense is not None and at.scale else 1.0) - chance)


def cells(points: Sequence[Point]) -> list[Point]:
    """Returns the points at common compressions above 1, of which the score is made.

    Args:
        points: The points of one entry, of any kind.

    Returns:
        The points, by rising compression; none of versions without common compressions.

    Example:
        >>> cells(board.points["dwf-3"])
        []
    """
    return [point for point in points if point.at is not None and point.at > 1]


def repeated_scores(at: References, points: Sequence[Point]) -> dict[int, float]:
    """Returns the score of each replicate of an entry: of each seed, or each search where there are several.

    Args:
        at: The references of the task.
        points: The points of one entry.

    Returns:
        Scores by number; empty for provisional points. Replicates that lack a compression are left out.

    Example:
        >>> repeated_scores(board.references, board.points["dwf-3"])
        {}
    """
    there = cells(points)
    if not there or there[0].source != "test":
        return {}
    shared = set.intersection(*(set(point.units) for point in there))
    return {
        unit: fmean(retained(at, point.units[unit], point.chance) for point in there)
        for unit in sorted(shared)
    }


def score_fields(at: References, points: Sequence[Point], compressions: Sequence[float]) -> dict[str, Any]:
    """Returns the accuracies at the common compressions and the score.

    Args:
        at: The references of the task.
        points: The points of one entry.
        compressions: The common compressions of the task; an entry without a point at one gets 0 there.

    Returns:
        The fields `accuracy_at…`, `cut_at`, `unlearned_at` and `score…`.

    Example:
        >>> score_fields(board.references, [], (4, 64))["score"]
        0.0
    """
    there = {point.at: point for point in cells(points)}
    parts = {
        c: retained(at, there[c].accuracy.mean, there[c].chance) if c in there else 0.0 for c in compressions
    }
    several = [*repeated_scores(at, points).values()]
    score = fmean(parts.values())
    return {
        "accuracy_at": {c: there[c].accuracy.mean if c in there else None for c in compressions},
        "accuracy_at_sd": {c: there[c].accuracy.sd if c in there else None for c in compressions},
        "accuracy_at_interval": {c: there[c].accuracy_interval if c in there else None for c in compressions},
        "cut_at": {c: c in there and there[c].cut for c in compressions},
        "unlearned_at": {c: c in there and not there[c].learned for c in compressions},
        "score": score,
        "score_sd": deviation(several) if len(several) > 1 else None,
        "score_interval": t_interval(several, score, least=0.0),
        "score_inner": fmean([*parts.values()][:-1]) if len(parts) > 1 else None,
    }


def best_at(
    points: Mapping[str, Sequence[Point]], compressions: Sequence[float]
) -> dict[str, dict[float, bool]]:
    """Returns at which compressions an entry is the best, or not significantly different from the best.

    Args:
        points: The points of the entries that are compared.
        compressions: The common compressions.

    Returns:
        Whether it is, by entry and compression. With too few seeds to judge, the best alone is.

    Example:
        >>> best_at({"dwf-3": board.points["dwf-3"]}, (4, 64))
        {'dwf-3': {4: False, 64: False}}
    """
    found: dict[str, set[float]] = {entry: set() for entry in points}
    for c in compressions:
        there = {entry: point for entry, own in points.items() for point in own if point.at == c}
        alive = {entry: point for entry, point in there.items() if point.learned}
        if not alive:
            continue
        ordered = sorted(alive, key=lambda entry: -alive[entry].accuracy.mean)
        top = alive[ordered[0]]
        found[ordered[0]].add(c)
        if top.source != "test":
            continue
        gaps = differences(
            [alive[entry].units for entry in ordered], [(0, i) for i in range(1, len(ordered))]
        )
        for entry, gap in zip(ordered[1:], gaps, strict=True):
            if gap is not None and not gap.ahead:
                found[entry].add(c)
    return {entry: {c: c in own for c in compressions} for entry, own in found.items()}


def search_fields(own: Sequence[Record], compressions: Sequence[float]) -> dict[str, Any]:
    """Returns how an entry was searched: its free knobs, and how many trainings each cell was chosen from.

    Args:
        own: The records of one entry.
        compressions: The common compressions.

    Returns:
        The fields `free_knobs`, `searches`, `confirmations`, `targeted` and `chosen_from`.

    Example:
        >>> search_fields(board.records_of["dwf-3"], (4,))["searches"]
        1
    """
    search = [record for record in own if record.phase == "search" and record.status != "failed"]
    runs = [record for record in own if record.phase == "confirm"]
    first = min((record.replicate for record in search), default=0)
    one = [record for record in search if record.replicate == first]
    targets = [(r.target, r.aim) for r in one if r.target is not None and r.aim is not None]
    targeted = bool(targets) and all(math.isclose(target, aim, rel_tol=1e-6) for target, aim in targets)
    return {
        "free_knobs": len({name for record in search for name in record.params}),
        "searches": len({record.replicate for record in runs or search}),
        "confirmations": len(runs),
        "targeted": targeted,
        "chosen_from": {1.0: len(one)}
        | {c: sum(record.aim == c for record in one) if targeted else len(one) for c in compressions},
    }
