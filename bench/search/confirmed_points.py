"""Which points of a search are confirmed, and which confirmations count. No torch, no Optuna."""

from collections.abc import Iterable

from ...learning import chance_of, learned
from ...records.pareto import front, spread
from ...records.record import Record


def chosen_points(searched: Iterable[Record], points: int) -> list[Record]:
    """Returns the points of a search to confirm: its Pareto front by validation accuracy, spread over log
    compression. Points that learned nothing are left out where there are others.

    Args:
        searched: Records of one search, by trial number: of equal points the first is chosen.
        points: The number of points at most.

    Returns:
        The records of the chosen trials, by rising compression.

    Example:
        >>> searched = [record for record in records if record.entry == "dwf-3" and record.phase == "search"]
        >>> [round(one.compression, 1) for one in chosen_points(searched, points=2)]
        [1.6, 111.0]
    """
    distinct = {record.id: record for record in searched}
    alive = [r for r in distinct.values() if r.status == "ok" and r.val_accuracy is not None]
    able = [r for r in alive if learned(r.val_accuracy or 0.0, chance_of(r, "validation") or 0.0)]

    def place(record: Record) -> tuple[float, float]:
        return record.log_compression, record.val_accuracy or 0.0

    return spread(front(able or alive, key=place), points, key=place)


def surplus_confirmations(records: Iterable[Record], points: int) -> set[str]:
    """Returns the confirmations that a search left behind when it was extended.

    A longer search may choose other points than it did before it was extended. Those of before stay in the
    records, but an entry has no more points than the others: where it has more than the budget, the points
    that the whole search chooses count, then the latest of the rest.

    Args:
        records: Records of any entries and tasks, the latest of each trial, in the order written. Curves and
            layers are not needed.
        points: The budget of points of each entry on each task.

    Returns:
        The identities of the records that do not count.

    Example:
        >>> surplus = surplus_confirmations(records, points=2)
        >>> kept = [r for r in records if r.confirms and r.entry == "dwf-3" and r.id not in surplus]
        >>> len({r.confirms for r in kept}), surplus_confirmations(records, points=9)
        (2, set())
    """
    searched: dict[tuple[str, str], list[Record]] = {}
    confirmed: dict[tuple[str, str], dict[str, list[str]]] = {}
    for record in records:
        key = (record.task, record.entry)
        if record.phase == "search":
            searched.setdefault(key, []).append(record)
        elif record.phase == "confirm" and record.confirms:
            confirmed.setdefault(key, {}).setdefault(record.confirms, []).append(record.id)
    surplus = set[str]()
    for key, found in confirmed.items():
        if len(found) > points:
            in_order = sorted(searched.get(key, []), key=lambda record: record.trial or 0)
            chosen = [record.id for record in chosen_points(in_order, points) if record.id in found]
            rest = [one for one in reversed(found) if one not in chosen]
            surplus.update(identity for one in (chosen + rest)[points:] for identity in found[one])
    return surplus
