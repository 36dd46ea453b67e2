"""The data of the chart of accuracy against milliseconds, and of the tables beside it. No torch."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from ..analysis.leaderboard import TaskLeaderboard
from ..formatting import one_line
from ..style import Style
from ..tables.latency import latency_tables, size_table
from .chart import SYMBOLS
from .page_names import Addresses
from .table import Mark

Payload = dict[str, Any]


def latency_sections(board: TaskLeaderboard, at: Addresses, looks: Mapping[str, Mark]) -> list[Payload]:
    """Returns the tables of measured times for a task's page.

    Args:
        board: The task's leaderboard.
        at: File names of all pages, for links.
        looks: The symbols of the entries.

    Returns:
        One a machine and batch size, then one of sizes: its title, what it shows, headings and rows.

    Example:
        >>> latency_sections(board, Addresses.of([board]), {})
        []
    """
    by_name = {one_line(row.entry): row.entry for row in board.rows}
    tables = [(_title(table.machine.title, table.batch), table) for table in latency_tables(board)]
    if sizes := size_table(board):
        tables.append(("Sizes", sizes))
    return [
        {
            "title": title,
            "said": table.said,
            "titles": table.titles,
            "rows": [(n, at.entries[by_name[n]], looks[by_name[n]], cells) for n, *cells in table.rows],
        }
        for title, table in tables
    ]


def _title(machine: str, batch: int) -> str:
    return f"{one_line(machine)}, batch {batch}"


def latency_payload(board: TaskLeaderboard, styles: Mapping[str, Style]) -> Payload:
    """Returns the JSON data of a task's chart of accuracy against milliseconds.

    Args:
        board: The task's leaderboard.
        styles: Colour, marker and dash of each entry.

    Returns:
        `machines` are the choices, one a machine and batch size, each with its dense network's milliseconds;
        a point has the numbers of its machine `m` and entry `e`, milliseconds with quartiles, and accuracy.

    Example:
        >>> from dataclasses import replace
        >>> times = (made_up_latency("dwf-3", at=64, batch=64),)
        >>> chart = latency_payload(replace(board, latencies=times), {"dwf-3": ("#0072B2", "o", (0, ()))})
        >>> chart["machines"], [(point["e"], point["x"], point["speed"]) for point in chart["points"]]
        ([{'title': 'Made-up CPU, 1 thread, batch 64', 'dense': 0.1}], [(0, 0.04, 2.5)])
    """
    tables = latency_tables(board)
    number = {(table.machine.key, table.batch): i for i, table in enumerate(tables)}
    names = [name for name in styles if any(one.entry == name for one in board.latencies)]
    points = []
    for one in board.latencies:
        accuracy = _accuracy(board, one.entry, one.at)
        if accuracy is None or one.entry not in names:
            continue
        timing = one.sparse[one.fastest_sparse]
        points.append(
            {
                "m": number[one.machine.key, one.batch],
                "e": names.index(one.entry),
                "at": one.at,
                "x": 1e3 * timing.median,
                "low": 1e3 * timing.low,
                "high": 1e3 * timing.high,
                "y": accuracy,
                "speed": one.speedup,
                "way": one_line(one.fastest_sparse),
                "than": one_line(one.fastest_dense),
            }
        )
    return {
        "machines": [
            {"title": _title(t.machine.title, t.batch), "dense": _dense(board, t.machine.key, t.batch)}
            for t in tables
        ],
        "entries": [
            {"name": one_line(name), "colour": styles[name][0], "symbol": SYMBOLS[styles[name][1]]}
            for name in names
        ],
        "dense": board.dense,
        "source": board.source,
        "points": points,
    }


def _accuracy(board: TaskLeaderboard, entry: str, at: float | None) -> float | None:
    row = board.row(entry)
    return row.best_accuracy if at is None else row.accuracy_at.get(at)


def _dense(board: TaskLeaderboard, machine: tuple[str, ...], batch: int) -> float:
    own = (one for one in board.latencies if one.machine.key == machine and one.batch == batch)
    return 1e3 * median(one.dense_seconds for one in own)
