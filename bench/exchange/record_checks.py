"""Whether a record that somebody else brings can be what a trial wrote: identity, arithmetic, plausible text.

The identity is a hash of what decided the outcome, so a changed recipe, knob, seed or digest shows. Of the
outcome, what can be recomputed from the record is; the rest is taken on trust once the line's seal holds.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ...errors import SparsebenchError
from ...records.hashing import digest
from ...records.record import LARGEST, Record
from ..config.trial_spec import trial_of

LONGEST = 200  # characters of a name
LONGEST_TEXT = 20_000  # of a command, a reason
MOST_LAYERS = 20_000
FORMULAS = "=+-@"  # a spreadsheet takes a cell that begins so for a formula
EQUAL = 1e-9


def record_errors(record: Record) -> list[str]:
    """Why a record cannot stand beside others, each in a few words; empty where nothing is wrong."""
    # Taking a long command apart or multiplying huge numbers can last for minutes: bounds come first.
    unbounded = [*_texts(record), *_numbers(record)]
    return unbounded or [*_identity(record), *_arithmetic(record), *_phase(record)]


def _texts(record: Record) -> Iterator[str]:
    names = [
        record.id,
        record.config,
        record.suite,
        record.entry,
        record.dataset,
        record.model,
        record.method,
    ]
    names += [record.data_digest, record.device, *(layer.name for layer in record.layers)]
    names += [*record.versions, *record.versions.values(), *record.diagnostics, *record.knobs, *record.params]
    names += [*record.budget, *{name for row in record.curve for name in row}]
    if odd := odd_name(names):
        yield odd
    shown = {"entry": record.entry, "dataset": record.dataset, "model": record.model, "method": record.method}
    for what, name in shown.items():
        if name.startswith(tuple(FORMULAS)):
            yield f"its {what} begins like a formula of a spreadsheet"
    if max(map(len, (record.command, record.reason or "", *record.warnings))) > LONGEST_TEXT:
        yield f"a text in it is longer than {LONGEST_TEXT} characters"
    if len(record.layers) > MOST_LAYERS:
        yield f"it has more than {MOST_LAYERS} layers"


def odd_name(names: Iterable[str]) -> str | None:
    """What is wrong with the first name that no campaign has; None where all could be one."""
    if any(not name or len(name) > LONGEST or not name.isprintable() for name in names):
        return f"a name in it is empty, longer than {LONGEST} characters or not printable"
    return None


def _numbers(record: Record) -> Iterator[str]:
    for field, value in record:
        if field not in ("threshold",) and not _sane(value):
            yield f"{field} holds a number that no trial has"


def _sane(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_sane(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(_sane(item) for item in value)
    if isinstance(value, int | float):
        return abs(value) <= LARGEST  # nan is not
    return value is None or isinstance(value, str) or all(_sane(item) for _, item in value)


def _identity(record: Record) -> Iterator[str]:
    try:
        trial = trial_of(record)
        identity, config = trial.id, trial.config
    except (SparsebenchError, ValidationError, ValueError, OverflowError):
        yield "its recipe, knobs or command are not what a trial has"
        return
    if config != record.config or identity != record.id:
        yield "its id is not the hash of its content: it was edited, or written by another version"
    said = record.command.partition(" --threads ")
    if said[0] != trial.command or not (said[2] or "1").isdecimal():
        yield "its command is not the one that repeats it"


def _arithmetic(record: Record) -> Iterator[str]:
    """What the layers say again: compression, and which layers are empty."""
    if record.status != "ok":
        return
    if not record.layers or record.compression is None or record.val_accuracy is None:
        yield "it finished, yet says nothing of its layers, compression or accuracy"
        return
    sizes = [layer.size for layer in record.layers]
    if max(sum(sizes), *(layer.nonzeros for layer in record.layers)) > LARGEST:
        yield "it has more weights than any network"
        return
    if any(layer.nonzeros > size for layer, size in zip(record.layers, sizes, strict=True)):
        yield "a layer in it has more nonzero weights than weights"
    counted = sum(sizes) / max(sum(layer.nonzeros for layer in record.layers), 1)
    if not math.isclose(counted, record.compression, rel_tol=EQUAL):
        yield f"its compression is not that of its layers, {counted:.6g}"
    if {layer.name for layer in record.layers if not layer.nonzeros} != set(record.collapsed_layers):
        yield "its collapsed layers are not those without a nonzero weight"


def _phase(record: Record) -> Iterator[str]:
    searching = record.phase == "search"
    if searching and (record.test_accuracy is not None or record.test_accuracy_exact is not None):
        yield "it is of the search and has seen the test set"
    if searching and (record.trial is None or record.trial < 0):
        yield "it is of the search and has no trial number"
    if record.status == "ok" and not searching and record.test_accuracy is None:
        yield "it has no test accuracy"
    if record.phase == "confirm" and record.confirms is None:
        yield "it confirms no trial"
    if record.classes is None and record.status == "ok":
        yield "it does not say how many classes there are"


def source_errors(records: Sequence[Record]) -> Iterator[str]:
    """What is wrong with the records of one source as a whole."""
    found = {record.id: record for record in records if record.phase == "search"}
    lost = sum(record.confirms not in found for record in records if record.phase == "confirm")
    if lost:
        yield f"{lost} records confirm trials of a search that is not there"
    for record in records:
        origin = found.get(record.confirms or "")
        if record.phase == "confirm" and origin is not None and _settings(origin) != _settings(record):
            yield f"record {record.id} does not repeat the trial that it confirms"
    yield from _twice(found.values())
    methods: dict[str, set[str]] = {}
    for record in records:
        methods.setdefault(record.entry, set()).add(digest([record.method, record.method_version]))
    for entry in (entry for entry, used in methods.items() if len(used) > 1):
        yield f"entry {entry!a} has runs of two methods, or of two versions of one"


def _twice(records: Iterable[Record]) -> Iterator[str]:
    """Two searches of one entry, say of two folders written into one file.

    A campaign may ask some numbers anew: after failures that were made good, or with other libraries. But the
    first half of a search is the same whenever it is asked.
    """
    asked: dict[tuple[str, str], dict[int | None, set[str]]] = {}
    for record in records:
        if record.ok:
            numbers = asked.setdefault((record.task, record.entry), {})
            numbers.setdefault(record.trial, set()).add(record.id)
    for (task, entry), numbers in asked.items():
        twice = sum(len(ids) > 1 for ids in numbers.values())
        if twice and 2 * twice >= len(numbers):
            of = f"{twice} of {len(numbers)} trial numbers have several trials"
            yield f"entry {entry!a} has two searches on {task}: {of}"


def _settings(record: Record) -> str:
    task = [record.dataset, record.model, record.model_args, record.data_digest]
    return digest([*task, record.recipe, record.method, record.knobs])
