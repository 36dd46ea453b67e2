"""The leaderboard for a terminal, with the columns that fit its width. No torch."""

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..analysis.across_tasks import compare_over_tasks, why_not_compared
from ..analysis.leaderboard import TaskLeaderboard
from ..formatting import one_line
from . import notes
from .columns import fitting
from .latency import time_notes
from .over_tasks import over_tasks


class LeaderboardTable:
    """The leaderboards as a rich renderable: one table a task, with the columns that fit the terminal.

    Args:
        found: The leaderboards of all tasks.

    Example:
        >>> Console(width=40, highlight=False).print(LeaderboardTable([board]))
        made_up-net: test accuracy...
        rank   entry             hypervolume...
        1      dwf-3           0.581 ± 0.003...
        2      magnitude       0.397 ± 0.004...
    """

    def __init__(self, found: Sequence[TaskLeaderboard]) -> None:
        self.boards = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for board in self.boards:
            yield self._table(board, options.max_width)
            for text in (notes.budget(board), *notes.remarks(board)):
                yield Padding(Text(text, style="dim"), (0, 1))
            yield Text()
        if len(self.boards) > 1:
            result = compare_over_tasks(self.boards)
            for text in over_tasks(result) if result else [why_not_compared(self.boards) or ""]:
                yield Padding(Text(text, style="dim"), (0, 1))
        shown = dict.fromkeys(text for board in self.boards for text in _legend(board))
        for text in shown:
            yield Padding(Text(text, style="dim"), (0, 1))

    @staticmethod
    def _table(board: TaskLeaderboard, width: int) -> Table:
        title = Text(
            f"{one_line(board.task)}: {notes.basis(board)} ({notes.references(board)})", style="bold"
        )
        table = Table(title=title, title_justify="left", box=None, header_style="bold", padding=(0, 1))
        shown = fitting(board, width)
        for column in shown:
            table.add_column(column.title, justify="right" if column.right else "left", no_wrap=True)
        best = board.winner
        for row in board.rows:
            style = "dim" if row.baseline or row.rank is None else "green" if row.entry == best else ""
            table.add_row(*(Text(column.cell(row)) for column in shown), style=style)
        return table


def _legend(board: TaskLeaderboard) -> Iterator[str]:
    """Yields the notes on the marks that a table has."""
    yield from notes.marks(board)
    yield from time_notes(board)
    if any(row.tied is not None for row in board.rows):
        yield notes.ties(board)
