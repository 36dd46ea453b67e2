"""The leaderboard of the pages: the columns of the printed table, with their intervals. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..analysis.leaderboard import LeaderboardRow, TaskLeaderboard
from ..formatting import NOTHING, format_hypervolume, one_line
from ..style import Style, style_for
from ..tables import notes, wording
from ..tables.columns import Column, columns, interval_columns
from ..tables.notes import between
from .page_names import Addresses

GLYPHS = dict(zip("os^DvPX<>ph*", "●■▲◆▼✚✖◀▶⬟⬢★", strict=True))
COST = "training cost"
NEEDED = 50  # columns with a lower `need` are hidden until "all columns" is checked

MEANING = {  # of each heading: its tooltip
    "rank": "by hypervolume; ≈: not distinguishable from the entry above",
    "hypervolume": "area under the front above chance, 1 is dense accuracy kept throughout; ± sample sd",
    "best acc": "the best accuracy of any point, in %; †: learned nothing, so on no front",
    "largest": "largest compression of a point that learned something",
    "largest exact": "the same counting only weights below float32 eps as zeros",
    "speed-up": "theoretical, in multiply-accumulates, at the compression within 5 points of dense",
    "measured": "seconds of the dense network over the sparse one's, measured, at most 5 points below dense",
    "fail/div/coll": "runs that failed, diverged or collapsed",
    COST: "multiply-accumulates of training relative to dense training",
    wording.STATE: wording.STATES.removeprefix(f"{wording.STATE}: "),
}

MEASURED = {
    "rank": "by score; ≈: not distinguishable from the entry above",
    "score": "mean over the columns acc@c of (accuracy − chance) / (dense − chance); ± sample sd",
    "own zeros": "largest compression at most 5 points below dense that the method reached without a cut",
    "exact zeros": "the same counting only weights below float32 eps as zeros",
    "speed-up": "theoretical, in multiply-accumulates, at the compression of its own zeros",
    "knobs": "knobs that the search varied",
    "trainings": "those of the searches + those that confirm",
}
ALWAYS = {"knobs", "trainings"}  # of boards with common compressions


@dataclass(frozen=True)
class Mark:
    """The symbol of an entry on every page: the colour and the marker of the figures.

    Attributes:
        colour: Hex colour.
        glyph: The character that looks like matplotlib's marker.

    Example:
        >>> marks([board])["dwf-3"]
        Mark(colour='#0072B2', glyph='●')
    """

    colour: str
    glyph: str


@dataclass(frozen=True)
class Cell:
    """A cell of the leaderboard.

    Attributes:
        text: The number, as in the printed table.
        interval: Its 95% interval in brackets; empty where it has none.
        title: The tooltip, which says what its marks mean; empty for none.
        best: Whether no entry is significantly better in this column.

    Example:
        >>> best = lines(board, 0, Addresses.of([board]), headings([board]), marks([board]))[0]
        >>> best.cells[:2]  # rank, hypervolume
        [Cell(text='1', interval='', title='', best=False),
         Cell(text='0.581 ± 0.003', interval='[0.574, 0.588]', title='', best=False)]
    """

    text: str
    interval: str = ""
    title: str = ""
    best: bool = False


@dataclass(frozen=True)
class Heading:
    """The heading of a column.

    Attributes:
        title: The text, such as `acc@16`.
        number: Whether the cells are numbers, aligned at the right.
        meaning: The tooltip; empty for none.
        more: Whether the column is hidden until "all columns" is checked.

    Example:
        >>> headings([board])[2]
        Heading(title='acc@2', number=True, meaning='accuracy in % at compression 2', more=True)
    """

    title: str
    number: bool
    meaning: str
    more: bool = False


@dataclass(frozen=True)
class Line:
    """A row of the leaderboard: an entry on a task.

    Attributes:
        row: The numbers behind the texts.
        entry: The entry's name as text, with "(validation)" where it is not confirmed.
        page: The file name of the entry's page.
        task: The task's name as text.
        task_number: The task's number in the page's choice of tasks.
        task_page: The file name of the task's page.
        mark: The entry's symbol.
        cells: A cell for each heading.
        wins: Whether the entry is `TaskLeaderboard.winner`: of rank 1 and distinguishable from rank 2.

    Example:
        >>> rows = lines(board, 0, Addresses.of([board]), headings([board]), marks([board]))
        >>> [(line.entry, line.page, line.wins) for line in rows][:2]
        [('dwf-3', 'entry-dwf-3.html', True), ('magnitude', 'entry-magnitude.html', False)]
    """

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
    """Returns the symbol of each entry, in the colour and with the marker that the figures give it.

    Args:
        found: The leaderboards of all tasks: the set of their entries decides the colours.

    Returns:
        Symbols by entry, dense first, then in natural order.

    Example:
        >>> {entry: mark.glyph for entry, mark in marks([board]).items()}
        {'dense': '★', 'dwf-3': '●', 'magnitude': '■'}
    """
    styles: dict[str, Style] = style_for(found)
    return {entry: Mark(style[0], GLYPHS[style[1]]) for entry, style in styles.items()}


def legend(names: Iterable[str], at: Addresses, looks: dict[str, Mark]) -> list[tuple[str, str, Mark]]:
    """Returns the entries of the checkboxes beside a chart, in the order of `looks`.

    Args:
        names: The entries of the chart, in any order.
        at: File names of all pages.
        looks: Symbols of all entries, as `marks` returns them.

    Returns:
        The name as text, the page's file name and the symbol of each entry.

    Example:
        >>> legend(["dwf-3"], Addresses.of([board]), marks([board]))
        [('dwf-3', 'entry-dwf-3.html', Mark(colour='#0072B2', glyph='●'))]
    """
    wanted = set(names)
    return [(one_line(name), at.entries[name], look) for name, look in looks.items() if name in wanted]


def headings(found: Sequence[TaskLeaderboard]) -> list[Heading]:
    """Returns the headings of every column that any board has, except the entry's, which is in the template.

    Args:
        found: The leaderboards that share a table; one without a dense baseline has fewer columns.

    Returns:
        The headings from left to right; the training cost is the last but one.

    Example:
        >>> [heading.title for heading in headings([board])][-4:]
        ['largest exact', 'speed-up', 'training cost', 'fail/div/coll']
    """
    titles: dict[str, Column] = {}
    for board in found:
        for column in columns(board):
            titles.setdefault(column.title, column)
    order = [c for c in titles.values() if c.title != "entry"]
    measured = any(board.compressions for board in found)
    kept = [
        Heading(
            c.title, c.right, _meaning(c.title, measured), c.need < NEEDED and not (measured and _shown(c))
        )
        for c in order
    ]
    return [*kept[:-1], Heading(COST, True, MEANING[COST], True), kept[-1]]


def _shown(column: Column) -> bool:
    """Whether a column of a board with common compressions is never hidden."""
    return column.title in ALWAYS or column.title.startswith("acc@")


def page_notes(board: TaskLeaderboard) -> list[str]:
    """Returns the notes under a task's table on a page.

    Args:
        board: The task's leaderboard.

    Returns:
        What was measured, the references, the budget, what is unusual, and what the marks mean.

    Example:
        >>> page_notes(board)[1]
        'dense 98.2 ± 0.6 %, chance 10.0 %'
    """
    found = [notes.basis(board), notes.references(board), notes.budget(board), *notes.remarks(board)]
    return [*found, *notes.marks(board)]


def lines(board: TaskLeaderboard, number: int, at: Addresses, heads: Sequence[Heading],
          looks: dict[str, Mark], only: str | None = None) -> list[Line]:  # fmt: skip
    """Returns the rows of one board, or of one entry of it, for a table that several boards may share.

    Args:
        board: The task's leaderboard.
        number: The task's number in the page's choice of tasks, from 0.
        at: File names of all pages.
        heads: The headings of the table; a column that this board lacks gets "–".
        looks: Symbols of all entries, as `marks` returns them.
        only: The entry whose row alone is wanted; None for all.

    Returns:
        The rows in the order of the leaderboard.

    Example:
        >>> heads = [Heading("rank", True, ""), Heading("within 5", True, "")]
        >>> [line] = lines(board, 0, Addresses.of([board]), heads, marks([board]), only="dwf-3")
        >>> [cell.text for cell in line.cells]  # at most 5 points below dense up to compression 13.3
        ['1', '13.3']
    """
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
    at = next((c for c in row.accuracy_at if title == f"acc@{c:g}"), None)
    if row.score is None or at is None or row.accuracy_at[at] is None:
        return Cell(text, f"[{rest}" if bracket else "")
    return Cell(text, f"[{rest}" if bracket else "", _marked(at, row), row.best_at.get(at, False))


def _marked(at: float, row: LeaderboardRow) -> str:
    """Returns what the marks of an accuracy at a common compression mean, and how it was chosen."""
    said = [
        text
        for text, where in (
            ("the best here, or not distinguishable from it", row.best_at),
            ("cut to this compression by magnitude, without retraining", row.cut_at),
            ("learned nothing: adds 0 to the score", row.unlearned_at),
        )
        if where.get(at)
    ]
    if at in row.chosen_from:
        said.append(f"chosen from {row.chosen_from[at]} trainings of a search")
    return "; ".join(said)


def _meaning(title: str, measured: bool) -> str:
    if title.startswith("acc@"):
        return f"accuracy in %{' measured' if measured else ''} at compression {title[4:]}"
    if measured and title in MEASURED:
        return MEASURED[title]
    if title.startswith("to "):
        return "the score without the largest compression"
    if title.startswith("within"):
        return f"largest compression at most {title[7:]} points below dense"
    return MEANING.get(title.partition(",")[0], "")
