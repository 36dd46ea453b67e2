"""Checks that a record of untrusted origin can be what a trial wrote: identity, arithmetic, plausible text.

The identity is a hash of what decided the outcome, so a changed recipe, knob, seed or digest shows. Whatever
part of the outcome follows from the record's own layers is recomputed; the rest is accepted if the line's
seal is valid.
"""

import math
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple
from itertools import chain
from typing import Any

from pydantic import ValidationError

from ...commands import plugin_words
from ...errors import SparsebenchError
from ...escaping import FORMULAS
from ...methods.sparsity import kept_at
from ...records.fields import LARGEST, CompressionPoint, Layer
from ...records.hashing import digest
from ...records.record import Record
from ...records.schema_1 import recorded_arguments
from ...validation import odd_name
from ..config.trial_spec import trial_of

LONGEST_TEXT = 20_000  # of a command, a reason
MOST_LAYERS = 20_000
EQUAL = 1e-9  # relative tolerance of a recomputed ratio


def record_errors(record: Record) -> list[str]:
    """Returns the reasons why no trial of this version can have written a record.

    Args:
        record: A record that has the valid fields and types, but any content.

    Returns:
        One short phrase for each contradiction; empty for a genuine record.

    Example:
        >>> from sparsebench.bench.training.trial import failed
        >>> genuine = failed(trial, "out of memory", device="cpu")
        >>> record_errors(genuine)
        []
        >>> record_errors(genuine.model_copy(update={"seed": 7}))[0]
        'its id is not the hash of its content: it was edited, or written by another version'
    """
    # Bounds come first: parsing a long command or multiplying huge numbers can take minutes.
    unbounded = [*_texts(record), *_numbers(record)]
    return unbounded or [
        *_identity(record),
        *_arithmetic(record),
        *_at_compressions(record),
        *_phase(record),
    ]


def _texts(record: Record) -> Iterator[str]:
    """Yields names and texts beyond their bounds, and names that a spreadsheet would execute."""
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
    names += [*record.budget, *set().union(*record.curve)]
    names += [*record.keep_dense, *record.dataset_args, *record.model_args]
    if odd := odd_name(names):
        yield odd
    shown = {"entry": record.entry, "dataset": record.dataset, "model": record.model, "method": record.method}
    for what, name in shown.items():
        if name.startswith(FORMULAS):
            yield f"its {what} begins like a spreadsheet formula"
    if max(map(len, (record.command, record.reason or "", *record.warnings))) > LONGEST_TEXT:
        yield f"a text in it is longer than {LONGEST_TEXT} characters"
    if len(record.layers) > MOST_LAYERS:
        yield f"it has more than {MOST_LAYERS} layers"


def _numbers(record: Record) -> Iterator[str]:
    """Yields the fields with a number that is not finite or larger than any of a trial."""
    for field, value in vars(record).items():
        if field != "threshold" and not _sane(value):
            yield f"{field} has a number that is not finite or too large"


def _sane(value: Any) -> bool:
    """Whether all numbers in a value, at any depth, are within bounds."""
    kind = type(value)  # a record has hundreds of numbers: the usual types first, without `isinstance`
    if kind is float or kind is int:
        return bool(abs(value) <= LARGEST)  # nan is not
    if value is None or kind is str or kind is bool:
        return True
    if kind is dict:
        return _bounded(value.values()) or all(map(_sane, value.values()))
    if kind is CompressionPoint:
        return all(map(_sane, astuple(value)))
    if kind is list and value and type(value[0]) is dict:
        return _bounded(chain.from_iterable(map(dict.values, value))) or all(map(_sane, value))
    if kind is list and value and type(value[0]) is Layer:
        return _bounded(chain((n.nonzeros for n in value), *(n.shape for n in value))) or all(
            map(_sane, value)
        )
    return all(map(_sane, value if kind is list or kind is tuple else vars(value).values()))


def _bounded(numbers: Iterable[Any]) -> bool:
    """Whether values are surely numbers within bounds, all at once: a curve has hundreds."""
    try:
        return bool(sum(map(abs, numbers)) <= LARGEST)  # nan is not
    except (TypeError, OverflowError):
        return False  # there are texts, or more


def _identity(record: Record) -> Iterator[str]:
    """Yields what contradicts the record's identity: its hashes, and the command that repeats it."""
    try:
        trial, threads = trial_of(record), recorded_arguments(record).threads
        identity, config = trial.hashes
    except (SparsebenchError, ValidationError, ValueError, OverflowError):
        yield "its recipe, knobs or command are not valid"
        return
    if config != record.config or identity != record.id:
        yield "its id is not the hash of its content: it was edited, or written by another version"
    if not _repeats(record.command, trial.command_on(threads)):
        yield "its command is not the one that repeats it"


def _repeats(command: str, own: str) -> bool:
    """Whether a command is a trial's own, with or without the plugin files that it needs."""
    more = command.removeprefix(own)
    with suppress(ValueError):
        return command.startswith(own) and more == plugin_words(shlex.split(more)[1::2])
    return False


def _arithmetic(record: Record) -> Iterator[str]:
    """Yields what contradicts the layers: the compression, and the list of empty layers."""
    if record.status != "ok":
        return
    if not record.layers or record.compression is None or record.val_accuracy is None:
        yield "its status is ok, but its layers, compression or accuracy are missing"
        return
    sizes = [layer.size for layer in record.layers]
    if max(sum(sizes), *(layer.nonzeros for layer in record.layers)) > LARGEST:
        yield "it has too many weights"
        return
    if any(layer.nonzeros > size for layer, size in zip(record.layers, sizes, strict=True)):
        yield "a layer in it has more nonzero weights than weights"
    counted = sum(sizes) / max(sum(layer.nonzeros for layer in record.layers), 1)
    if not math.isclose(counted, record.compression, rel_tol=EQUAL):
        yield f"its compression is not that of its layers, {counted:.6g}"
    empty = record.collapsed_layers if record.empty_layers is None else record.empty_layers
    if {layer.name for layer in record.layers if not layer.nonzeros} != set(empty):
        yield "its empty layers are not those without a nonzero weight"


def _at_compressions(record: Record) -> Iterator[str]:
    """Yields what contradicts the common compressions, as points that are missing or too many nonzeros."""
    points, size = record.at_compressions, sum(layer.size for layer in record.layers)
    measured = {1.0, *(c for c in record.compressions if c <= size)} if record.compressions else set()
    expected = sorted(measured) if record.status == "ok" else []
    if record.granularity == "channels" and points:  # a network has a last channel in each layer
        expected = expected[: len(points)]
    if [point.at for point in points] != expected:
        yield "its points are not those at its common compressions"
        return
    whole = points[0].nonzeros if points else 0
    for point in points:
        if not _is_what_a_cut_leaves(record, point, whole, size):
            yield f"its nonzeros at compression {point.at:g} are not those that the cut leaves"
    if points and not record.threshold and whole != sum(layer.nonzeros for layer in record.layers):
        yield "its nonzeros at compression 1 are not those of its layers"
    if record.phase == "search" and any(point.test_accuracy is not None for point in points):
        yield "it is a search trial with a test accuracy at a compression"
    if record.aim is not None and record.aim not in (1.0, *record.compressions):
        yield "the compression that it aims at is none of the common ones"


def _is_what_a_cut_leaves(record: Record, point: CompressionPoint, whole: int, size: int) -> bool:
    """Whether a point's counts fit its compression: nonzeros, or multiply-accumulates."""
    if record.granularity == "channels":
        enough = point.at == 1 or (point.speedup is not None and point.speedup >= point.at * (1 - EQUAL))
        return enough and (point.nonzeros <= whole if point.cut else point.nonzeros == whole)
    most = min(whole, kept_at(point.at, size))
    return (most if point.cut else whole) <= point.nonzeros <= most


def _phase(record: Record) -> Iterator[str]:
    """Yields what the record's phase forbids or requires: a search never evaluates on the test set."""
    searching = record.phase == "search"
    if searching and (record.test_accuracy is not None or record.test_accuracy_exact is not None):
        yield "it is a search trial with a test accuracy"
    if searching and (record.trial is None or record.trial < 0):
        yield "it is a search trial without a trial number"
    if record.status == "ok" and not searching and record.test_accuracy is None:
        yield "it has no test accuracy"
    if record.phase == "confirm" and record.confirms is None:
        yield "it is a confirming trial without the id of its search trial"
    if record.classes is None and record.status == "ok":
        yield "it does not say how many classes there are"


def source_errors(records: Sequence[Record]) -> Iterator[str]:
    """Yields the contradictions between the records of one source.

    Args:
        records: All records of an archive or folder, the latest of each identity.

    Yields:
        A phrase for each: confirmations without their search trial, or with other settings; two searches of
        one entry on one task; an entry with two methods or versions.

    Example:
        >>> list(source_errors([record]))  # a confirmation alone
        ['1 records confirm search trials that are missing']
    """
    found = {record.id: record for record in records if record.phase == "search"}
    lost = sum(record.confirms not in found for record in records if record.phase == "confirm")
    if lost:
        yield f"{lost} records confirm search trials that are missing"
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
    """Yields the entries with two searches on one task, such as those of two folders joined into one file.

    A campaign may repeat some trial numbers: after a failed trial was run again, or with other libraries. But
    a stored trial keeps its number and its settings. So different trials at half of the numbers or more, in
    the same one of the suite's independent searches, come from two searches.
    """
    asked: dict[tuple[str, str, int], dict[int | None, set[str]]] = {}
    for record in records:
        if record.ok:
            numbers = asked.setdefault((record.task, record.entry, record.replicate), {})
            numbers.setdefault(record.trial, set()).add(record.id)
    for (task, entry, _), numbers in asked.items():
        twice = sum(len(ids) > 1 for ids in numbers.values())
        if twice and 2 * twice >= len(numbers):
            of = f"{twice} of {len(numbers)} trial numbers have several trials"
            yield f"entry {entry!a} has two searches on {task}: {of}"


def _settings(record: Record) -> str:
    """Returns a hash of what a confirmation shares with its search trial."""
    task = [record.dataset, record.model, record.model_args, record.data_digest]
    return digest([*task, record.recipe, record.method, record.knobs])
