"""The reader of results of untrusted origin: an archive or a folder, within size limits, record by record."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ...errors import SparsebenchError
from ...gc_pause import paused_gc
from ...method_docs import Methods, parse_methods
from ...parsing import parse_json
from ...records.hashing import digest, intact
from ...records.measured.latency import Latency, parse_latencies
from ...records.record import Record, parse
from ...records.selection import light_records
from ...records.store import EDITED, FILE
from ...validation import odd_name, validation_message
from ..config.suite import Suite, with_compressions
from .archive import read_archive
from .compatibility import Source
from .manifest import LATENCY, LIMITS, METHODS, SUITE
from .record_checks import record_errors, source_errors
from .record_lines import LONGEST_LINE, Opener, RecordLines, bounded_lines

BESIDE = (SUITE, METHODS, LATENCY)
MOST_REASONS = 20  # of one source
MOST_LINES = 200_000  # of one source
UNSEALED = f"its seal is not the hash of its content: it {EDITED}"


class _Identity(BaseModel):
    """Content of a folder's `suite.json`: the suite, its data digests by task and versions by method."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    suite: Suite
    data: dict[str, str]
    methods: dict[str, int] = {}

    @field_validator("suite", mode="before")
    @classmethod
    def _of_any_age(cls, suite: Any) -> Any:
        """Gives a suite from before the common compressions none, rather than the default ones."""
        return with_compressions(suite)


def read_source(path: Path) -> tuple[Source, list[str]]:
    """Reads an archive or a folder, whichever the path is, and checks it by itself.

    Args:
        path: An archive made by `pack`, or an output folder.

    Returns:
        The source, without records where it could not be read, and one message for each problem, which begins
        with the path; without messages the source is sound.

    Example:
        >>> source, reasons = read_source(Path("lost.sparsebench.zip"))
        >>> len(source.records), reasons
        (0, ['lost.sparsebench.zip: there is no such archive or folder'])
    """
    if path.is_dir():
        return read_folder(path)
    if not path.is_file():
        return Source(str(path), []), [f"{path}: there is no such archive or folder"]
    try:
        archive = read_archive(path)
        source, reasons = _source(path, archive.records, archive.files)
    except SparsebenchError as error:
        return Source(str(path), []), [f"{path}: {error}"]
    with path.open("rb") as file:
        return replace(source, sha256=file_digest(file, "sha256").hexdigest()), reasons


def read_folder(path: Path) -> tuple[Source, list[str]]:
    """Reads the records, the suite and the method descriptions of an output folder, and checks them.

    An incomplete last line, from a crash or a campaign that is still running, is left out.

    Args:
        path: Output folder of a campaign, or of `merge`.

    Returns:
        The source, and one message for each problem (at most twenty and a remark), as of `read_source`.

    Example:
        >>> from sparsebench.bench.training.trial import failed
        >>> from sparsebench.records.store import Store
        >>> _ = Store(Path()).append(failed(trial, "out of memory", device="cpu"))
        >>> source, reasons = read_folder(Path())
        >>> len(source.records), source.suite, reasons
        (1, None, [])
    """
    file = path / FILE
    if not file.is_file():
        return Source(str(path), []), [f"{path}: no records, {FILE} is not there"]
    if file.stat().st_size > LIMITS[FILE]:
        return Source(str(path), []), [f"{path}: {FILE} has more than {LIMITS[FILE] >> 20:,} MiB"]
    # The optional files beside it.
    beside = {name: (path / name).read_bytes() for name in BESIDE if (path / name).is_file()}
    large = [name for name, content in beside.items() if len(content) > LIMITS[name]]
    if large:
        return Source(str(path), []), [f"{path}: {large[0]} has more than {LIMITS[large[0]] >> 20} MiB"]
    return _source(path, lambda: file.open("rb"), beside, torn=True)


def _source(
    path: Path, records: Opener, beside: Mapping[str, bytes], *, torn: bool = False
) -> tuple[Source, list[str]]:
    """Returns the source that the contents of the files describe, and what is wrong with them; `torn` allows
    an incomplete last line."""
    # The records, each alone and all together.
    suite, methods = beside.get(SUITE), beside.get(METHODS)
    with records() as stream, paused_gc():
        kept, unsealed, places, reasons = _records(path, stream, torn)
    if len(reasons) > MOST_REASONS:
        return Source(str(path), []), reasons
    if not kept and not reasons:
        reasons.append(f"{path}: it holds no records")
    reasons += [f"{path}: {reason}" for reason in source_errors(kept)] if not reasons else ()
    # The suite, whose tasks and entries cover the records.
    identity = None
    if suite is not None:
        try:
            identity = _Identity.model_validate(parse_json(suite, "it"))
            digest(identity.suite.model_dump(mode="json"))  # numbers that JSON does not have
            reasons += [f"{path}: {reason}" for reason in _unlisted(kept, identity.suite)]
            if odd := odd_name(_names(identity)):
                reasons.append(f"{path}: its {SUITE} is damaged: {odd}")
        except (ValidationError, SparsebenchError, RecursionError) as error:
            reasons.append(f"{path}: its {SUITE} is damaged: {_first(error)}")
    # The method descriptions, and the whole with a bounded number of messages.
    described, wrong = _read_method_docs(kept, methods)
    latencies, also_wrong = _read_latencies(kept, beside.get(LATENCY))
    reasons += [f"{path}: {reason}" for reason in (*wrong, *also_wrong)]
    rest = len(reasons) - MOST_REASONS
    shown = [*reasons[:MOST_REASONS], f"{path}: and {rest} more"] if rest > 0 else reasons
    source = Source(
        str(path), kept, method_docs=described, unsealed=frozenset(unsealed), latencies=latencies,
        lines=RecordLines(records, places),
    )  # fmt: skip
    if identity is not None:
        source = replace(source, suite=identity.suite, data=identity.data, methods=identity.methods)
    return source, shown


def _records(
    path: Path, stream: IO[bytes], torn: bool
) -> tuple[list[Record], set[str], dict[str, tuple[int, int]], list[str]]:
    """Returns the latest record of each identity without its bulk, the ids of those without a seal, the
    places of their lines, and the lines' problems.

    Reading stops at the limit of lines or of problems.
    """
    found, places = dict[str, Record](), dict[str, tuple[int, int]]()
    unsealed, reasons, light = set[str](), list[str](), light_records()
    for number, line in enumerate(islice(bounded_lines(stream), MOST_LINES + 1), 1):
        content = line.strip()
        if number > MOST_LINES:
            reasons.append(f"{path}: {FILE} has more than {MOST_LINES:,} lines")
        elif content:
            record = _record(line, f"{path}, line {number}")
            if isinstance(record, Record):
                whole = intact(content)
                found[record.id], places[record.id] = light.of_record(record), (number, hash(content))
                (unsealed.add if whole is None else unsealed.discard)(record.id)
                wrong = record_errors(record) or ([UNSEALED] if whole is False else [])
                reasons += [f"{path}, line {number}: {reason}" for reason in wrong]
            elif line.endswith(b"\n") or not torn:
                reasons.append(record)
        if len(reasons) >= MOST_REASONS:
            rest = f"{path}: and perhaps more: reading stopped there"
            return [], set(), {}, [*reasons[:MOST_REASONS], rest]
    return list(found.values()), unsealed, places, reasons


def _read_method_docs(records: Sequence[Record], content: bytes | None) -> tuple[Methods, list[str]]:
    """Returns the descriptions of the methods that the records use, and what is wrong with them."""
    if content is None:
        return {}, []
    try:
        told = parse_methods(content)
    except SparsebenchError as error:
        return {}, [f"its {METHODS} is damaged: {error}"]
    used = {(r.method, r.method_version) for r in records if r.method in told}
    wrong = [
        f"its {METHODS} describes version {told[name].version} of method {name}, its records have {version}"
        for name, version in sorted(used)
        if told[name].version != version
    ]
    return {name: told[name] for name, _ in sorted(used)}, wrong


def _read_latencies(records: Sequence[Record], content: bytes | None) -> tuple[list[Latency], list[str]]:
    """Returns the measured times of models of the records, and what is wrong with the file."""
    if content is None:
        return [], []
    try:
        found = parse_latencies(content)
    except SparsebenchError as error:
        return [], [f"its {LATENCY} is damaged: {error}"]
    known = {(record.id, record.task, record.entry) for record in records}
    return [one for one in found if (one.trial, one.task, one.entry) in known], []


def _record(line: bytes, where: str) -> Record | str:
    """Returns the record of a line, or the reason why it is none."""
    if len(line) > LONGEST_LINE:
        return f"{where}: it is longer than {LONGEST_LINE >> 20} MiB"
    try:
        return parse(line.decode("utf-8"), where)
    except UnicodeDecodeError:
        return f"{where}: it is not UTF-8"
    except SparsebenchError as error:
        return str(error)


def _first(error: Exception) -> str:
    """Returns the first problem that an error reports, in one line."""
    if isinstance(error, ValidationError):
        return validation_message(error)
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _names(identity: _Identity) -> Iterator[str]:
    """Yields every name in a `suite.json`."""
    yield identity.suite.name
    for task in identity.suite.tasks:
        yield from (task.dataset, task.model)
    for entry in identity.suite.entries:
        yield from (entry.label, entry.method)
    yield from (*identity.data, *identity.methods)


def _unlisted(records: Sequence[Record], suite: Suite) -> Iterator[str]:
    """Yields the tasks and entries of the records that the suite in the same folder does not list."""
    tasks, entries = {task.name for task in suite.tasks}, {entry.label: entry for entry in suite.entries}
    for what, name in dict.fromkeys(
        [("task", r.task) for r in records if r.task not in tasks]
        + [("entry", r.entry) for r in records if r.entry not in entries]
    ):
        yield f"it has records of the {what} {name!a}, which its suite does not have"
