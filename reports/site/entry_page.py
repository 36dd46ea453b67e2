"""An entry's page: its equation, its knobs, its results on each task, its front, its trials. No torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...commands import shown_command
from ...method_docs import KnobDoc, MethodDoc
from ...records.choice import points_of
from ...records.record import Record
from ..analysis.leaderboard import DENSE, TaskLeaderboard
from ..formatting import format_percent, format_ratio, one_line
from ..style import style_for
from .chart import own_records, payload
from .curve_table import curve_table
from .page_names import Addresses
from .table import headings, legend, lines, marks
from .template import render
from .values import knobs, listed, value, value_range


def entry_page(
    entry: str,
    found: Sequence[TaskLeaderboard],
    at: Addresses,
    methods: Mapping[str, MethodDoc],
    base: str | None = None,
) -> str:
    """Renders the page of an entry, over all boards that have it.

    Args:
        entry: The entry's name.
        found: The leaderboards of all tasks; they decide the entry's colour and marker.
        at: File names of all pages, for links.
        methods: Descriptions of methods by name; where the entry's is missing, the page has no equation.
        base: The folder in which relative paths in commands are looked for; None where it is not known.

    Returns:
        The HTML document.

    Raises:
        ValueError: If a number of the chart is not finite, which JSON does not have.

    Example:
        >>> page = entry_page("dwf-3", [board], Addresses.of([board]), methods={})
        >>> [line for line in page.splitlines() if "<title>" in line or "lead" in line]
        ['<title>dwf-3 · sparsebench</title>', '<p class="lead">Method <code>dwf</code></p>']
    """
    # Data: the boards that have the entry, its records by board, and the dense entries to compare it with.
    its = [board for board in found if entry in board.points]
    numbered = own_records(its, entry)
    own = [record for _, record in numbered]
    names = {record.method for record in own}
    heads, looks = headings(its), marks(found)
    dense = [r.entry for b in its for r in b.rows if r.method == DENSE]
    return render(
        "entry.html",
        title=one_line(entry),
        mark=looks[entry],
        method=listed({one_line(name) for name in names}),
        text=methods.get(own[0].method) if len(names) == 1 else None,
        knobs=_knobs(own, methods.get(own[0].method)),
        headings=heads,
        lines=[line for n, b in enumerate(its) for line in lines(b, n, at, heads, looks, entry)],
        entries=legend([entry, *dense], at, looks),
        tasks=[one_line(board.task) for board in its],
        curves=[table for board in its if (table := curve_table(board, entry))],
        measured=any(board.compressions for board in its),
        searches=any(record.replicate for record in own),
        trials=[_trial(record, number, base) for number, record in numbered],
        chart=payload(its, style_for(found), [entry, *dense], searched=entry, base=base),
    )  # fmt: skip


def _knobs(own: Sequence[Record], text: MethodDoc | None) -> list[dict[str, str]]:
    """Returns the rows of the table of knobs: their values in the trials, and their descriptions if known."""
    told = {knob.name: knob for knob in text.knobs} if text else {}
    names = dict.fromkeys([*told, *(n for r in own for n in (*r.knobs, *r.params))])
    return [
        {"name": one_line(name), "used": _used(name, own), **_told(told.get(name))}
        for name in names
    ]  # fmt: skip


def _used(name: str, own: Sequence[Record]) -> str:
    places = ((r.params, r.knobs, r.recipe) for r in own)
    values = [next((place[name] for place in three if name in place), None) for three in places]
    known = [item for item in values if item is not None]
    return value_range(known) if known else "–"


def _told(knob: KnobDoc | None) -> dict[str, str]:
    if knob is None:
        return {"default": "", "searched": "", "allowed": "", "doc": ""}
    scale = f", {one_line(knob.scale)}" if knob.searched and knob.scale not in (None, "linear") else ""
    return {
        "default": value(knob.default),
        "searched": _range(knob.searched) + scale,
        "allowed": value(knob.choices) if knob.choices else _range(knob.allowed),
        "doc": one_line(knob.doc) if knob.doc else "",
    }


def _range(bounds: Sequence[float | None] | None) -> str:
    low, high = bounds if bounds and len(bounds) == 2 else (None, None)
    if low is None or high is None:
        return f"from {low:g}" if low is not None else f"up to {high:g}" if high is not None else "–"
    return f"{low:g} to {high:g}"


def _trial(record: Record, number: int, base: str | None) -> dict[str, Any]:
    at_aim = points_of(record).get(record.aim) if record.aim is not None else None
    told = record.reason if record.status != "ok" and record.reason else ""
    return {
        "task": one_line(record.task),
        "task_number": number,
        "phase": record.phase,
        "trial": "" if record.trial is None else record.trial,
        "search": record.replicate + 1,
        "aim": "" if record.aim is None else f"{record.aim:g}",
        "validation_at_aim": format_percent(at_aim.val_accuracy if at_aim else None, 2),
        "test_at_aim": format_percent(at_aim.test_accuracy if at_aim else None, 2),
        "id": one_line(record.id),
        "seed": record.seed,
        "status": record.status,
        "reason": value(told) if told else "",
        "validation": format_percent(record.val_accuracy, 2),
        "test": format_percent(record.test_accuracy, 2),
        "compression": format_ratio(record.compression),
        "exact": format_ratio(record.compression_exact),
        "speedup": format_ratio(record.speedup),
        "seconds": f"{record.seconds:.3g}",
        "knobs": knobs(record),
        "command": shown_command(record.command, base),
    }
