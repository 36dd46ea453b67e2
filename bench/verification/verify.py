"""The verification of an archive or an output folder: each model that it has against its record."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

import torch

from ...commands import base_of
from ...datasets.api import Data
from ...errors import SparsebenchError, printable
from ...reasons import reason
from ...records.record import Record, parse
from ...records.schema_1 import recorded_arguments
from ...reports.verified import State
from ..data.opened import open_data
from ..data.test_set import test_digest
from ..exchange.archive import Archive, read_archive
from ..exchange.compatibility import Source, compatibility_errors
from ..exchange.reader import read_source
from ..output_folder.layout import MODELS, model_files
from ..output_folder.shown_trainings import ShownTraining, shown_trainings
from .recount import record_differences
from .untrusted_model import bounded_copy, check_arguments, load_weights, most_bytes, network_of

Opener = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True)
class ModelCheck:
    """What came of a model.

    Attributes:
        record: The record of its trial, without its bulk.
        problems: What is wrong, one phrase each; empty where the model shows what the record says.

    Example:
        >>> ModelCheck(record, ("a weight in 'fc.weight' is not finite",)).ok
        False
    """

    record: Record
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the model shows what the record says."""
        return not self.problems


@dataclass(frozen=True)
class Verification:
    """What came of a source of results.

    Attributes:
        source: The archive or folder, with its records.
        checks: What came of each model.
        problems: What is wrong with the source or its models, one line each, which begin with its name.
        states: The state of each entry by task; empty where there are problems.
        covered: How many of the trainings that a board shows have a model, and how many there are, by task
            and entry.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> _ = Path("records.jsonl").write_text(run(trial).to_json())
        >>> found = verify(Path())
        >>> found.ok, found.states
        (True, {'planted-lenet_300_100': {'dense': 'records only'}})
    """

    source: Source
    checks: list[ModelCheck]
    problems: list[str]
    states: dict[str, dict[str, State]] = field(default_factory=dict)
    covered: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True)
class Place:
    """Where a verification is done.

    Attributes:
        data: Folder of the datasets; None for the default.
        data_args: Arguments of the dataset in place of those recorded, such as the path of a folder here.
        device: Device of the evaluations.

    Example:
        >>> Place(device="cuda:0").data is None
        True
    """

    data: Path | None = None
    data_args: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"


def verify(
    path: Path, place: Place | None = None, say: Callable[[ModelCheck], None] = lambda check: None
) -> Verification:
    """Counts and measures every model of an archive or an output folder again, against its record.

    Args:
        path: An archive made by `pack`, or an output folder.
        place: Where the data are, and the device.
        say: Called with what came of each model.

    Returns:
        What came of it. An entry is verified where each training that a board shows has a model that shows
        what its record says.

    Raises:
        SparsebenchError: The data of a model are missing here.

    Example:
        >>> verify(Path("lost.zip")).problems
        ['lost.zip: there is no such archive or folder']
    """
    place = place or Place()
    source, reasons = read_source(path)
    if not reasons:
        reasons = list(compatibility_errors([source]))
    if reasons:
        return Verification(source, [], reasons)
    archive = None if path.is_dir() else read_archive(path)
    models = _archived(archive) if archive else _kept(path, source)
    records = {record.id: record for record in source.records}
    lost = [
        f"{path}: it has the model of {i}, which is no trial in it" for i in models.keys() - records.keys()
    ]
    torch.set_flush_denormal(True)
    checks, tested = list[ModelCheck](), archive.manifest.test_sets if archive else {}
    for identity, record in records.items():
        if identity in models:
            found = _checked(source, record, models[identity], tested, place, archive is not None)
            checks.append(ModelCheck(record, tuple(found)))
            say(checks[-1])
    wrong = [f"{path}: {_named(check.record)}: {p}" for check in checks for p in check.problems]
    states, covered = _states(source.records, {check.record.id for check in checks if check.ok})
    problems = [*lost, *wrong]
    return Verification(source, checks, problems, {} if problems else states, covered)


def _named(record: Record) -> str:
    return printable(f"the model of {record.entry} on {record.task} (trial {record.id})")


def _archived(archive: Archive) -> dict[str, Opener]:
    def opener(identity: str) -> Opener:
        return lambda: archive.model(identity)

    return {identity: opener(identity) for identity in archive.manifest.models}


def _kept(folder: Path, source: Source) -> dict[str, Opener]:
    """Returns what opens the models of an output folder; files of other trials are none of its results."""

    def opener(path: Path) -> Opener:
        return lambda: path.open("rb")

    known = {record.id for record in source.records if record.phase == "confirm"}
    return {i: opener(path) for i, path in model_files(folder / MODELS).items() if i in known}


def _checked(
    source: Source, light: Record, opened: Opener, tested: Mapping[str, str], place: Place, foreign: bool
) -> list[str]:
    """Returns what is wrong with a model; raises where its data are not here."""
    record = _whole(source, light)
    if record.status != "ok" or record.phase == "search":
        return ["its trial has no finished model that a board shows"]
    try:
        check_arguments("dataset", recorded_arguments(record).dataset_args)
    except SparsebenchError as error:
        return [str(error)]
    try:
        data = _data(record, place, None if foreign else base_of(source.name), foreign=foreign)
    except SparsebenchError:
        raise  # what is missing here says nothing about the model
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        return [f"its data cannot be opened ({reason(error)})"]
    if data.digest != record.data_digest:
        return [f"its data have the digest {record.data_digest[:12]!a}…, those here {data.digest[:12]!a}…"]
    if tested.get(record.task, (here := test_digest(data))) != here:
        return ["the test set here is not the one that its accuracies were measured on"]
    try:
        return list(_differences(record, opened, data, torch.device(place.device)))
    except SparsebenchError as error:
        return [printable(str(error), 500)]
    except (RuntimeError, ValueError, TypeError, OSError, MemoryError) as error:
        return [f"it cannot be measured ({reason(error)})"]


def _whole(source: Source, light: Record) -> Record:
    """Returns a record with its layers, which memory does not have of all."""
    assert source.lines is not None, "a source that was read has the lines of its records"
    [(_, line)] = source.lines.copied({light.id})
    return parse(line.decode(), source.name)


def _data(record: Record, place: Place, base: str | None, *, foreign: bool) -> Data:
    args = {**recorded_arguments(record).dataset_args, **place.data_args}
    for name, value in args.items() if foreign else ():
        given = name in place.data_args
        if not given and isinstance(value, str) and _elsewhere(value):
            raise SparsebenchError(
                f"the data of {printable(record.task)} lie at {printable(value, 100)!r} on another machine: "
                f"say where they lie here, with --data-arg {printable(name, 60)}=PATH"
            )
    return open_data(record.dataset, place.data, args, base)


def _elsewhere(value: str) -> bool:
    """Whether a text is a path that leads out of the folder of the datasets."""
    path = PurePosixPath(value)
    return path.is_absolute() or ".." in path.parts or value.startswith("~")


def _differences(record: Record, opened: Opener, data: Data, device: torch.device) -> Iterator[str]:
    network = network_of(record, data.shape, data.classes)
    with opened() as stream, bounded_copy(stream, most_bytes(network)) as path:
        load_weights(path, network, record.id)
    yield from record_differences(record, network.to(device), data, device)


def _states(
    records: Sequence[Record], verified: set[str]
) -> tuple[dict[str, dict[str, State]], dict[tuple[str, str], tuple[int, int]]]:
    """Returns the state of each entry by task, and how many of its trainings have a verified model."""
    trainings: dict[tuple[str, str], list[bool]] = {}
    for record in records:
        trainings.setdefault((record.task, record.entry), [])
    for training in _trainings(records):
        finished = [run for run in training.runs if run.status == "ok"]
        if finished:  # a training that diverged with every seed has no model
            shown = trainings[finished[0].task, finished[0].entry]
            shown.append(any(run.id in verified for run in finished))
    states: dict[str, dict[str, State]] = {}
    for (task, entry), shown in trainings.items():
        known: State = "weights verified" if shown and all(shown) else "records only"
        states.setdefault(task, {})[entry] = known
    return states, {key: (sum(shown), len(shown)) for key, shown in trainings.items()}


def _trainings(records: Sequence[Record]) -> list[ShownTraining]:
    """Returns the trainings that a board shows; of records without common compressions all confirmed ones."""
    found = shown_trainings(record for record in records if record.compressions)
    before: dict[str, list[Record]] = {}
    for record in records:
        if record.phase == "confirm" and record.confirms and not record.compressions:
            before.setdefault(record.confirms, []).append(record)
    return [*found, *(ShownTraining((), tuple(runs)) for runs in before.values())]
