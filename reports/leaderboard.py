"""The leaderboard: Markdown, CSV, JSON and a terminal table, and all of a run's report files. No torch."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..bench.records import Record
from . import notes
from .columns import columns, fitting
from .files import write_atomic
from .pareto import X_MAX
from .points import Point
from .rows import Board, Row, boards, on_front, rows
from .text import markdown, plain

__all__ = ["Board", "Row", "boards", "rows", "terminal", "to_csv", "to_json", "to_markdown", "write"]

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
        for row in board.rows:
            style = "dim" if row.baseline or row.rank is None else "green" if row.rank == 1 else ""
            table.add_row(*(Text(column.cell(row)) for column in shown), style=style)
        return table


def to_markdown(found: Sequence[Board], figures: Mapping[str, Sequence[str]] | None = None) -> str:
    """All boards as one Markdown page. `figures`: file names to show under a task's table, by task."""
    lines = ["# Leaderboard", ""]
    for board in found:
        lines += [f"## {markdown(board.task)}", "", f"{notes.status(board)}. {notes.references(board)}.", ""]
        lines += [*_table(board), "", notes.budget(board), ""]
        lines += [f"{markdown(text)}\n" for text in notes.remarks(board)]
        lines += [f"![{markdown(board.task)}]({name})\n" for name in (figures or {}).get(board.task, ())]
    lines += ["## How to read this", ""]
    texts = {text: None for board in found for text in notes.explanations(board)}
    lines += [f"- {text}" for text in texts]
    return "\n".join(lines) + "\n"


def _table(board: Board) -> list[str]:
    shown = columns(board)
    cells = [[markdown(column.cell(row)) for column in shown] for row in board.rows]
    return [
        "| " + " | ".join(column.title for column in shown) + " |",
        "|" + "|".join("---:" if column.right else "---" for column in shown) + "|",
        *("| " + " | ".join(line) + " |" for line in cells),
    ]


def flat(row: Row) -> dict[str, Any]:
    """A row as one level of names: accuracy_at_64, within_5_points, within_5_points_exact, …"""
    out: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name == "accuracy_at":
            out |= {f"accuracy_at_{c}": v for c, v in value.items()}
        elif name in ("within", "within_exact"):
            tail = name.removeprefix("within")
            out |= {f"within_{round(100 * tol)}_points{tail}": v for tol, v in value.items()}
        else:
            out[name] = value
    return out


def to_csv(found: Sequence[Board]) -> str:
    """One line a row, every number the leaderboard has, unrounded; an empty cell is "no such number"."""
    lines = [flat(row) for board in found for row in board.rows]
    names = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def to_json(found: Sequence[Board]) -> str:
    """Boards, rows and the points behind them; `points` hold means, sample sds and the seeds' count."""
    content = {"schema": 1, "tasks": [_board_json(board) for board in found]}
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _board_json(board: Board) -> dict[str, Any]:
    fronts = {entry: on_front(points) for entry, points in board.points.items()}
    return {
        "task": board.task,
        "source": board.source,
        "chance": board.chance,
        "dense_accuracy": board.dense,
        "dense_accuracy_sd": board.dense_sd,
        "x_max": board.x_max,
        "notes": [notes.status(board), notes.budget(board), *notes.remarks(board)],
        "rows": [flat(row) for row in board.rows],
        "points": [
            _point_json(p, p in fronts[entry]) for entry, group in board.points.items() for p in group
        ],
    }


def _point_json(point: Point, front: bool) -> dict[str, Any]:
    exact = point.xy_exact
    return {
        "entry": point.entry,
        "key": point.key,
        "source": point.source,
        "front": front,
        "seeds": len(point.outcomes),
        "accuracy": point.accuracy.mean,
        "accuracy_sd": point.accuracy.sd,
        "compression": point.compression,
        "log10_compression_sd": point.x.sd,
        "accuracy_exact": exact[1] if exact else None,
        "compression_exact": 10 ** exact[0] if exact else None,
        "speedup": point.speedup,
        "training_flops_ratio": point.mean_of(lambda record: record.training_flops_ratio),
        "seconds": point.mean_of(lambda record: record.seconds),
        "failed": point.failures,
        "diverged": point.diverged,
        "collapsed": point.collapses,
    }


def write(folder: Path, records: Iterable[Record], x_max: XMax = X_MAX) -> list[Path]:
    """Write leaderboard.md, .csv, .json and the figures into `folder`; each file appears whole or not at all.

    Returns the paths, the leaderboard first. Errors: no records; a folder that cannot be written.
    """
    from . import figures  # drawing libraries load in seconds: a terminal table does not wait for them

    folder = Path(folder)
    found = boards(records, x_max)
    tables = [
        write_atomic(folder / "leaderboard.csv", to_csv(found)),
        write_atomic(folder / "leaderboard.json", to_json(found)),
    ]
    pictures: dict[str, list[Path]] = {}
    style = figures.style_for(found)
    for board in found:
        pictures[board.task] = figures.draw_all(board, folder, style)
    shown = {task: [p.name for p in paths if p.suffix == ".png"] for task, paths in pictures.items()}
    page = write_atomic(folder / "leaderboard.md", to_markdown(found, shown))
    return [page, *tables, *(path for paths in pictures.values() for path in paths)]
