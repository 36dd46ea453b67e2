"""Checks that results of several sources fit into one leaderboard: same tasks, budget and entries."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from ...method_docs import MethodDoc
from ...records.measured.latency import Latency
from ...records.record import Record
from ...records.schema_1 import recorded_arguments
from ...start_file import with_start_paths
from ..config.suite import Suite
from .record_lines import RecordLines

OWN = ("optimizer", "lr", "weight_decay")  # the fields of a recipe that may differ between entries


@dataclass(frozen=True)
class Source:
    """Content of one archive or folder of results, as `merge` and `pack` compare it.

    Attributes:
        name: Path as the user gave it, which begins every message about this source.
        records: Records in file order, the latest of each identity.
        suite: The suite of the campaign; None where the source has no `suite.json`.
        data: Digest of each task's data, by task name, from `suite.json`.
        methods: Version of each method, by method name, from `suite.json`.
        method_docs: Description of each method (equation, knobs), from `methods.json`.
        latencies: Measured times of models of its records.
        sha256: Hash of the archive file; None for a folder.
        unsealed: Ids of the records whose line has no seal, so that an edit would not show.
        lines: The line of each record in the records file, by its id.

    Example:
        >>> source = Source("run.sparsebench.zip", [record], unsealed={record.id})
        >>> len(source.records), source.suite is None, record.id in source.unsealed
        (1, True, True)
    """

    name: str
    records: Sequence[Record]
    suite: Suite | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, int] = field(default_factory=dict)
    method_docs: Mapping[str, MethodDoc] = field(default_factory=dict)
    latencies: Sequence[Latency] = ()
    sha256: str | None = None
    unsealed: Set[str] = frozenset()
    lines: RecordLines | None = None


def compatibility_errors(sources: Sequence[Source]) -> Iterator[str]:
    """Yields the contradictions between (and within) sources, which forbid a common leaderboard.

    Checked are the facts that all records and suites must share (data digests, recipes, versions, budget),
    repeated searches, records that no suite covers, entries that duplicate another one, and searches with
    more trials than the budget.

    Args:
        sources: The sources in the order in which they are merged; the first to state a fact sets it.

    Yields:
        One message for each contradiction, naming the source in which it shows and the one before it.

    Example:
        >>> other = record.model_copy(update={"data_digest": "another split"})
        >>> list(compatibility_errors([Source("a", [record]), Source("b", [other])]))
        ["b: the data digest of made_up-net is 'another split', in a it is 'synthetic'"]
    """
    # Facts: the first source to state one sets its value, every later statement is compared with it.
    first: dict[str, tuple[str, Any]] = {}
    for source in sources:
        for what, value in _shared_settings(source):
            where, known = first.setdefault(what, (source.name, value))
            if known != value:
                there = "in another of its records or files" if where == source.name else f"in {where}"
                yield f"{source.name}: {what} is {_short(value)}, {there} it is {_short(known)}"
    # Coverage, repetition and budget: properties of whole searches rather than of single values.
    yield from _unclear(sources)
    yield from _uncovered(sources)
    yield from _fully_duplicated(sources)
    yield from _over_budget(sources)


def _shared_settings(source: Source) -> Iterator[tuple[str, Any]]:
    """Yields what all sources must agree on, as (description, value), each pair once."""
    seen = set[tuple[str, str]]()
    for what, value in _settings(source):
        key = what, repr(value)
        if key not in seen:
            seen.add(key)
            yield what, value


def _settings(source: Source) -> Iterator[tuple[str, Any]]:
    for record in source.records:
        yield from _settings_of_record(record)
    if source.suite is not None:
        yield from _settings_of_suite(source.suite)
        for task, data in source.data.items():
            yield f"the data digest of {task}", data
        for method, version in source.methods.items():
            yield f"the version of method {method}", version
    for method, text in source.method_docs.items():
        yield f"the version of method {method}", text.version
        yield f"the knobs of method {method}", sorted(knob.name for knob in text.knobs)


def _settings_of_record(record: Record) -> Iterator[tuple[str, Any]]:
    task, arguments = record.task, recorded_arguments(record)
    yield f"the data digest of {task}", record.data_digest
    for name, value in sorted(record.recipe.items()):
        if name not in OWN:
            yield f"the recipe's {name} on {task}", value
    yield f"the model's arguments on {task}", _without_paths(record.model_args)
    if record.start_digest is not None:
        yield f"the start file of {task}", record.start_digest
    yield f"the data's arguments on {task}", arguments.dataset_args
    yield f"what is kept dense on {task}", list(arguments.keep_dense)
    if record.phase != "single":
        yield "the list of common compressions", [*record.compressions]
    if record.classes is not None:
        yield f"the number of classes of {task}", record.classes
    yield f"the version of method {record.method}", record.method_version
    yield f"the method of entry {record.entry}", record.method


def _without_paths(model_args: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a model's arguments without the places of its start files, whose content counts."""
    return with_start_paths(model_args, lambda path: None)


def _settings_of_suite(suite: Suite) -> Iterator[tuple[str, Any]]:
    yield "the budget's search trials", suite.budget.trials
    yield "the budget's independent searches", suite.budget.searches
    yield "the list of common compressions", [*suite.budget.compressions]
    if suite.budget.points is not None:
        yield "the budget's points to confirm", suite.budget.points
    for task in suite.tasks:
        yield f"the cut-off x_max of {task.name}", task.x_max
        yield f"the model's arguments on {task.name}", _without_paths(task.model_args)
        yield f"the data's arguments on {task.name}", task.data_args
        yield f"what is kept dense on {task.name}", list(task.keep_dense)
        for name, value in task.recipe.model_dump().items():
            if name not in OWN:
                yield f"the recipe's {name} on {task.name}", value
    for entry in suite.entries:
        yield f"the method of entry {entry.label}", entry.method
        yield f"the configuration of entry {entry.label}", {"method": entry.method, **entry.knobs}


def duplicate_searches(sources: Sequence[Source]) -> dict[tuple[int, str, str], int]:
    """Returns the searches that repeat an earlier source's search with other trials.

    Floating-point results differ between machines, so the same search proposes other points there. Both
    together would have twice the budget, so `merge` keeps the first alone.

    Args:
        sources: The sources in the order in which they are merged.

    Returns:
        Index of the source that has the search first, by (index of the repeating source, task, entry).

    Example:
        >>> here = record.model_copy(update={"phase": "search", "trial": 0})
        >>> there = here.model_copy(update={"id": "other"})
        >>> duplicate_searches([Source("a", [here]), Source("b", [there])])
        {(1, 'made_up-net', 'dwf-3'): 0}
    """
    asked: dict[tuple[str, str, int, int], tuple[int, str]] = {}
    found: dict[tuple[int, str, str], int] = {}
    for number, source in enumerate(sources):
        for record in source.records:
            if record.phase == "search" and record.trial is not None:
                key = (record.task, record.entry, record.replicate, record.trial)
                before, known = asked.setdefault(key, (number, record.id))
                if known != record.id and before != number:
                    found.setdefault((number, record.task, record.entry), before)
    return found


def _uncovered(sources: Sequence[Source]) -> Iterator[str]:
    """Yields the tasks and entries of sources without a suite that no other source's suite covers: their
    x_max and budget are unknown."""
    suites = [source.suite for source in sources if source.suite is not None]
    tasks = {task.name for suite in suites for task in suite.tasks}
    entries = {entry.label for suite in suites for entry in suite.entries}
    for source in sources if suites else ():
        if source.suite is None:
            lost = [("task", r.task) for r in source.records if r.task not in tasks]
            lost += [("entry", r.entry) for r in source.records if r.entry not in entries]
            for what, name in dict.fromkeys(lost):
                others = f"no other suite has its {what} {name!a}"
                yield f"{source.name}: it has no suite.json, and {others}: merge all with suites, or none"


def _searched(sources: Sequence[Source]) -> dict[tuple[str, str], dict[tuple[int, int], str]]:
    """Returns, by (task, entry), the trials (search, number) and the source that has each of them first.

    Repeated searches are left out.
    """
    left_out = duplicate_searches(sources)
    found: dict[tuple[str, str], dict[tuple[int, int], str]] = {}
    for number, source in enumerate(sources):
        for record in source.records:
            key = (record.task, record.entry)
            if record.phase == "search" and record.trial is not None and (number, *key) not in left_out:
                found.setdefault(key, {}).setdefault((record.replicate, record.trial), source.name)
    return found


def _over_budget(sources: Sequence[Source]) -> Iterator[str]:
    """Yields the searches with more trials than the suite's budget gives every entry."""
    suite = next((source.suite for source in sources if source.suite is not None), None)
    if suite is None:
        return
    budget = suite.budget.trials * suite.budget.searches
    for (task, entry), trials in _searched(sources).items():
        if len(trials) > budget:
            where = " and ".join(dict.fromkeys(trials.values()))
            yield f"{where}: entry {entry!a} was searched on {task} with {len(trials)} trials, not {budget}"


def unequal_budgets(sources: Sequence[Source]) -> Iterator[str]:
    """Yields a note for each task whose entries were searched with unequal numbers of trials.

    It is a note, not an error: without any suite the budget of the searches is unknown.

    Args:
        sources: The sources to merge; where one of them has a suite, nothing is yielded.

    Yields:
        One message a task, with the entries of the most and of the fewest trials.

    Example:
        >>> three = [record.model_copy(update={"phase": "search", "trial": n}) for n in range(3)]
        >>> one = three[0].model_copy(update={"entry": "dense"})
        >>> list(unequal_budgets([Source("a", [*three, one])]))
        ["no suite has the budget: entry 'dwf-3' was searched on made_up-net with 3 trials, 'dense' with 1"]
    """
    counts: dict[str, dict[str, int]] = {}
    if all(source.suite is None for source in sources):
        for (task, entry), trials in _searched(sources).items():
            counts.setdefault(task, {})[entry] = len(trials)
    for task, count in counts.items():
        least, most = min(count, key=count.__getitem__), max(count, key=count.__getitem__)
        if count[least] < count[most]:
            yield (
                f"no suite has the budget: entry {most!a} was searched on {task} with "
                f"{count[most]} trials, {least!a} with {count[least]}"
            )


def _unclear(sources: Sequence[Source]) -> Iterator[str]:
    """Yields the repeated searches for which no suite confirms that they belong to the same entry."""
    for (number, task, entry), before in duplicate_searches(sources).items():
        if sources[number].suite is None or sources[before].suite is None:
            yield (
                f"{sources[number].name}: entry {entry!a} was searched on {task} with other trials than "
                f"in {sources[before].name}; without the suite.json of both, it is unknown whether "
                "the entries are the same"
            )


def _fully_duplicated(sources: Sequence[Source]) -> Iterator[str]:
    """Yields the entries of which a merge would leave nothing: an earlier label has the same trials.

    An identity does not include the label, and a leaderboard has every identity once.
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
                same = f"has the same trials as entry {label!a} of {where}"
                yield f"{source.name}: entry {entry!a} on {task} {same}"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "…"
