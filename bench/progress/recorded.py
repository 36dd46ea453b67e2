"""The progress of each entry as the records and the suite tell it, without a word of the driver. No torch."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...records.choice import choose
from ...records.record import Record
from ..config.seeds import seed_of
from ..search.confirmed_points import chosen_points
from .outcomes import TrialOutcome
from .snapshot import EntryProgress, Key, Stage, front_summary


def entries_progress(
    suite: Mapping[str, Any], records: Sequence[Record | TrialOutcome], *, count_failed: bool = True
) -> tuple[EntryProgress, ...]:
    """Returns the progress of each entry on each task, from the records and the suite alone.

    An entry is done when its search is complete and all seeds of all trainings that its searches chose have
    a record. Without a suite, the entries and points with the most trials and seeds tell what is expected.

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
        wanted_trials = budget.get("searches", 1), budget["trials"]
        return tuple(
            _progress(key, of[key], wanted_trials, _expected(of[key], budget, first) - seeds) for key in keys
        )
    most = Counter(point for point, _ in seeds)
    lacking = {point: max(most.values()) - n for point, n in most.items()}
    wanted: dict[str, int] = defaultdict(int)
    for record in (record for group in of.values() for record in group if record.phase == "search"):
        wanted[record.task] = max(wanted[record.task], (record.trial or 0) + 1)
    searches = 1 + max((record.replicate for group in of.values() for record in group), default=0)
    return tuple(
        _progress(key, of[key], (searches, wanted[key[0]]), {(p, i) for p in own for i in range(lacking[p])})
        for key in keys
        for own in [{r.confirms for r in of[key] if r.phase == "confirm"}]
    )


def _expected(records: Sequence[Any], budget: Mapping[str, Any], suite_seed: int) -> set[tuple[str, int]]:
    """Returns the chosen training and the seed of each confirming trial of the searches that are complete."""
    searches: dict[int, dict[int, Any]] = defaultdict(dict)
    for record in records:
        if record.phase == "search" and record.trial is not None and record.trial < budget["trials"]:
            searches[record.replicate][record.trial] = record
    wanted, compressions = set[tuple[str, int]](), budget.get("compressions")
    for replicate, found in searches.items():
        if len(found) < budget["trials"]:
            continue
        if compressions:
            chosen = {r.id for r in choose(found.values(), (1.0, *compressions)).values()}
            seeds = [seed_of(suite_seed, replicate, "confirm", k) for k in range(budget["seeds"])]
        else:  # of a version without common compressions
            in_order = (found[number] for number in sorted(found))
            chosen = {r.id for r in chosen_points(in_order, budget.get("points", len(found)))}
            seeds = [suite_seed + 1 + k for k in range(budget.get("seeds", 0))]
        wanted |= {(identity, seed) for identity in chosen for seed in seeds}
    return wanted


def _progress(
    key: Key,
    records: Sequence[Record | TrialOutcome],
    wanted: tuple[int, int],
    missing: Collection[tuple[str | None, int]],
) -> EntryProgress:
    """Returns the progress of an entry with so many searches of so many trials; `missing` are the
    confirmations that it lacks."""
    search, (searches, each) = [record for record in records if record.phase == "search"], wanted
    asked = {(record.replicate, record.trial or 0) for record in search}
    searched = sum(replicate < searches and trial < each for replicate, trial in asked)
    trials = searches * each
    phase: Stage = "search" if searched < trials or not records else "confirm" if missing else "done"
    return EntryProgress(
        task=key[0], entry=key[1], phase=phase, finished=len(records),
        planned=len(records) + max(0, trials - searched) + len(missing),
        failed=sum(not record.ok for record in records), front=front_summary(search),
    )  # fmt: skip
