"""The data of the interactive chart: every point with its trial, its knobs and its command. No torch."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...commands import shown_command
from ...learning import learned
from ...records.choice import points_of
from ...records.pareto import front
from ...records.record import Record
from ..accuracy_scale import focus_on
from ..analysis.grouping import seed_result
from ..analysis.leaderboard import TaskLeaderboard
from ..analysis.points import XY, Point
from ..analysis.scores import cells
from ..formatting import one_line
from ..style import DASHES, Style
from .values import knobs

SYMBOLS = {
    "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross",
    "X": "x", "<": "triangle-left", ">": "triangle-right", "p": "pentagon", "h": "hexagon", "*": "star",
}  # fmt: skip
STROKES = dict(zip(DASHES, ("solid", "dash", "dot", "dashdot"), strict=True))

Payload = dict[str, Any]


def payload(
    found: Sequence[TaskLeaderboard],
    styles: Mapping[str, Style],
    entries: Iterable[str] | None = None,
    searched: str | None = None,
    base: str | None = None,
    points: bool = True,
) -> Payload:
    """Returns the JSON data of a page's chart of fronts: its axes, tasks, entries and points.

    Args:
        found: The leaderboards whose points the chart has.
        styles: Colour, marker and dash of each entry, in the order in which the chart lists entries.
        entries: The entries to include; None for all.
        searched: The entry, one of `entries`, whose search trials are included, at validation accuracy.
        base: The folder in which relative paths in commands are looked for; None where it is not known.
        points: Whether the points are included; False where a page loads them task by task.

    Returns:
        Lists under `axes`, `tasks`, `entries` and `points`. In a point `t` and `e` are indices into `tasks`
        and `entries`; `x` has a ratio, or None, for each axis; `y` and `ye` are accuracies as fractions, at
        the validated threshold and at exact zeros; `fronts` is 1 for each axis on whose line the point lies.
        A point at a common compression has `cut`, 1 where it was cut to it, and `ends`, its 95% interval;
        what methods reached by themselves is marked `own`.

    Example:
        >>> chart = payload([board], {"dwf-3": ("#0072B2", "o", (0, ()))})
        >>> chart["entries"]
        [{'name': 'dwf-3', 'colour': '#0072B2', 'symbol': 'circle', 'dash': 'solid'}]
        >>> {key: chart["points"][1][key] for key in ("t", "e", "x", "y", "fronts")}
        {'t': 0, 'e': 0, 'x': [13.2953, 4.72301, 7.92437], 'y': 0.976268, 'fronts': [1, 1, 1]}
    """
    shown = set(entries) if entries is not None else {row.entry for b in found for row in b.rows}
    names = [name for name in styles if name in shown]
    made = [p for n, board in enumerate(found) for p in _points(n, board, names, base)] if points else []
    if searched is not None:
        made += _trials(found, searched, names.index(searched))
    return {
        "axes": ["compression", "compression, exact zeros", "theoretical speed-up"],
        "tasks": [_task(board) for board in found],
        "entries": [_entry(name, styles[name]) for name in names],
        "points": made,
    }


def _task(board: TaskLeaderboard) -> Payload:
    focus = focus_on(board.accuracies, board.chance, board.dense)
    return {
        "name": one_line(board.task),
        "source": board.source,
        "dense": board.dense,
        "chance": board.chance,
        "from": focus.bend,
        "to": focus.top,
        **({"at": list(board.compressions)} if board.compressions else {}),
    }


def _entry(name: str, style: Style) -> Payload:
    colour, marker, dash = style
    return {"name": one_line(name), "colour": colour, "symbol": SYMBOLS[marker], "dash": STROKES[dash]}


def _points(number: int, board: TaskLeaderboard, names: Sequence[str], base: str | None) -> list[Payload]:
    made = []
    for e, name in enumerate(names):
        own = board.own.get(name, []) if board.compressions else board.points.get(name, [])
        fronts = [{id(p) for p in front([p for p in own if _learned(p, xy)], _known(xy))} for xy in AXES]
        told = {"t": number, "e": e}
        for point in cells(board.points.get(name, [])):
            made.append({**told, "fronts": [int(point.learned), 0, 0], **_cell(point, board.searched, base)})
        for point in own:
            flags = [int(id(point) in members) for members in fronts]
            mark = {"own": 1} if board.compressions else {}
            made.append({**told, "fronts": flags, **mark, **_point(point, board.searched, base)})
    return made


def _cell(point: Point, searched: Mapping[str, Record], base: str | None) -> Payload:
    """Returns a point at a common compression: it has no other place on the axes of own zeros and speed."""
    ends = point.accuracy_interval
    return {
        **_point(point, searched, base), "x": [point.at, None, None], "ye": None, "cut": int(point.cut),
        **({"ends": [_digits(ends.low), _digits(ends.high)]} if ends else {}),
    }  # fmt: skip


def _learned(point: Point, xy: Callable[[Point], XY | None]) -> bool:
    """Whether a point has a place on an axis and has learned something there."""
    at = xy(point)
    return at is not None and learned(at[1], point.chance)


def _xy(point: Point) -> XY | None:
    return point.xy


def _exact(point: Point) -> XY | None:
    return point.xy_exact


def _fast(point: Point) -> XY | None:
    return None if point.speedup is None else (math.log10(point.speedup), point.accuracy.mean)


AXES: tuple[Callable[[Point], XY | None], ...] = (_xy, _exact, _fast)


def _known(xy: Callable[[Point], XY | None]) -> Callable[[Point], XY]:
    return lambda point: xy(point) or (0.0, 0.0)


def _point(point: Point, searched: Mapping[str, Record], base: str | None) -> Payload:
    record = point.outcomes[0].record
    origin = searched.get(record.confirms or "", record)
    number = "" if origin.trial is None else f"trial {origin.trial}, "
    exact = point.xy_exact
    seeds = ", ".join(str(o.seed) for o in point.outcomes)
    return {
        "x": [_digits(point.compression), exact and _digits(10 ** exact[0]), _digits(point.speedup)],
        "y": _digits(point.accuracy.mean),
        "sd": _digits(point.accuracy.sd),
        **({} if point.learned else {"dead": 1}),
        "ye": exact and _digits(exact[1]),
        "trial": f"{number}{one_line(origin.id)}; seeds {seeds}",
        "knobs": knobs(origin),
        "command": shown_command(record.command, base),
    }


def own_records(found: Sequence[TaskLeaderboard], entry: str) -> list[tuple[int, Record]]:
    """Returns an entry's records in the order of the table of trials on its page.

    Args:
        found: The leaderboards of the page.
        entry: The entry's name.

    Returns:
        Pairs of a board's number in `found` and a record of its task.

    Example:
        >>> [(number, record.id) for number, record in own_records([board], "dwf-3")][:2]
        [(0, '4420b830c6de7c01'), (0, '2f8ffdfd31ac0f6e')]
    """
    return [(number, r) for number, board in enumerate(found) for r in board.records_of.get(entry, ())]


def _trials(found: Sequence[TaskLeaderboard], entry: str, e: int) -> list[Payload]:
    """Returns the search trials, at validation accuracy, of tasks where the entry's points are confirmed.

    `row` is the trial's row in the page's table, from which the script reads its knobs and its command.
    """
    made = []
    for row, (number, record) in enumerate(own_records(found, entry)):
        board = found[number]
        if record.phase == "search" and any(p.source == "test" for p in board.points[entry]):
            if board.compressions:
                made += [{"t": number, "e": e, **at, "searched": 1, "row": row} for at in _aimed(record)]
                continue
            seen = seed_result(record, board.chance, "validation")
            if seen is not None:
                at_eps = seen.exact
                x = [_digits(10**seen.x), at_eps and _digits(10 ** at_eps[0]), _digits(seen.speedup)]
                y, ye = _digits(seen.accuracy), at_eps and _digits(at_eps[1])
                made.append({"t": number, "e": e, "x": x, "y": y, "ye": ye, "searched": 1, "row": row})
    return made


def _aimed(record: Record) -> list[Payload]:
    """Returns what a search trial shows at the compression that it was assigned, on validation data."""
    point = points_of(record).get(record.aim or 1.0)
    return [{"x": [point.at, None, None], "y": _digits(point.val_accuracy), "ye": None}] if point else []


def _digits(value: float | None) -> float | None:
    """Returns a number with six significant digits: more are not visible and make the page larger."""
    return None if value is None else float(f"{value:.6g}")
