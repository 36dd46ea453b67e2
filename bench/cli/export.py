"""What `sparsebench export` prints: the three lines on stdout, everything else beside them."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ...errors import SparsebenchError
from ...records.store import latest, load_records
from .console import stderr_console, stdout_console


def print_models(folder: Path) -> None:
    """The models that a folder keeps, each with the id that exports it."""
    from ..campaign.kept_models import front_models  # scipy, which an export does without

    records = latest(load_records(folder))
    models = front_models(folder, records)
    if not models:
        raise SparsebenchError(
            f"{str(folder)!r} keeps no models; name a trial by its id, and --retrain trains it again"
        )
    table = Table(title=f"Models of the fronts in {folder}", title_justify="left")
    for name in ("trial", "task", "entry"):
        table.add_column(name)
    for name in ("compression", "test accuracy %", "MB"):
        table.add_column(name, justify="right")
    found = [record for record in records if record.id in models]
    for record in sorted(found, key=lambda r: (r.task, r.entry, r.compression or 1.0)):
        accuracy = f"{100 * (record.test_accuracy or 0.0):.2f}"
        size = f"{models[record.id].stat().st_size / 1e6:.2f}"
        table.add_row(record.id, record.task, record.entry, f"{record.compression:.4g}", accuracy, size)
    out = stdout_console()
    out.print(table)
    out.print(
        f"one of them: sparsebench export {folder} TRIAL --out model.pt (or .safetensors, .onnx)",
        highlight=False,
        soft_wrap=True,
    )


def print_export(source: Path, trial: str | None, out: Path | None, options: dict[str, Any]) -> None:
    """Write one model; the lines that load it on stdout, what it is on stderr."""
    from ..export.export import export
    from ..export.load_snippet import input_description

    done = export(source, trial, out, **options)
    say = stderr_console(soft_wrap=True, highlight=False, markup=False).print
    say(f"{done.path}: {done.card.title} (trial {done.card.id})")
    if done.differs:
        say(
            f"warning: trained again, it differs from its record in {', '.join(done.differs)}; "
            "the file says what it reaches now"
        )
    elif done.differs is not None:
        say("trained again, with the accuracy and compression of its record")
    say(input_description(done.card))
    print("\n".join(done.lines))
