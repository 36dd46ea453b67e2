"""The overview page: the leaderboard of all tasks, their fronts, the comparison over tasks. No torch."""

from collections.abc import Sequence

from ..analysis.across_tasks import TasksComparison, why_not_compared
from ..analysis.leaderboard import TaskLeaderboard
from ..formatting import one_line
from ..tables import notes
from ..tables.over_tasks import over_tasks
from .data_files import INDEX
from .page_names import Addresses
from .table import headings, page_notes
from .template import render
from .values import listed


def overview_page(found: Sequence[TaskLeaderboard], at: Addresses, result: TasksComparison | None) -> str:
    """Renders the overview, `index.html`: leaderboard and fronts of all tasks, and the comparison over tasks.

    What grows with the entries is not in it: the page loads `index_data`, and `task_data` of chosen tasks.

    Args:
        found: The leaderboards of all tasks; fewer than six are not compared, and a note gives the reason.
        at: File names of all pages, for links.
        result: The comparison over tasks; None where there is none.

    Returns:
        The HTML document.

    Example:
        >>> page = overview_page([board], Addresses.of([board]), None)
        >>> [line for line in page.splitlines() if "lead" in line]
        ['<p class="lead">3 entries on 1 task, 48 records.</p>']
    """
    return render(
        "overview.html",
        title=listed({one_line(r.suite) for b in found for r in b.records}, most=3),
        boards=[_board(board, at) for board in found],
        headings=headings(found),
        rows=sum(len(board.rows) for board in found),
        intervals=any(board.has_intervals for board in found),
        entries=len({row.entry for board in found for row in board.rows}),
        compared=len(result.standings) if result else 0,
        merit=result.merit if result else "",
        over_tasks=over_tasks(result) if result else [why_not_compared(found) or ""],
        explanations=list(dict.fromkeys(text for board in found for text in notes.explanations(board))),
        chart={"part": INDEX},
        measured=any(board.compressions for board in found),
        records=sum(len(board.records) for board in found),
    )


def _board(board: TaskLeaderboard, at: Addresses) -> dict[str, object]:
    said = page_notes(board)
    return {"name": one_line(board.task), "page": at.tasks[board.task], "notes": said}
