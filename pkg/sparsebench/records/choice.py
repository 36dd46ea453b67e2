"""The choice at each compression on validation data: among the trainings of a search, then among those that
its confirmations repeat. No torch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
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


def as_printed(at: float, compressions: Iterable[float]) -> float:
    """Returns the compression that a user means who types what tables print of it, which is six digits.

    Args:
        at: What was typed.
        compressions: The compressions that are known.

    Returns:
        The one that prints alike, and `at` where there is none.

    Example:
        >>> as_printed(3.33333, [2, 10 / 3]), as_printed(3.3, [2, 10 / 3])
        (3.3333333333333335, 3.3)
    """
    return next((c for c in compressions if f"{c:g}" == f"{at:g}"), at)


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
    best = dict[float, tuple[tuple[float, int], R]]()
    for record in records:
        for point in record.at_compressions:
            order = -point.val_accuracy, point.nonzeros
            if point.at not in best or order < best[point.at][0]:
                best[point.at] = order, record
    found, first = dict[float, R](), dict[str, R]()
    for c in compressions:
        if c in best:
            record = best[c][1]
            found[c] = first.setdefault(record.config, record)
        elif diverged := [record for record in records if record.status == "diverged"]:
            found[c] = diverged[0]
    return found


def settle(
    chosen: Mapping[float, Record], runs: Mapping[str | None, Sequence[Record]]
) -> dict[float, Record]:
    """Returns for each compression the training that is best there on validation over its confirming runs.

    The best of many trainings with one seed each owes a part of its place to luck: it may diverge with every
    other seed. The trainings that a search chose anywhere are all repeated with the same fresh seeds and all
    show whole curves, so that the last choice among them costs nothing. The test set has no part in it.

    Args:
        chosen: What `choose` returned for the search.
        runs: The confirming runs by the id of the training that they repeat.

    Returns:
        The training by compression. Ties go to the one that the search had chosen there, then to the first;
        where no run is finished the search's choice stands.

    Example:
        >>> def shown(value, **more):
        ...     points = [CompressionPoint(at=c, val_accuracy=value, nonzeros=9, cut=True) for c in (4, 64)]
        ...     return record.model_copy(update={"at_compressions": points, **more})
        >>> lucky, sound = shown(0.97, id="lucky"), shown(0.96, id="sound")
        >>> repeats = {"lucky": [shown(0.95), shown(0.1)], "sound": [shown(0.96), shown(0.95)]}
        >>> {c: training.id for c, training in settle({4: lucky, 64: sound}, repeats).items()}
        {4: 'sound', 64: 'sound'}
    """
    candidates = {one.id: one for one in chosen.values()}
    means = {identity: _means(runs.get(identity, ()), chosen) for identity in candidates}
    found = dict[float, Record]()
    for c, first in chosen.items():
        there = [identity for identity in (first.id, *candidates) if c in means[identity]]
        found[c] = candidates[max(there, key=lambda identity: means[identity][c], default=first.id)]
    return found


def _means(runs: Iterable[Record], compressions: Iterable[float]) -> dict[float, float]:
    """Returns what runs show on validation data on average, by compression; a diverged one shows chance."""
    found: dict[float, list[float]] = defaultdict(list)
    for run in runs:
        shown = {point.at: point.val_accuracy for point in run.at_compressions}
        if run.status == "diverged" and run.val_accuracy is not None:
            shown = dict.fromkeys(compressions, run.val_accuracy) | shown
        for c, accuracy in shown.items():
            found[c].append(accuracy)
    return {c: fmean(values) for c, values in found.items()}


def chosen_at(records: Iterable[Record]) -> dict[str, tuple[float, ...]]:
    """Returns at which compressions each training of a search is shown on a leaderboard.

    Args:
        records: Records of any tasks, entries and searches, the latest of each trial; those of other phases
            than search and confirmation are passed over.

    Returns:
        The compressions, 1 among them, by the id of the search trial; trainings that are shown nowhere are
        missing, and all of earlier versions are.

    Example:
        >>> points = [CompressionPoint(at=c, val_accuracy=0.9, nonzeros=9, cut=True) for c in (1, 64)]
        >>> found = {"phase": "search", "trial": 0, "compressions": (64.0,), "at_compressions": points}
        >>> chosen_at([record.model_copy(update=found)]) == {record.id: (1.0, 64.0)}
        True
    """
    searches: dict[tuple[str, str, int], list[Record]] = defaultdict(list)
    runs: dict[tuple[str, str, int], dict[str | None, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        search = record.task, record.entry, record.replicate
        if record.phase == "search":
            searches[search].append(record)
        elif record.phase == "confirm":
            runs[search][record.confirms].append(record)
    found: dict[str, tuple[float, ...]] = {}
    for search, searched in searches.items():
        shared = set.intersection(*(set(record.compressions) for record in searched))
        chosen = choose(searched, (1.0, *sorted(shared)) if shared else ())
        for c, record in settle(chosen, runs[search]).items():
            found[record.id] = (*found.get(record.id, ()), c)
    return found
