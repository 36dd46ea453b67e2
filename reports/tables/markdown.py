"""The leaderboard as a Markdown page: tables, figures and how to read them. No torch."""

from collections.abc import Mapping, Sequence

from ..analysis.across_tasks import compare_over_tasks, why_not_compared
from ..analysis.leaderboard import TaskLeaderboard
from ..analysis.pairwise import pairs_summary
from ..formatting import escape_markdown, format_hypervolume
from . import notes
from .columns import Column, columns, interval_columns
from .equal_trainings import equal_trainings, said, texts, titles
from .latency import latency_tables, size_table
from .over_tasks import over_tasks
from .wording import STATES


def to_markdown(found: Sequence[TaskLeaderboard], figures: Mapping[str, Sequence[str]] | None = None) -> str:
    """Returns the leaderboards as one Markdown page.

    Args:
        found: The leaderboards of the tasks.
        figures: File names of the figures to show under each task's table, by task; those of all tasks
            together have the empty name.

    Returns:
        The page: both tables and the notes of each task, the comparison over tasks, and how to read them.

    Example:
        >>> print(to_markdown([board]).splitlines()[8])
        | 1 | dwf-3 | 0.581 ± 0.003 | 97.8 | 97.7 | 97.7 | 95.2 | ...
    """
    shown = figures or {}
    lines = ["# Leaderboard", ""]
    for board in found:
        lines += [
            f"## {escape_markdown(board.task)}",
            "",
            escape_markdown(f"{notes.basis(board)}. {notes.references(board)}."),
            "",
        ]
        lines += [*_table(board, columns(board)), "", escape_markdown(notes.budget(board)), ""]
        lines += [f"{escape_markdown(text)}\n" for text in notes.remarks(board)]
        lines += [*_intervals(board), *_equal(board), *_latencies(board)]
        lines += _pictures(board.task, shown.get(board.task, ()))
    lines += [*_over_tasks(found), *_pictures("all tasks", shown.get("", ()))]
    lines += ["## How to read this", ""]
    texts = {text: None for board in found for text in notes.explanations(board)}
    if any(row.verified for board in found for row in board.rows):
        texts[STATES] = None
    lines += [f"- {text}" for text in texts]
    return "\n".join(lines) + "\n"


def _pictures(title: str, names: Sequence[str]) -> list[str]:
    return [f"![{escape_markdown(title)}]({name})\n" for name in names]


def _table(board: TaskLeaderboard, shown: Sequence[Column]) -> list[str]:
    return _grid(
        [column.title for column in shown],
        [column.right for column in shown],
        [[escape_markdown(column.cell(row)) for column in shown] for row in board.rows],
    )


def _grid(titles: Sequence[str], right: Sequence[bool], cells: Sequence[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(titles) + " |",
        "|" + "|".join("---:" if r else "---" for r in right) + "|",
        *("| " + " | ".join(line) + " |" for line in cells),
    ]


def _intervals(board: TaskLeaderboard) -> list[str]:
    """The second table, of numbers with intervals, and the pairwise summary; empty without intervals."""
    if not board.has_intervals:
        return []
    lines = [f"95% t-intervals over {notes.units(board)}:", "", *_table(board, interval_columns(board)), ""]
    sentence = pairs_summary(board.pairs)
    return [*lines, escape_markdown(sentence), ""] if sentence else lines


def _equal(board: TaskLeaderboard) -> list[str]:
    """The table at equal trainings per cell, with the sentence that says what it is."""
    found = equal_trainings(board)
    if found is None:
        return []
    cells = [[escape_markdown(text) for text in line] for line in texts(found)]
    heads = titles(found)
    return [escape_markdown(said(found)), "", *_grid(heads, [False, *[True] * (len(heads) - 1)], cells), ""]


def _latencies(board: TaskLeaderboard) -> list[str]:
    """The tables of measured times, each with what it shows."""
    lines = []
    sizes = size_table(board)
    for table in [*latency_tables(board), *([sizes] if sizes else [])]:
        cells = [[escape_markdown(text) for text in line] for line in table.rows]
        grid = _grid(table.titles, [False, *[True] * (len(table.titles) - 1)], cells)
        lines += [escape_markdown(table.said), "", *grid, ""]
    return lines


def _over_tasks(found: Sequence[TaskLeaderboard]) -> list[str]:
    result = compare_over_tasks(found)
    if result is None:
        return ["## Over tasks", "", escape_markdown(why_not_compared(found) or ""), ""]
    cells = [
        [
            escape_markdown(s.entry),
            f"{s.mean_rank:.2f}",
            format_hypervolume(s.mean_merit),
            notes.between(s.interval, format_hypervolume),
        ]
        for s in result.standings
    ]
    titles, right = ["entry", "mean rank", f"mean {result.merit}", "95% interval"], [False, True, True, True]
    return [
        "## Over tasks",
        "",
        *_grid(titles, right, cells),
        "",
        *(f"{escape_markdown(line)}\n" for line in over_tasks(result)),
    ]
