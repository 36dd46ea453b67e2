"""The points of entries at the common compressions: of each search the training chosen for each. No torch."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ...learning import learned
from ...records.choice import choose, points_of, settle
from ...records.record import Record
from .grouping import seed_result
from .points import Point, SeedResult, Source

Failures = dict[str, int]
Searched = dict[int, list[Record]]  # by search
Runs = dict[int, dict[str | None, list[Record]]]  # by search and by the training that they confirm


def compressions_of(records: Sequence[Record]) -> tuple[float, ...]:
    """Returns the common compressions at which all records of a task were measured.

    Args:
        records: The records of one task; those of single trials do not count where there are others.

    Returns:
        The compressions, ascending; empty where a record has none, as those of earlier versions.

    Example:
        >>> compressions_of(records)  # of a version before there were any
        ()
    """
    campaign = [record for record in records if record.phase != "single"] or records
    shared = (
        set.intersection(*(set(record.compressions) for record in campaign)) if campaign else set[float]()
    )
    return tuple(sorted(shared))


def common_points(
    records: Sequence[Record], compressions: Sequence[float], chance: Mapping[Source, float]
) -> tuple[dict[str, list[Point]], Failures]:
    """Returns the points of each entry of a task at compression 1 and at each common compression.

    For each compression every search chooses a training, on validation data: see `choose` and `settle`. The
    point is made of the runs that confirm it; of an entry without any, of the chosen trainings themselves.

    Args:
        records: The records of one task, of one phase or of all.
        compressions: The common compressions.
        chance: Accuracy of guessing on each split, which a diverged run gets.

    Returns:
        The points by entry, by rising compression; and by entry the number of runs without a result.

    Example:
        >>> points, failures = common_points(records, (4, 64), {"test": 0.1, "validation": 0.1})
        >>> points["dwf-3"], failures["dwf-3"]  # these records have no common compressions
        ([], 0)
    """
    searched, runs = _grouped(records)
    # The search is what is repeated where an entry has two confirmed ones; an unconfirmed one is not shown.
    confirmed = any(runs.values())
    several = any(len(own) > 1 for own in (runs if confirmed else searched).values())
    points, failures = dict[str, list[Point]](), Failures()
    for entry, own in searched.items():
        chosen = {replicate: choose(found, (1.0, *compressions)) for replicate, found in own.items()}
        there = runs[entry]
        shown = {k: settle(best, there[k]) for k, best in chosen.items() if k in there} if there else chosen
        found = [_point(c, shown, there, chance, several=several) for c in (1.0, *compressions)]
        points[entry] = [point for point in found if point is not None]
        counting = {record.id for best in chosen.values() for record in best.values()}
        failures[entry] = sum(
            record.status == "failed"
            for repeats in there.values()
            for key, group in repeats.items()
            if key in counting
            for record in group
        )
    return points, failures


def _grouped(records: Sequence[Record]) -> tuple[dict[str, Searched], dict[str, Runs]]:
    """Returns the records by entry: those of searches, and the runs that confirm their trainings."""
    searched: dict[str, Searched] = {record.entry: defaultdict(list) for record in records}
    runs: dict[str, Runs] = {entry: defaultdict(lambda: defaultdict(list)) for entry in searched}
    for record in records:
        if record.phase == "confirm":
            runs[record.entry][record.replicate][record.confirms].append(record)
        else:
            searched[record.entry][record.replicate].append(record)
    return searched, runs


def _point(
    c: float,
    shown: Mapping[int, Mapping[float, Record]],
    runs: Runs,
    chance: Mapping[Source, float],
    *,
    several: bool,
) -> Point | None:
    """Returns an entry's point at a compression: what confirms the training that each search shows there, of
    an entry without any confirmation the chosen trainings themselves; None without a result."""
    source: Source = "test" if runs else "validation"
    there = [
        (replicate, best[c], runs[replicate].get(best[c].id, []) if runs else [best[c]])
        for replicate, best in shown.items()
        if c in best
    ]
    outcomes = [
        result
        for replicate, _, repeats in there
        for record in repeats
        if (result := _result(record, c, chance[source], source, replicate if several else None))
    ]
    if not outcomes:
        return None
    record, keys = outcomes[0].record, "+".join(best.id for _, best, _ in there)
    ordered = tuple(sorted(outcomes, key=lambda o: (o.unit, o.seed, o.record.id)))
    missing = sum(len(repeats) for *_, repeats in there) - len(outcomes)
    return Point(record.task, record.entry, record.method, keys, source, ordered, missing, at=c)


def own_points(points: Sequence[Point]) -> list[Point]:
    """Returns the points that an entry's methods reached by themselves, without a cut.

    Args:
        points: The entry's points at the common compressions, whose runs are looked at.

    Returns:
        One point for each training behind them, at the validated threshold of zeros, by rising compression.

    Example:
        >>> own_points([])
        []
    """
    found: dict[tuple[int | None, str], dict[str, SeedResult]] = defaultdict(dict)
    for point in points:
        for o in point.outcomes:
            result = _own(o.record, point)
            if result is not None:
                found[o.replicate, o.record.confirms or o.record.id][o.record.id] = result
    groups = [
        Point(
            points[0].task, points[0].entry, points[0].method, key, points[0].source, tuple(own.values()), 0
        )
        for (_, key), own in found.items()
    ]
    return sorted(groups, key=lambda p: (p.x.mean, -p.accuracy.mean, p.key))


def _own(record: Record, point: Point) -> SeedResult | None:
    """Returns what a run reached by itself: where channels are removed, counted as they are."""
    whole = points_of(record).get(1.0)
    if record.granularity == "weights" or whole is None:
        return seed_result(record, point.chance, point.source)
    return _result(record, 1.0, point.chance, point.source, None, math.log10(whole.speedup or 1.0))


def _result(
    record: Record,
    compression: float,
    chance: float,
    source: Source,
    replicate: int | None,
    at: float | None = None,
) -> SeedResult | None:
    """Returns what a run shows at a compression; chance where it diverged, None where it failed.

    Its place is that compression, or `at` on the log scale.
    """
    x = math.log10(compression) if at is None else at
    if record.status == "diverged":
        return SeedResult(record.seed, chance, x, None, chance, None, True, False, record, chance, replicate)
    point = points_of(record).get(compression)
    accuracy = None if point is None else point.test_accuracy if source == "test" else point.val_accuracy
    if point is None or accuracy is None:
        return None
    dead = not learned(accuracy, chance)
    return SeedResult(
        record.seed,
        accuracy,
        x,
        None,
        point.val_accuracy,
        point.speedup,
        False,
        dead,
        record,
        chance,
        replicate,
        point.cut,
    )
