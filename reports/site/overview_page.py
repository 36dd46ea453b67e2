"""The overview page: the leaderboard of all tasks, their fronts, the comparison over tasks. No torch."""

from collections.abc import Sequence

from ..analysis.across_tasks import TasksComparison, compare_over_tasks, why_not_compared
from ..analysis.leaderboard import TaskLeaderboard
from ..formatting import format_hypervolume, one_line
from ..style import style_for
from ..tables import notes
from ..tables.notes import between
from .chart import payload
from .page_names import Addresses
from .table import headings, legend, lines, marks
from .template import render
from .values import listed


def overview_page(found: Sequence[TaskLeaderboard], at: Addresses, base: str | None = None) -> str:
    """Renders the overview, `index.html`: leaderboard and fronts of all tasks, and the comparison over tasks.

    Args:
        found: The leaderboards of all tasks; fewer than six are not compared, and a note gives the reason.
        at: File names of all pages, for links.
        base: The folder in which relative paths in commands are looked for; None where it is not known.

    Returns:
        The HTML document.

    Raises:
        ValueError: If a number of the chart is not finite, which JSON does not have.

    Example:
        >>> page = overview_page([board], Addresses.of([board]))
        >>> [line for line in page.splitlines() if "lead" in line]
        ['<p class="lead">3 entries on 1 task, 48 records.</p>']
    """
    heads, looks = headings(found), marks(found)
    result = compare_over_tasks(found)
    return render(
        "overview.html",
        title=listed({one_line(r.suite) for b in found for r in b.records}, most=3),
        boards=[_board(board, at) for board in found],
        headings=heads,
        lines=[line for n, b in enumerate(found) for line in lines(b, n, at, heads, looks)],
        entries=legend(looks, at, looks),
        standings=_standings(result, at) if result else [],
        over_tasks=notes.over_tasks(result) if result else [why_not_compared(found) or ""],
        explanations=list(dict.fromkeys(text for board in found for text in notes.explanations(board))),
        chart=payload(found, style_for(found), base=base),
        records=sum(len(board.records) for board in found),
    )


def _board(board: TaskLeaderboard, at: Addresses) -> dict[str, object]:
    said = [notes.basis(board), notes.references(board), notes.budget(board), *notes.remarks(board)]
    return {"name": one_line(board.task), "page": at.tasks[board.task], "notes": said}


def _standings(result: TasksComparison, at: Addresses) -> list[dict[str, str]]:
    """Returns a row for each entry; entries that share a letter are not significantly different."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [
        {
            "entry": one_line(s.entry),
            "page": at.entries[s.entry],
            "rank": f"{s.mean_rank:.2f}",
            "group": " ".join(letters[i % 26] for i, group in enumerate(result.groups) if s.entry in group),
            "hypervolume": format_hypervolume(s.hypervolume),
            "interval": between(s.interval, format_hypervolume),
        }
        for s in result.standings
    ]
