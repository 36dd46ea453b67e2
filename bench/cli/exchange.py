"""`sparsebench pack`, `merge` and `verify`: print what came of it, or every reason against it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ...commands import base_of
from ...errors import SparsebenchError, printable
from ...records.schema_1 import recorded_arguments
from ...records.stored import StoredRecords
from ...reports.tables.terminal import LeaderboardTable
from ..campaign import publish
from ..exchange.merge import merge
from ..exchange.pack import PackedModels, pack, without_seal
from .console import (
    print_json,
    print_line,
    print_reasons,
    reasons_of_refusal,
    stderr_console,
    stdout_console,
)

if TYPE_CHECKING:
    from ..verification.verify import ModelCheck, Place, Verification


def print_pack(
    folder: Path,
    out: Path | None,
    tasks: Sequence[str] = (),
    entries: Sequence[str] = (),
    *,
    models: bool = False,
    data: Path | None = None,
) -> None:
    """Packs the records of an output folder into an archive, and prints its path and size.

    Args:
        folder: The output folder.
        out: The archive; None for `<folder>.sparsebench.zip` beside the folder.
        tasks: Names of the tasks to pack; none for all.
        entries: Labels of the entries to pack; none for all.
        models: Whether to pack the models that the boards show, and the digests of the test sets.
        data: Folder of the datasets, for those digests.

    Raises:
        SparsebenchError: The folder has no records, or ones that `merge` would refuse; each reason is a line
            on stderr, and nothing is written.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> _ = (folder / "records.jsonl").write_text(run(trial).to_json() + "\\n")
        >>> print_pack(folder, None)
        /.../run.sparsebench.zip: 1 records, ... KiB
    """
    with reasons_of_refusal():
        packed = pack(folder, out, tasks, entries, _models(folder, data) if models else None)
    counts = f"{packed.records} records" + (f", {packed.models} models" if models else "")
    print(f"{packed.path}: {counts}, {packed.path.stat().st_size / 1024:,.0f} KiB")
    if packed.unsealed:
        print(without_seal(packed.unsealed))


def _models(folder: Path, root: Path | None) -> PackedModels:
    """Returns the models that the boards of a folder show, with the digests of their tasks' test sets."""
    from ..campaign.kept_models import board_models
    from ..data.opened import open_data
    from ..data.test_set import test_digest

    if not folder.is_dir():
        raise SparsebenchError(f"{str(folder)!r} is not a folder")
    records = StoredRecords(folder).light
    files, base = board_models(folder, records), base_of(folder)
    if not files:
        raise SparsebenchError(f"{str(folder)!r} has no models of its boards: pack it without --models")
    found = {record.task: record for record in records if record.id in files}
    tests = {
        task: test_digest(open_data(one.dataset, root, recorded_arguments(one).dataset_args, base))
        for task, one in found.items()
    }
    return PackedModels(files, tests)


def print_merge(sources: Sequence[Path], out: Path) -> None:
    """Merges archives and output folders into a new folder, and prints the leaderboard of their records.

    Args:
        sources: Archives made by `pack`, or output folders.
        out: The new output folder; it gets records, leaderboard, figures and pages.

    Raises:
        SparsebenchError: Sources whose results are not comparable; each reason is a line on stderr, and
            nothing is written.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> _ = (folder / "records.jsonl").write_text(run(trial).to_json() + "\\n")
        >>> print_merge([folder], Path("both"))
        planted-lenet_300_100: VALIDATION accuracy, not confirmed: ...
        1 records in both; the table is both/leaderboard.md
    """
    with reasons_of_refusal():
        merged = merge(sources, out)
    found = publish.ranked(merged.folder, merged.records)
    publish.report_folder(merged.folder, found)
    console = stdout_console()
    console.print(LeaderboardTable(found))
    for note in (
        *merged.notes,
        f"{len(merged.records)} records in {out}; the table is {out / 'leaderboard.md'}",
    ):
        print_line(console, printable(note))


def print_verification(source: Path, place: "Place", *, as_json: bool = False) -> bool:
    """Verifies the models of an archive or an output folder, and prints what came of it.

    Args:
        source: The archive or the folder.
        place: Where the data are, and the device.
        as_json: Whether to print JSON.

    Returns:
        Whether nothing is wrong; else each reason is a line on stderr.

    Raises:
        SparsebenchError: The data of a model are missing here.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> from sparsebench.bench.verification.verify import Place
        >>> _ = (folder / "records.jsonl").write_text(run(trial).to_json() + "\\n")
        >>> print_verification(folder, Place())
         planted-lenet_300_100  dense  records only  0 of 0 trainings have a model...
        True
    """
    from ..verification.verify import verify

    say = stderr_console(highlight=False).print
    found = verify(source, place, lambda check: say(_told(check), soft_wrap=True))
    print_reasons(found.problems)
    if as_json:
        print_json(json.dumps(_as_json(found), indent=1, ensure_ascii=False))
        return found.ok
    table = Table(box=None, show_header=False)
    for task, entries in found.states.items():
        for entry, state in entries.items():
            have, all_ = found.covered[task, entry]
            table.add_row(task, entry, state, f"{have} of {all_} trainings have a model")
    stdout_console().print(table)
    return found.ok


def _told(check: "ModelCheck") -> str:
    record = check.record
    return f"{record.task}  {record.entry}  {record.id}  {'as recorded' if check.ok else 'NOT as recorded'}"


def _as_json(found: "Verification") -> dict[str, Any]:
    return {
        "source": found.source.name,
        "ok": found.ok,
        "problems": found.problems,
        "states": found.states,
        "models": [
            {"trial": c.record.id, "task": c.record.task, "entry": c.record.entry, "problems": c.problems}
            for c in found.checks
        ],
    }
