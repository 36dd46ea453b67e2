"""The static site of a report: pages that open from disk, with everything they load beside them. No torch.

A page is a rendered template: escaped text, and one JSON document that the scripts read. The scripts are
`table.js` (sort and filter), `front.js` (the chart) and plotly's own; nothing is fetched from elsewhere.
"""

from collections.abc import Sequence
from pathlib import Path

from ...commands import base_of
from ...files import write_atomic
from ...records.method_docs import read_methods
from ..analysis.leaderboard import TaskLeaderboard
from .entry_page import entry_page
from .overview_page import overview_page
from .page_names import Addresses
from .task_page import task_page
from .template import assets

__all__ = ["write_site"]


def write_site(folder: Path, found: Sequence[TaskLeaderboard]) -> list[Path]:
    """Writes the site of a report into `folder`/site: an overview, a page a task and a page an entry.

    Pages of tasks and entries that the boards no longer have are removed.

    Args:
        folder: The output folder; its `methods.json`, where there is one, gives equations and knobs.
        found: The leaderboards of all tasks.

    Returns:
        The paths of the files: `index.html`, tasks, entries, then the scripts and the style sheet.

    Raises:
        SparsebenchError: If the folder cannot be written, or its `methods.json` is damaged.

    Example:
        >>> [path.name for path in write_site(folder, [board])][:4]
        ['index.html', 'task-made_up-net.html', 'entry-dense.html', 'entry-dwf-3.html']
    """
    methods = read_methods(folder)
    at, base = Addresses.of(found), base_of(folder)
    site = folder / "site"
    pages = {"index.html": overview_page(found, at, base)}
    pages |= {at.tasks[board.task]: task_page(board, at, found, base) for board in found}
    pages |= {page: entry_page(entry, found, at, methods, base) for entry, page in at.entries.items()}
    written = [write_atomic(site / name, content) for name, content in (pages | assets()).items()]
    _remove_others(site, set(pages))
    return written


def _remove_others(site: Path, pages: set[str]) -> None:
    for pattern in ("entry-*.html", "task-*.html"):
        for path in site.glob(pattern):
            if path.name not in pages:
                path.unlink(missing_ok=True)
