"""The leaderboard for readers: Markdown and a terminal table; and all of a run's report files. No torch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..bench.records import Record
from . import notes
from .columns import Column, columns, fitting, interval_columns
from .export import pairs_csv, to_csv, to_json
from .files import write_atomic
from .latex import to_latex
from .overall import overall, why_not
from .pairs import pairs, summary
from .pareto import X_MAX
from .rows import Board, Row, boards, rows
from .text import markdown, plain, share

if TYPE_CHECKING:
    from .shares import Importance

__all__ = [
    "Board",
    "Row",
    "boards",
    "pairs_csv",
    "rows",
    "terminal",
    "to_csv",
    "to_json",
    "to_latex",
    "to_markdown",
    "write",
]

XMax = float | Mapping[str, float]


class terminal:
    """A rich renderable: one table a task, with the columns that the terminal has room for."""

    def __init__(self, records: Iterable[Record], x_max: XMax = X_MAX) -> None:
        self.boards = boards(records, x_max)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for board in self.boards:
            yield self._table(board, options.max_width)
            for text in (notes.budget(board), *notes.remarks(board)):
                yield Padding(Text(text, style="dim"), (0, 1))
            yield Text()
        if len(self.boards) > 1:
            result = overall(self.boards)
            for text in notes.over_tasks(result) if result else [why_not(self.boards) or ""]:
                yield Padding(Text(text, style="dim"), (0, 1))
        ties = any(row.tied is not None for board in self.boards for row in board.rows)
        if ties:
            yield Padding(Text(notes.TIES, style="dim"), (0, 1))

    @staticmethod
    def _table(board: Board, width: int) -> Table:
        title = Text(f"{plain(board.task)}: {notes.status(board)} ({notes.references(board)})", style="bold")
        table = Table(title=title, title_justify="left", box=None, header_style="bold", padding=(0, 1))
        shown = fitting(board, width)
        for column in shown:
            table.add_column(column.title, justify="right" if column.right else "left", no_wrap=True)
        best = board.winner
        for row in board.rows:
            style = "dim" if row.baseline or row.rank is None else "green" if row.entry == best else ""
            table.add_row(*(Text(column.cell(row)) for column in shown), style=style)
        return table


def to_markdown(found: Sequence[Board], figures: Mapping[str, Sequence[str]] | None = None) -> str:
    """All boards as one Markdown page. `figures`: file names to show under a task's table, by task.

    The figures under the empty name are of all tasks together.
    """
    shown = figures or {}
    lines = ["# Leaderboard", ""]
    for board in found:
        lines += [f"## {markdown(board.task)}", "", f"{notes.status(board)}. {notes.references(board)}.", ""]
        lines += [*_table(board, columns(board)), "", notes.budget(board), ""]
        lines += [f"{markdown(text)}\n" for text in notes.remarks(board)]
        lines += _intervals(board)
        lines += _pictures(board.task, shown.get(board.task, ()))
    lines += [*_over_tasks(found), *_pictures("all tasks", shown.get("", ()))]
    lines += ["## How to read this", ""]
    texts = {text: None for board in found for text in notes.explanations(board)}
    lines += [f"- {text}" for text in texts]
    return "\n".join(lines) + "\n"


def _pictures(title: str, names: Sequence[str]) -> list[str]:
    return [f"![{markdown(title)}]({name})\n" for name in names]


def _table(board: Board, shown: Sequence[Column]) -> list[str]:
    return _grid(
        [column.title for column in shown],
        [column.right for column in shown],
        [[markdown(column.cell(row)) for column in shown] for row in board.rows],
    )


def _grid(titles: Sequence[str], right: Sequence[bool], cells: Sequence[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(titles) + " |",
        "|" + "|".join("---:" if r else "---" for r in right) + "|",
        *("| " + " | ".join(line) + " |" for line in cells),
    ]


def _intervals(board: Board) -> list[str]:
    """The second table: every number with its interval; nothing where no row has one."""
    if all(row.best_accuracy_interval is None for row in board.rows):
        return []
    lines = ["95% t-intervals over seeds:", "", *_table(board, interval_columns(board)), ""]
    said = summary(pairs(board))
    return [*lines, said, ""] if said else lines


def _over_tasks(found: Sequence[Board]) -> list[str]:
    result = overall(found)
    if result is None:
        return ["## Over tasks", "", why_not(found) or "", ""]
    cells = [
        [markdown(s.entry), f"{s.mean_rank:.2f}", share(s.hypervolume), notes.between(s.interval, share)]
        for s in result.standings
    ]
    titles, right = ["entry", "mean rank", "mean hypervolume", "95% interval"], [False, True, True, True]
    return [
        "## Over tasks",
        "",
        *_grid(titles, right, cells),
        "",
        *(f"{line}\n" for line in notes.over_tasks(result)),
    ]


def write(
    folder: Path,
    records: Iterable[Record],
    x_max: XMax = X_MAX,
    importance: Mapping[str, "Importance"] | None = None,
    processes: int = 1,
) -> list[Path]:
    """Write tables, figures and the site into `folder`; each file appears whole or not at all.

    `importance`: of the knobs, by task, where somebody has computed it; it is drawn, not computed here.
    `processes`: so many, at most, draw the figures.
    Returns the paths, the leaderboard first. Errors: no records; a folder that cannot be written.
    """
    folder = Path(folder)
    found = boards(records, x_max)
    tables = [
        write_atomic(folder / "leaderboard.csv", to_csv(found)),
        write_atomic(folder / "pairs.csv", pairs_csv(found)),
        write_atomic(folder / "leaderboard.json", to_json(found)),
        write_atomic(folder / "leaderboard.tex", to_latex(found)),
    ]
    from .drawing import drawn  # drawing libraries load in seconds: a terminal table does not wait for them

    pictures = drawn(folder, found, importance or {}, processes)
    shown = {task: [p.name for p in paths if p.suffix == ".png"] for task, paths in pictures.items()}
    page = write_atomic(folder / "leaderboard.md", to_markdown(found, shown))
    return [page, *tables, *(path for paths in pictures.values() for path in paths), *_site(folder, found)]


def _site(folder: Path, found: Sequence[Board]) -> list[Path]:
    from .site import write_site  # as with the figures

    return write_site(folder, found)
