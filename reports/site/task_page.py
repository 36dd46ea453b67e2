"""A task's page: its recipe, versions and dense baseline, its table, its front, its pairs. No torch."""

from collections.abc import Sequence
from typing import Any

from ...commands import shown_command
from ...records.record import Record
from ..analysis.boards import dense_point
from ..analysis.leaderboard import TaskLeaderboard
from ..analysis.pairwise import pairs_summary
from ..analysis.points import Point
from ..formatting import format_percent, one_line
from ..style import style_for
from ..tables import notes
from ..tables.equal_trainings import equal_trainings, said, texts, titles
from .chart import payload
from .data_files import data_name
from .latency_chart import latency_payload, latency_sections
from .page_names import Addresses
from .table import Mark, headings, legend, lines, marks, page_notes
from .template import render
from .values import knobs, listed, settings, value, value_range

Facts = list[tuple[str, str]]


def task_page(
    board: TaskLeaderboard, at: Addresses, found: Sequence[TaskLeaderboard], base: str | None = None
) -> str:
    """Renders the page of a task: table, front, dense baseline, recipe, versions and pairs of entries.

    Args:
        board: The task's leaderboard.
        at: File names of all pages, for links.
        found: The leaderboards of all tasks: an entry has the same colour and marker on every page.
        base: The folder in which relative paths in commands are looked for; None where it is not known.

    Returns:
        The HTML document.

    Raises:
        ValueError: If a number of the chart is not finite, which JSON does not have.

    Example:
        >>> page = task_page(board, Addresses.of([board]), [board])
        >>> [line for line in page.splitlines() if "prunable weights" in line]
        ['<dt>prunable weights</dt><dd>266200</dd>']
    """
    heads, looks = headings([board]), marks(found)
    return render(
        "task.html",
        title=one_line(board.task),
        facts=_task_facts(board),
        recipe=_recipe(board.records),
        dense=_dense(board, base),
        versions=_versions(board.records),
        notes=page_notes(board),
        measured=len(board.compressions) > 0,
        merit=board.merit_name,
        equal=_equal(board, at, looks),
        latencies=latency_sections(board, at, looks),
        latency_chart=latency_payload(board, style_for(found)),
        headings=heads,
        lines=lines(board, 0, at, heads, looks),
        entries=legend(board.points, at, looks),
        pairs=len(board.pairs),
        pairs_part=data_name("pairs", at.tasks[board.task]),
        summary=pairs_summary(board.pairs),
        chart=payload([board], style_for(found), board.points, base=base),
    )


def _equal(board: TaskLeaderboard, at: Addresses, looks: dict[str, Mark]) -> dict[str, Any] | None:
    """Returns the table at equal trainings per cell; None without common compressions."""
    found = equal_trainings(board)
    if found is None:
        return None
    rows = [
        (name, at.entries[entry], looks[entry], cells)
        for entry, (name, *cells) in zip(found.accuracies, texts(found), strict=True)
    ]
    return {"said": said(found), "titles": titles(found), "rows": rows}


def _share(board: TaskLeaderboard) -> str:
    share = board.prunable_share
    return "" if share is None else f" ({format_percent(share)} % of all parameters)"


def _task_facts(board: TaskLeaderboard) -> Facts:
    records, first = board.records, board.records[0]
    arguments = [r.model_args for r in records if r.model_args]
    # One record of each entry is read whole: its other trials have the same net.
    nets = {r.entry: r for r in reversed(records) if r.ok}.values()
    sizes = {sum(layer.size for layer in net.layers) for net in map(board.whole, nets) if net.layers}
    return [
        ("dataset", one_line(first.dataset)),
        ("model", one_line(first.model) + (f" ({settings(arguments[0])})" if arguments else "")),
        ("prunable weights", (value_range(sorted(sizes)) if sizes else "–") + _share(board)),
        ("classes", value_range([r.classes for r in records])),
        (
            "data and split",
            f"SHA-256 {listed({one_line(d) for d in {r.data_digest for r in records}}, most=2)}",
        ),
        ("suite", listed({one_line(suite) for suite in {r.suite for r in records}})),
        ("records", value(len(records))),
    ]


def _recipe(records: Sequence[Record]) -> Facts:
    """Returns the settings of the recipe: one value where all trials share it, else the range of values."""
    names = dict.fromkeys(name for record in records for name in record.recipe)
    return [(one_line(n), value_range([r.recipe[n] for r in records if n in r.recipe])) for n in names]


def _versions(records: Sequence[Record]) -> Facts:
    names = dict.fromkeys(name for record in records for name in record.versions)
    used = {n: {r.versions[n] for r in records if n in r.versions} for n in names}
    found = [(one_line(n), listed({value(text) for text in texts})) for n, texts in used.items()]
    return [*found, ("device", listed({one_line(device) for device in {r.device for r in records}}))]


def _dense(board: TaskLeaderboard, base: str | None) -> Facts:
    """Returns the facts of the tuned dense baseline, from whose accuracy every tolerance is measured."""
    point = dense_point(board.points)
    return _described(point, base) if point else []


def _described(point: Point, base: str | None) -> Facts:
    record = point.outcomes[0].record
    sd = "" if point.accuracy.sd is None else f" ± {format_percent(point.accuracy.sd, 2)}"
    interval: Any = point.accuracy_interval
    ends = f", 95% interval {notes.between(interval, format_percent)}" if interval else ""
    return [
        (f"{point.source} accuracy", f"{format_percent(point.accuracy.mean, 2)}{sd} %{ends}"),
        ("seeds", ", ".join(str(o.seed) for o in point.outcomes)),
        ("knobs", knobs(record) or "–"),
        ("seconds a run", value(point.mean_of(lambda r: r.seconds))),
        ("command", shown_command(record.command, base)),
    ]
