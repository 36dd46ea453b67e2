"""The choice among the trainings of a search: the best on validation at each compression. No torch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from .fields import CompressionPoint, Status
from .record import Record


class Shown(Protocol):
    """What the choice needs of a training: the part of a `Record` that progress displays read too.

    Example:
        >>> record.trial, record.status, record.at_compressions
        (None, 'ok', [])
    """

    @property
    def config(self) -> str: ...
    @property
    def trial(self) -> int | None: ...
    @property
    def status(self) -> Status: ...
    @property
    def at_compressions(self) -> Sequence[CompressionPoint]: ...


R = TypeVar("R", bound=Shown)


def points_of(record: Shown) -> Mapping[float, CompressionPoint]:
    """Returns what a record shows at each compression.

    Args:
        record: The record of a finished trial.

    Returns:
        Its points by compression, 1 among them; empty where it has none, as after a divergence.

    Example:
        >>> point = CompressionPoint(at=64, val_accuracy=0.9, nonzeros=4159, cut=True)
        >>> list(points_of(record.model_copy(update={"at_compressions": [point]})))
        [64.0]
    """
    return {point.at: point for point in record.at_compressions}


def choose(searched: Iterable[R], compressions: Sequence[float]) -> dict[float, R]:
    """Returns for each compression the training of a search that is best there, on validation data.

    Ties go to fewer nonzeros, then to the lower number of the trial. A training that diverged is chosen only
    where no other was finished.

    Args:
        searched: The records of one search: one entry, one task, one replicate.
        compressions: The compressions to choose for.

    Returns:
        The chosen record by compression; a compression at which no training has a result is missing. The
        same training may be chosen for several, and of two trainings with equal settings, which are confirmed
        by the same runs, the one that was chosen first stands for both.

    Example:
        >>> def trained(number, at_4, at_64):
        ...     values = [(4, at_4, 400), (64, at_64, 25)]
        ...     points = [CompressionPoint(at=c, val_accuracy=a, nonzeros=n, cut=True) for c, a, n in values]
        ...     found = {"trial": number, "config": str(number), "at_compressions": points}
        ...     return record.model_copy(update=found)
        >>> search = [trained(0, 0.97, 0.80), trained(1, 0.96, 0.91), trained(2, 0.97, 0.91)]
        >>> {c: chosen.trial for c, chosen in choose(search, [4, 64, 256]).items()}
        {4: 0, 64: 1}
    """
    records = sorted((r for r in searched if r.status != "failed"), key=lambda record: record.trial or 0)
    found, first = dict[float, R](), dict[str, R]()
    shown = [(points_of(record), record) for record in records]
    for c in compressions:
        there = [(points[c], record) for points, record in shown if c in points]
        ranked = [((-p.val_accuracy, p.nonzeros), record) for p, record in there]
        if ranked:
            best = min(ranked, key=lambda pair: pair[0])[1]
            found[c] = first.setdefault(best.config, best)
        elif diverged := [record for record in records if record.status == "diverged"]:
            found[c] = diverged[0]
    return found


def chosen_at(records: Iterable[Record]) -> dict[str, tuple[float, ...]]:
    """Returns at which compressions each training of a search is chosen, that is shown on a leaderboard.

    Args:
        records: Records of any tasks, entries and searches, the latest of each trial; those of other phases
            are passed over.

    Returns:
        The compressions, 1 among them, by the id of the search trial; trainings that are chosen nowhere are
        missing, and all of earlier versions are.

    Example:
        >>> points = [CompressionPoint(at=c, val_accuracy=0.9, nonzeros=9, cut=True) for c in (1, 64)]
        >>> found = {"phase": "search", "trial": 0, "compressions": (64.0,), "at_compressions": points}
        >>> chosen_at([record.model_copy(update=found)]) == {record.id: (1.0, 64.0)}
        True
    """
    searches: dict[tuple[str, str, int], list[Record]] = defaultdict(list)
    for record in records:
        if record.phase == "search":
            searches[record.task, record.entry, record.replicate].append(record)
    found: dict[str, tuple[float, ...]] = {}
    for searched in searches.values():
        shared = set.intersection(*(set(record.compressions) for record in searched))
        for c, record in choose(searched, (1.0, *sorted(shared)) if shared else ()).items():
            found[record.id] = (*found.get(record.id, ()), c)
    return found
