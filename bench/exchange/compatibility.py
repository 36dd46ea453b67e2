"""Whether results of several sources can stand in one leaderboard: same tasks, budget and entries."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from ...records.hashing import digest
from ...records.method_docs import MethodDoc
from ...records.record import Record
from ..config.suite import Suite
from ..config.trial_spec import trial_of

OWN = ("optimizer", "lr", "weight_decay")  # of a recipe, what an entry may decide for itself


@dataclass(frozen=True)
class Source:
    """One archive or folder: its name, its records (the latest of each identity), and any suite.

    `data` and `methods` are the suite's digests by task and versions by method; `described` is what is
    told of the methods; `sha256` is an archive's; `unsealed` are the ids of records without a seal.
    """

    name: str
    records: Sequence[Record]
    suite: Suite | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, int] = field(default_factory=dict)
    described: Mapping[str, MethodDoc] = field(default_factory=dict)
    sha256: str | None = None
    unsealed: Set[str] = frozenset()


def compatibility_errors(sources: Sequence[Source]) -> Iterator[str]:
    """What does not fit, one line each, naming the source in which it was noticed and the one before it."""
    first: dict[str, tuple[str, Any]] = {}
    for source in sources:
        for what, value in _facts(source):
            where, known = first.setdefault(what, (source.name, value))
            if known != value:
                there = "in another of its records or files" if where == source.name else f"in {where}"
                yield f"{source.name}: {what} is {_short(value)}, {there} it is {_short(known)}"
    yield from _unclear(sources)
    yield from _uncovered(sources)
    yield from _fully_duplicated(sources)
    yield from _over_budget(sources)


def _facts(source: Source) -> Iterator[tuple[str, Any]]:
    """What all sources must agree on, by a description of it."""
    seen: set[str] = set()
    for record in source.records:
        for what, value in _facts_of(record):
            key = digest([what, value])
            if key not in seen:
                seen.add(key)
                yield what, value
    if source.suite is not None:
        yield from _facts_of_suite(source.suite)
        for task, data in source.data.items():
            yield f"the data digest of {task}", data
        for method, version in source.methods.items():
            yield f"the version of method {method}", version
    for method, text in source.described.items():
        yield f"the version of method {method}", text.version
        yield f"the knobs of method {method}", sorted(knob.name for knob in text.knobs)


def _facts_of(record: Record) -> Iterator[tuple[str, Any]]:
    task, trial = record.task, trial_of(record)
    yield f"the data digest of {task}", record.data_digest
    for name, value in sorted(record.recipe.items()):
        if name not in OWN:
            yield f"the recipe's {name} on {task}", value
    yield f"the model's arguments on {task}", record.model_args
    yield f"the data's arguments on {task}", trial.dataset_args
    yield f"what is kept dense on {task}", list(trial.keep_dense)
    if record.classes is not None:
        yield f"the number of classes of {task}", record.classes
    yield f"the version of method {record.method}", record.method_version
    yield f"the method of entry {record.entry}", record.method


def _facts_of_suite(suite: Suite) -> Iterator[tuple[str, Any]]:
    yield "the budget's search trials", suite.budget.trials
    yield "the budget's points to confirm", suite.budget.points
    for task in suite.tasks:
        yield f"the cut-off x_max of {task.name}", task.x_max
        yield f"the model's arguments on {task.name}", task.model_args
        yield f"the data's arguments on {task.name}", task.data_args
        yield f"what is kept dense on {task.name}", list(task.keep_dense)
        for name, value in task.recipe.model_dump().items():
            if name not in OWN:
                yield f"the recipe's {name} on {task.name}", value
    for entry in suite.entries:
        yield f"the method of entry {entry.label}", entry.method
        yield f"the configuration of entry {entry.label}", {"method": entry.method, **entry.knobs}


def duplicate_searches(sources: Sequence[Source]) -> dict[tuple[int, str, str], int]:
    """Searches that come twice with different trials: (source, task, entry) to the source that had it first.

    Another machine rounds differently, so the same search asks other questions there. Both together would be
    twice the budget.
    """
    asked: dict[tuple[str, str, int], tuple[int, str]] = {}
    found: dict[tuple[int, str, str], int] = {}
    for number, source in enumerate(sources):
        for record in source.records:
            if record.phase == "search" and record.trial is not None:
                key = (record.task, record.entry, record.trial)
                before, known = asked.setdefault(key, (number, record.id))
                if known != record.id and before != number:
                    found.setdefault((number, record.task, record.entry), before)
    return found


def _uncovered(sources: Sequence[Source]) -> Iterator[str]:
    """Records without a suite that the suites of others do not cover: nothing says their x_max or budget."""
    suites = [source.suite for source in sources if source.suite is not None]
    tasks = {task.name for suite in suites for task in suite.tasks}
    entries = {entry.label for suite in suites for entry in suite.entries}
    for source in sources if suites else ():
        if source.suite is None:
            lost = [("task", r.task) for r in source.records if r.task not in tasks]
            lost += [("entry", r.entry) for r in source.records if r.entry not in entries]
            for what, name in dict.fromkeys(lost):
                others = f"no suite of the others has its {what} {name!a}"
                yield f"{source.name}: it has no suite.json, and {others}: merge all with suites, or none"


def searched(sources: Sequence[Source]) -> dict[tuple[str, str], dict[int, str]]:
    """The trials of each search, by task and entry: their numbers, and which source has each of them first.

    Repeated searches aside.
    """
    left_out = duplicate_searches(sources)
    found: dict[tuple[str, str], dict[int, str]] = {}
    for number, source in enumerate(sources):
        for record in source.records:
            key = (record.task, record.entry)
            if record.phase == "search" and record.trial is not None and (number, *key) not in left_out:
                found.setdefault(key, {}).setdefault(record.trial, source.name)
    return found


def _over_budget(sources: Sequence[Source]) -> Iterator[str]:
    """Searches with more trials than the suite gives every entry."""
    budget = next((source.suite.budget.trials for source in sources if source.suite is not None), None)
    if budget is None:
        return
    for (task, entry), trials in searched(sources).items():
        if len(trials) > budget:
            where = " and ".join(dict.fromkeys(trials.values()))
            yield f"{where}: entry {entry!a} was searched on {task} with {len(trials)} trials, not {budget}"


def unequal_budgets(sources: Sequence[Source]) -> Iterator[str]:
    """A line on each task where entries were searched with unequal numbers of trials, and no suite says how
    many each was given."""
    counts: dict[str, dict[str, int]] = {}
    if all(source.suite is None for source in sources):
        for (task, entry), trials in searched(sources).items():
            counts.setdefault(task, {})[entry] = len(trials)
    for task, count in counts.items():
        least, most = min(count, key=count.__getitem__), max(count, key=count.__getitem__)
        if count[least] < count[most]:
            yield (
                f"no suite says the budget: entry {most!a} was searched on {task} with {count[most]} trials, "
                f"{least!a} with {count[least]}"
            )


def _unclear(sources: Sequence[Source]) -> Iterator[str]:
    """Repeated searches of which no suite says that they are of the same entry."""
    for (number, task, entry), before in duplicate_searches(sources).items():
        if sources[number].suite is None or sources[before].suite is None:
            yield (
                f"{sources[number].name}: entry {entry!a} was searched on {task} with other trials than "
                f"in {sources[before].name}, and without both suites nothing says that it is the same entry"
            )


def _fully_duplicated(sources: Sequence[Source]) -> Iterator[str]:
    """Entries of which nothing would be left: the same trials stand under another label before them.

    An identity does not hold the label, and a leaderboard has every identity once.
    """
    owner: dict[str, tuple[str, str]] = {}
    for source in sources:
        there: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for record in source.records:
            first = owner.setdefault(record.id, (source.name, record.entry))
            there.setdefault((record.task, record.entry), []).append(first)
        for (task, entry), owners in there.items():
            where, label = owners[0]
            if all(other != entry for _, other in owners):
                same = f"is the entry {label!a} of {where}, trial by trial"
                yield f"{source.name}: entry {entry!a} on {task} {same}"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "…"
