"""The static site of a report: pages that open from disk, with everything they load beside them. No torch.

A page is a rendered template: escaped text, and one JSON document that the scripts read. What grows with the
number of entries lies in files `data-….js`, which the overview and the pages of tasks load when it is asked
for. The scripts are `data.js` (which loads them), `table.js` (sort and filter), `front.js` and
`latency.js` (the charts) and plotly's own; nothing is fetched from elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...commands import base_of
from ...files import write_atomic
from ...method_docs import MethodDoc, read_methods
from ..analysis.across_tasks import compare_over_tasks
from ..analysis.leaderboard import TaskLeaderboard
from .data_files import INDEX, data_file, data_name, index_data, pairs_data, task_data
from .entry_page import entry_page
from .overview_page import overview_page
from .page_names import Addresses
from .task_page import task_page
from .template import assets

__all__ = ["write_site"]

GENERATOR = b'<meta name="generator" content="sparsebench">'
GIVEN = b'give("data-'
FOOTER = b"<footer>Written by sparsebench from records alone."


def write_site(folder: Path, found: Sequence[TaskLeaderboard]) -> list[Path]:
    """Writes the site of a report into `folder`/site: an overview, a page a task and a page an entry.

    Pages of tasks and entries that the boards no longer have are removed, if this program wrote them.

    Args:
        folder: The output folder; its `methods.json`, where there is one, gives equations and knobs.
        found: The leaderboards of all tasks.

    Returns:
        The paths of the files: `index.html`, tasks, entries, then data, scripts and the style sheet.

    Raises:
        SparsebenchError: If the folder cannot be written, or its `methods.json` is damaged.

    Example:
        >>> [path.name for path in write_site(folder, [board])][:4]
        ['index.html', 'task-made_up-net.html', 'entry-dense.html', 'entry-dwf-3.html']
    """
    methods = read_methods(folder)
    site = folder / "site"
    written = [write_atomic(site / name, text) for name, text in _files(found, methods, base_of(folder))]
    _remove_others(site, {path.name for path in written})
    return written


def _files(
    found: Sequence[TaskLeaderboard], methods: Mapping[str, MethodDoc], base: str | None
) -> Iterator[tuple[str, str]]:
    """Yields the name and the content of each file, one at a time."""
    at, result = Addresses.of(found), compare_over_tasks(found)
    yield "index.html", overview_page(found, at, result)
    for board in found:
        yield at.tasks[board.task], task_page(board, at, found, base)
    for entry, page in at.entries.items():
        yield page, entry_page(entry, found, at, methods, base)
    yield INDEX, data_file(INDEX, index_data(found, at, result))
    for number, board in enumerate(found):
        rows, pairs = (data_name(kind, at.tasks[board.task]) for kind in ("rows", "pairs"))
        yield rows, data_file(rows, task_data(board, number, at, found, base))
        if board.pairs:
            yield pairs, data_file(pairs, pairs_data(board.pairs))
    yield from assets().items()


def _remove_others(site: Path, written: set[str]) -> None:
    for pattern in ("entry-*.html", "task-*.html", "data-*.js"):
        for path in site.glob(pattern):
            if path.name not in written and _is_ours(path):
                path.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    """Whether a file was written by this program: a page by its generator, or as those of versions before by
    its last lines; data by the call that they are."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(2000)
        file.seek(max(0, path.stat().st_size - 500))
        return GENERATOR in start or start.startswith(GIVEN) or FOOTER in file.read()
