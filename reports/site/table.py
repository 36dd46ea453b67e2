"""Leaderboard rows for the pages: the printed table's columns, with intervals beside them. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..analysis.boards import LeaderboardRow, TaskLeaderboard
from ..formatting import NOTHING, format_hypervolume, one_line
from ..style import Style, style_for
from ..tables.columns import Column, columns, interval_columns
from ..tables.notes import between
from .page_names import Addresses

GLYPHS = dict(zip("os^DvPX<>ph*", "●■▲◆▼✚✖◀▶⬟⬢★", strict=True))
COST = "training cost"
NEEDED = 50  # columns that are needed less are shown when asked for

# What each heading means, for readers who come without the paper.
MEANING = {
    "rank": "by hypervolume; ≈: not distinguishable from the entry above",
    "hypervolume": "area under the front above chance, 1 is dense accuracy kept throughout; ± sample sd",
    "best acc": "the best accuracy of any point, in %",
    "largest": "largest compression above 1.5 × chance",
    "largest exact": "the same counting only weights below float32 eps as zeros",
    "speed-up": "theoretical, in multiply-accumulates, at the compression within 5 points of dense",
    "fail/div/coll": "runs that failed, diverged or collapsed",
    COST: "multiply-accumulates of training relative to dense training",
}


@dataclass(frozen=True)
class Mark:
    """How an entry looks everywhere: colour, and the figures' marker as a character."""

    colour: str
    glyph: str


@dataclass(frozen=True)
class Cell:
    """A number as text, and its interval where it has one."""

    text: str
    interval: str = ""


@dataclass(frozen=True)
class Heading:
    """A column's; `more`: shown when all columns are asked for."""

    title: str
    number: bool
    meaning: str
    more: bool = False


@dataclass(frozen=True)
class Line:
    """A row: its entry and task with their pages and mark, and a cell a heading; `wins`: `Board.winner`."""

    row: LeaderboardRow
    entry: str
    page: str
    task: str
    task_number: int
    task_page: str
    mark: Mark
    cells: list[Cell]
    wins: bool


def marks(found: Sequence[TaskLeaderboard]) -> dict[str, Mark]:
    """By entry, from the figures' own style."""
    styles: dict[str, Style] = style_for(found)
    return {entry: Mark(style[0], GLYPHS[style[1]]) for entry, style in styles.items()}


def legend(names: Iterable[str], at: Addresses, looks: dict[str, Mark]) -> list[tuple[str, str, Mark]]:
    """What the chart's choice of entries shows, dense first as in the figures: text, page, mark."""
    wanted = set(names)
    return [(one_line(name), at.entries[name], look) for name, look in looks.items() if name in wanted]


def headings(found: Sequence[TaskLeaderboard]) -> list[Heading]:
    """Every column that any board has, less the entry's name, which is a link in the page."""
    titles: dict[str, Column] = {}
    for board in found:
        for column in columns(board):
            titles.setdefault(column.title, column)
    order = [c for c in titles.values() if c.title != "entry"]
    kept = [Heading(c.title, c.right, _meaning(c.title), c.need < NEEDED) for c in order]
    return [*kept[:-1], Heading(COST, True, MEANING[COST], True), kept[-1]]


def lines(board: TaskLeaderboard, number: int, at: Addresses, heads: Sequence[Heading],
          looks: dict[str, Mark], only: str | None = None) -> list[Line]:  # fmt: skip
    """The rows of one board (or of one entry of it) under headings that may be wider than its own."""
    shown = {c.title: c for c in columns(board)}
    ends = {c.title: c for c in interval_columns(board)}
    best = board.winner
    return [
        Line(
            row, _named(row), at.entries[row.entry], one_line(board.task), number, at.tasks[board.task],
            looks[row.entry], [_cell(head.title, row, shown, ends) for head in heads], row.entry == best,
        )
        for row in board.rows
        if only in (None, row.entry)
    ]  # fmt: skip


def _named(row: LeaderboardRow) -> str:
    return one_line(row.entry) + ("" if row.source == "test" else " (validation)")


def _cell(title: str, row: LeaderboardRow, shown: dict[str, Column], ends: dict[str, Column]) -> Cell:
    if title == COST:
        found = row.training_flops_ratio_interval
        return Cell(
            format_hypervolume(row.training_flops_ratio),
            f"[{between(found, format_hypervolume)}]" if found else "",
        )
    text = shown[title].cell(row) if title in shown else NOTHING
    _, bracket, rest = ends[title].cell(row).partition(" [") if title in ends else ("", "", "")
    return Cell(text, f"[{rest}" if bracket else "")


def _meaning(title: str) -> str:
    if title.startswith("acc@"):
        return f"accuracy in % at compression {title[4:]}"
    if title.startswith("within"):
        return f"largest compression at most {title[7:]} points below dense"
    return MEANING.get(title, "")
