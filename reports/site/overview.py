"""The first page: the leaderboard of all tasks, their fronts, and the comparison over tasks. No torch."""

from collections.abc import Sequence

from .. import notes
from ..figures import style_for
from ..notes import between
from ..overall import Overall, overall, why_not
from ..rows import Board
from ..text import plain, share
from .address import Addresses
from .chart import payload
from .table import headings, legend, lines, marks
from .template import render
from .words import listed


def overview_page(found: Sequence[Board], at: Addresses) -> str:
    """`index.html` of all boards."""
    heads, looks = headings(found), marks(found)
    result = overall(found)
    return render(
        "overview.html",
        title=listed({plain(r.suite) for b in found for r in b.records}, most=3),
        boards=[_board(board, at) for board in found],
        headings=heads,
        lines=[line for n, b in enumerate(found) for line in lines(b, n, at, heads, looks)],
        entries=legend(looks, at, looks),
        standings=_standings(result, at) if result else [],
        over_tasks=notes.over_tasks(result) if result else [why_not(found) or ""],
        explanations=list(dict.fromkeys(text for board in found for text in notes.explanations(board))),
        chart=payload(found, style_for(found)),
        records=sum(len(board.records) for board in found),
    )


def _board(board: Board, at: Addresses) -> dict[str, object]:
    said = [notes.status(board), notes.references(board), notes.budget(board), *notes.remarks(board)]
    return {"name": plain(board.task), "page": at.tasks[board.task], "notes": said}


def _standings(result: Overall, at: Addresses) -> list[dict[str, str]]:
    """One line an entry; entries that share a letter cannot be told apart."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [
        {
            "entry": plain(s.entry),
            "page": at.entries[s.entry],
            "rank": f"{s.mean_rank:.2f}",
            "group": " ".join(letters[i % 26] for i, group in enumerate(result.groups) if s.entry in group),
            "hypervolume": share(s.hypervolume),
            "interval": between(s.interval, share),
        }
        for s in result.standings
    ]
