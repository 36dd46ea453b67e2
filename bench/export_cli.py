"""What `sparsebench export` prints: the three lines on stdout, everything else beside them."""

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ..errors import SparsebenchError
from .records import latest, load_records


def print_models(folder: Path) -> None:
    """The models that a folder keeps, each with the id that exports it."""
    from .shelf import shown  # scipy, which an export does without

    records = latest(load_records(folder))
    models = shown(folder, records)
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
    out = Console(width=None if sys.stdout.isatty() else 160)
    out.print(table)
    out.print(
        f"one of them: sparsebench export {folder} TRIAL --out model.pt (or .safetensors, .onnx)",
        highlight=False,
        soft_wrap=True,
    )


def print_export(source: Path, trial: str | None, out: Path | None, options: dict[str, Any]) -> None:
    """Write one model; the lines that load it on stdout, what it is on stderr."""
    from .export import export
    from .loading import images

    done = export(source, trial, out, **options)
    say = Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print
    say(f"{done.path}: {done.card.title} (trial {done.card.id})")
    if done.differs:
        say(
            f"warning: trained again, it differs from its record in {', '.join(done.differs)}; "
            "the file says what it reaches now"
        )
    elif done.differs is not None:
        say("trained again, with the accuracy and compression of its record")
    say(images(done.card))
    print("\n".join(done.lines))
