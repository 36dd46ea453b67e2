"""`sparsebench report` and `sparsebench track`: output files and MLflow runs, made from the records alone."""

import sys
from functools import partial
from pathlib import Path

from ...errors import SparsebenchError, printable
from ...records.stored import StoredRecords
from ..system.mlflow_address import check_tracking_address, named_address
from ..system.urls import without_login
from .console import stdout_console
from .run import point_to


def print_report(folder: Path) -> None:
    """Writes the leaderboard, figures and pages of an output folder, and prints the leaderboard.

    Args:
        folder: The output folder; its records are read, nothing is trained.

    Raises:
        SparsebenchError: The folder has no records, or damaged ones. Lines that were edited after they were
            written are a warning on stderr.

    Example:
        >>> print_report(folder)
        made_up-net: test accuracy, mean ± sample sd over 3 seeds; ...
        1  dwf-3  0.581 ± 0.003 ...
        pages  /.../run/site/index.html
        ...
    """
    from ...reports.tables.terminal import LeaderboardTable
    from ..campaign import publish

    records = read_records(folder)
    found = publish.ranked(folder, records)
    publish.report_folder(folder, found, say=partial(print, file=sys.stderr))
    out = stdout_console()
    out.print(LeaderboardTable(found))
    point_to(out, folder)


def read_records(folder: Path) -> StoredRecords:
    """Returns the records of a folder; edited lines are a warning on stderr.

    Args:
        folder: The output folder.

    Returns:
        The records, at least one.

    Raises:
        SparsebenchError: There are none.

    Example:
        >>> len(read_records(folder))
        48
    """
    found = StoredRecords(folder)
    if not found:
        raise SparsebenchError(f"no records in {str(folder)!r} yet")
    if found.edited:
        print(f"warning: {found.edited}", file=sys.stderr)
    return found


def print_publication(folder: Path, uri: str | None) -> None:
    """Publishes the trials that MLflow does not have yet, and every study's summary; prints their number.

    Repeating it adds nothing: trials are recognised by their identities.

    Args:
        folder: The output folder whose records are published.
        uri: MLflow's server or database; None for MLFLOW_TRACKING_URI, else `mlflow.db` in the folder.

    Raises:
        SparsebenchError: The folder has no records, or no identity and cannot be given one; or MLflow refused
            them (the first problem is named).

    Example:
        >>> print_publication(Path("nowhere"), None)
        Traceback (most recent call last):
        ...
        sparsebench.errors.SparsebenchError: no records in 'nowhere': records.jsonl is not there
    """
    from ..campaign import publish

    problems: list[str] = []
    uri = named_address(uri)
    if uri:
        check_tracking_address(uri)
    say = partial(print, file=sys.stderr)
    count = publish.publish_folder(folder, read_records(folder), uri, problems.append, say)
    if problems:
        raise SparsebenchError(problems[0])
    place = without_login(uri) if uri else f"the MLflow database in {printable(str(folder))}"
    print(f"{count} trials published to {place}")


def serve_pages(folder: Path, port: int, open_browser: bool) -> None:
    """Serves MLflow's pages of a folder; writes a damaged database anew from the records first.

    Args:
        folder: The output folder.
        port: Port to listen on; one that is taken is replaced by a free one.
        open_browser: Whether to open the pages in a browser.

    Raises:
        SparsebenchError: The folder has no database, or a damaged one and no records; or the server fails.

    Example:
        >>> serve_pages(Path("nowhere"), 5000, False)
        Traceback (most recent call last):
        ...
        sparsebench.errors.SparsebenchError: no mlflow.db in '...nowhere'; `sparsebench track DIR` ...
    """
    from ..system.sqlite_file import damage
    from ..tracking.client import DATABASE, TABLE, default_uri
    from ..tracking.server import serve

    if damage(folder / DATABASE, TABLE):
        print_publication(folder, default_uri(folder))
    serve(folder, port, open_browser=open_browser)


def serve_searches(folder: Path, port: int, open_browser: bool) -> None:
    """Serves optuna-dashboard with the Optuna studies of a folder.

    Args:
        folder: The output folder.
        port: Port to listen on; one that is taken is replaced by a free one.
        open_browser: Whether to open the pages in a browser.

    Raises:
        SparsebenchError: The folder has no studies, optuna-dashboard is not installed, or the server fails.

    Example:
        >>> serve_searches(Path("nowhere"), 5000, False)
        Traceback (most recent call last):
        ...
        sparsebench.errors.SparsebenchError: no optuna.db in '...nowhere'; a run writes it
    """
    from ..search.dashboard import serve_dashboard

    serve_dashboard(folder, port, open_browser)
