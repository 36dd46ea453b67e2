"""The static site of a report: pages that open from disk, with everything they load beside them. No torch.

A page is its template filled in: escaped text, and one JSON document that the scripts read. The scripts are
`table.js` (sort and filter), `front.js` (the chart) and plotly's own; nothing is fetched from elsewhere.
"""

from collections.abc import Sequence
from pathlib import Path

from ...files import write_atomic
from ...records.method_docs import read_methods
from ..analysis.boards import TaskLeaderboard
from .entry_page import entry_page
from .overview_page import overview_page
from .page_names import Addresses
from .task_page import task_page
from .template import assets

__all__ = ["write_site"]


def write_site(folder: Path, found: Sequence[TaskLeaderboard]) -> list[Path]:
    """Write the site of a report's boards into `folder`/site; returns its files, the first page first.

    What `folder`/methods.json says of the methods is shown where it is there. Pages of entries and tasks
    that are gone are removed. Errors: a folder that cannot be written; a methods.json that is damaged.
    """
    methods = read_methods(folder)
    at = Addresses.of(found)
    site = folder / "site"
    pages = {"index.html": overview_page(found, at)}
    pages |= {at.tasks[board.task]: task_page(board, at, found) for board in found}
    pages |= {page: entry_page(entry, found, at, methods) for entry, page in at.entries.items()}
    written = [write_atomic(site / name, content) for name, content in (pages | assets()).items()]
    _remove_others(site, set(pages))
    return written


def _remove_others(site: Path, pages: set[str]) -> None:
    for pattern in ("entry-*.html", "task-*.html"):
        for path in site.glob(pattern):
            if path.name not in pages:
                path.unlink(missing_ok=True)
