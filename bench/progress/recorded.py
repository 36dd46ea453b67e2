"""The progress of each entry as the records and the suite tell it, without a word of the driver. No torch."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...records.record import Record
from ..search.confirmed_points import chosen_points
from .outcomes import TrialOutcome
from .snapshot import EntryProgress, Key, Stage, front_summary


def entries_progress(
    suite: Mapping[str, Any], records: Sequence[Record | TrialOutcome], *, count_failed: bool = True
) -> tuple[EntryProgress, ...]:
    """Returns the progress of each entry on each task, from the records and the suite alone.

    An entry is done when its search is complete and all seeds of all points that the search confirms have a
    record. Without a suite, the entries and points with the most trials and seeds tell what is expected.

    A trial that two entries share, or that one entry asks for twice, has one record. It is counted once here,
    while the driver counts it as often as it was asked for.

    Args:
        suite: The suite as in suite.json; when empty, tasks and entries are those of the records.
        records: The records of the output folder.
        count_failed: Whether failed trials count as finished. While a driver runs they do not: it tries them
            again.

    Returns:
        The progress, in the order of the suite.

    Example:
        >>> [(one.entry, one.phase, one.finished) for one in entries_progress({}, records)]
        [('dense', 'done', 16), ('magnitude', 'done', 16), ('dwf-3', 'done', 16)]
    """
    of: dict[Key, list[Record | TrialOutcome]] = defaultdict(list)
    for record in {record.id: record for record in records}.values():  # the latest of each
        if record.phase != "single" and (record.ok or count_failed):
            of[record.task, record.entry].append(record)
    tasks = [f"{task['dataset']}-{task['model']}" for task in suite.get("tasks", [])]
    labels = [entry["label"] for entry in suite.get("entries", [])]
    keys = [(task, label) for task in tasks for label in labels] or list(of)
    seeds = {(r.confirms, r.seed) for group in of.values() for r in group if r.phase == "confirm"}
    budget, first = suite.get("budget", {}), suite.get("seed", 0)
    if "trials" in budget:
        return tuple(_progress(key, of[key], budget["trials"], _expected(of[key], budget, first) - seeds)
                     for key in keys)  # fmt: skip
    most = Counter(point for point, _ in seeds)
    lacking = {point: max(most.values()) - n for point, n in most.items()}
    wanted: dict[str, int] = defaultdict(int)
    for record in (record for group in of.values() for record in group if record.phase == "search"):
        wanted[record.task] = max(wanted[record.task], (record.trial or 0) + 1)
    return tuple(
        _progress(key, of[key], wanted[key[0]], {(p, i) for p in own for i in range(lacking[p])})
        for key in keys
        for own in [{r.confirms for r in of[key] if r.phase == "confirm"}]
    )


def _expected(records: Sequence[Any], budget: Mapping[str, Any], first: int) -> set[tuple[str | None, int]]:
    """Returns the point and seed of each confirming trial of an entry; empty until its search is complete."""
    found = {r.trial: r for r in records if r.phase == "search" and r.trial is not None}
    found = {number: record for number, record in found.items() if number < budget["trials"]}
    if len(found) < budget["trials"]:
        return set()
    seeds = range(first + 1, first + budget.get("seeds", 0) + 1)
    return {
        (point.id, seed)
        for point in chosen_points((found[n] for n in sorted(found)), budget.get("points", len(found)))
        for seed in seeds
    }


def _progress(
    key: Key,
    records: Sequence[Record | TrialOutcome],
    trials: int,
    missing: Collection[tuple[str | None, int]],
) -> EntryProgress:
    """Returns the progress of an entry whose search has `trials`; `missing` are its confirmations."""
    search = [record for record in records if record.phase == "search"]
    searched = len({record.trial for record in search if (record.trial or 0) < trials})
    phase: Stage = "search" if searched < trials or not records else "confirm" if missing else "done"
    return EntryProgress(
        task=key[0], entry=key[1], phase=phase, finished=len(records),
        planned=len(records) + max(0, trials - searched) + len(missing),
        failed=sum(not record.ok for record in records), front=front_summary(search),
    )  # fmt: skip
