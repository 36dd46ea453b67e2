"""The measured latency of a folder's models: those of its boards, cut to their common compressions."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...commands import base_of, path_word
from ...errors import SparsebenchError, UnknownName
from ...reasons import reason
from ...records.measured.latency import Latency, Machine, read_latencies, write_latencies
from ...records.record import Record
from ...reports.analysis.leaderboard import TaskLeaderboard
from ..latency.options import Options
from ..output_folder.layout import MODELS, model_path
from ..output_folder.shown_trainings import training_of
from .counted import counted
from .kept_models import board_models, is_model

if TYPE_CHECKING:  # it imports torch
    from ..latency.measure import Bench

SHORT = Options(seconds=0.1, short=True)
SHORT_SECONDS = 10.0
SLOW_PASS = 3e-3  # seconds of a pass over one image, above which the short form leaves a network out

Say = Callable[[str], None]


@dataclass(frozen=True)
class BoardModel:
    """A model of a board at one of its compressions.

    Attributes:
        task: The task.
        entry: The entry.
        at: The common compression; None for a point of earlier versions, as training left it.
        trial: Id of the training whose model stands for the entry there.

    Example:
        >>> BoardModel("digits-lenet5", "dwf-3", 64.0, "0123456789abcdef").at
        64.0
    """

    task: str
    entry: str
    at: float | None
    trial: str


def board_models_at(
    folder: Path,
    records: Sequence[Record],
    found: Sequence[TaskLeaderboard],
    tasks: Sequence[str] = (),
    entries: Sequence[str] = (),
) -> list[BoardModel]:
    """Returns the models of a folder's boards at each compression, those of large compressions first.

    Args:
        folder: The output folder.
        records: Its records that count.
        found: Its leaderboards.
        tasks: Only these tasks; all where there are none.
        entries: Only these entries.

    Returns:
        Task by task the models whose files are there; of each compression in the order of the board.

    Raises:
        SparsebenchError: A name is no task or entry of the folder.

    Example:
        >>> board_models_at(folder, records, [board])  # no model was kept
        []
    """
    _check_names("task", tasks, {board.task for board in found})
    _check_names("entry", entries, {row.entry for board in found for row in board.rows})
    made = []
    for board in found:
        if tasks and board.task not in tasks:
            continue
        names = [row.entry for row in board.rows if not entries or row.entry in entries]
        if not board.compressions:
            kept = board_models(folder, board.records)
            own = [record for record in board.records if record.id in kept and record.entry in names]
            made += [BoardModel(board.task, record.entry, None, record.id) for record in own]
            continue
        for at in sorted((c for c in board.compressions if c > 1), reverse=True):
            made += [m for name in names if (m := _at(folder, records, board.task, name, at)) is not None]
    return made


def _check_names(what: str, given: Sequence[str], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise UnknownName(what, name, known)


def _at(folder: Path, records: Sequence[Record], task: str, entry: str, at: float) -> BoardModel | None:
    def kept(identity: str) -> bool:
        return is_model(model_path(folder / MODELS, identity), identity)

    try:
        record = training_of(records, entry, task, at, kept)
    except SparsebenchError:  # an entry that is not confirmed
        return None
    return BoardModel(task, entry, at, record.id) if kept(record.id) else None


def measure_models(
    folder: Path,
    models: Sequence[BoardModel],
    options: Options,
    say: Say,
    data: str | Path | None = None,
    limit: float | None = None,
) -> Iterator[Latency]:
    """Measures models of a folder, and writes each result into its latency.json at once.

    Args:
        folder: The output folder.
        models: The models, from `board_models_at`.
        options: How to measure.
        say: Called with a sentence where the machine is busy, and where something is left out.
        data: Folder of the datasets.
        limit: Seconds after which no further model is begun.

    Yields:
        The times of each model at each batch size.

    Raises:
        SparsebenchError: A file is damaged or cannot be written, or a dataset is not there.

    Example:
        >>> list(measure_models(folder, [], Options(), print))
        []
    """
    from ..latency.machine import cores_in_use, this_machine

    end = None if limit is None else time.monotonic() + limit
    machine = this_machine(options)
    benches: dict[str, Bench] = {}
    written = read_latencies(folder)
    others = cores_in_use() if models else 0.0
    told, slowest = False, 0.0
    for number, model in enumerate(models):
        start = time.monotonic()
        if end is not None and start + slowest > end:
            say(_rest(folder, len(models) - number))
            return
        try:
            measured = list(_measure(folder, model, machine, others, options, benches, say, data, end))
        except SparsebenchError as error:
            say(f"{model.entry} on {model.task} at {model.at or 1:g} is left out: {error}")
            continue
        if measured and measured[0].busy and not told:
            say(
                f"the machine is busy: other programs use {others:g} cores; times are too long and ratios "
                "uncertain"
            )
            told = True
        written += measured
        write_latencies(folder, written)
        yield from measured
        slowest = max(slowest, time.monotonic() - start)


def measure_shortly(
    folder: Path,
    records: Sequence[Record],
    found: Sequence[TaskLeaderboard],
    data: str | Path | None,
    say: Say,
) -> None:
    """Measures the models of a complete run for `SHORT_SECONDS` at most: eager torch and compaction alone.

    Models of large compressions come first. What was measured on this machine before is not measured again,
    and no problem ends the run.

    Args:
        folder: The output folder.
        records: Its records.
        found: Its leaderboards.
        data: Folder of the datasets.
        say: Called with a sentence where models are left, or something goes wrong.

    Example:
        >>> measure_shortly(folder, records, [board], None, print)  # no model was kept
    """
    try:
        models = board_models_at(folder, counted(folder, records), found)
        rest = _unmeasured(folder, sorted(models, key=lambda model: -(model.at or 0.0)))
        for _ in measure_models(folder, rest, SHORT, say, data, SHORT_SECONDS):
            pass
    except Exception as error:
        say(f"latency was not measured: {reason(error)}")


def _unmeasured(folder: Path, models: Sequence[BoardModel]) -> list[BoardModel]:
    if not models:
        return []
    from ..latency.machine import this_machine

    own = this_machine(SHORT)
    there = [one for one in read_latencies(folder) if one.machine.key == own.key]
    done = {(one.task, one.entry, one.at, one.trial) for one in there}
    return [m for m in models if (m.task, m.entry, m.at, m.trial) not in done]


def _rest(folder: Path, count: int) -> str:
    left = "one more model" if count == 1 else f"{count} more models"
    return f"latency of {left}, and of every runtime: `sparsebench latency {path_word(folder)}`"


def _measure(
    folder: Path,
    model: BoardModel,
    machine: Machine,
    others: float,
    options: Options,
    benches: "dict[str, Bench]",
    say: Say,
    data: str | Path | None,
    end: float | None,
) -> Iterator[Latency]:
    """Yields the times of one model at each batch size."""
    from ..export.cut import cut_model
    from ..latency.measure import now, open_bench
    from ..models.model_file import read_model

    state, card = read_model(model_path(folder / MODELS, model.trial))
    if model.at is not None:
        state, card = cut_model(state, card, model.at, card.prunable)
    bench = benches.get(model.task)
    if bench is None:
        bench = benches[model.task] = open_bench(card, base_of(folder), options, say, data)
    if end is not None and bench.pass_seconds() > SLOW_PASS:
        raise SparsebenchError("a pass takes too long for the short form")
    for found in bench.measure(state):
        yield Latency(
            task=model.task, entry=model.entry, at=model.at, trial=model.trial, machine=machine,
            others=others, short=options.short, when=now(), **asdict(found),
        )  # fmt: skip
