"""What `sparsebench report` and `sparsebench track` do with a finished folder."""

import sys
from pathlib import Path

from ...errors import SparsebenchError
from ...records.store import edits, load_records
from ..system.urls import without_login
from .console import stdout_console
from .run import _point_to


def print_report(folder: Path) -> None:
    """Leaderboard and figures from the records alone."""
    from ..campaign import publish

    records = load_records(folder)
    if not records:
        raise SparsebenchError(f"no records in {str(folder)!r} yet")
    _warn_of_edits(folder)
    publish.report_folder(folder, records)
    out = stdout_console()
    out.print(publish.leaderboard_table(folder, records))
    _point_to(out, folder)


def _warn_of_edits(folder: Path) -> None:
    if said := edits(folder):
        print(f"warning: {said}", file=sys.stderr)


def publish_to_mlflow(folder: Path, uri: str | None) -> None:
    """Publish what MLflow does not have yet."""
    from ..campaign import publish

    problems: list[str] = []
    records = load_records(folder)
    if not records:
        raise SparsebenchError(f"no records in {str(folder)!r} yet")
    _warn_of_edits(folder)
    count = publish.publish_to_mlflow(folder, records, uri, problems.append)
    if problems:
        raise SparsebenchError(problems[0])
    place = without_login(uri) if uri else f"the MLflow database in {folder}"
    print(f"{count} trials published to {place}")
