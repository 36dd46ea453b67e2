"""A task's page: its recipe, versions and dense baseline, its table, its front, its pairs. No torch."""

from collections.abc import Sequence
from math import prod
from typing import Any

from ...bench.records import Record
from .. import notes
from ..figures import style_for
from ..pairs import Pair, pairs, summary
from ..points import Point
from ..rows import Board, dense_point
from ..text import percent, plain, share
from .address import Addresses
from .chart import payload
from .table import headings, legend, lines, marks
from .template import render
from .words import knobs, listed, settings, spread, value

Facts = list[tuple[str, str]]


def task_page(board: Board, at: Addresses, found: Sequence[Board]) -> str:
    """`board`'s page; `found` are all boards, whose entries have one look on every page."""
    heads, looks = headings([board]), marks(found)
    compared = pairs(board)
    return render(
        "task.html",
        title=plain(board.task),
        facts=_facts(board.records),
        recipe=_recipe(board.records),
        dense=_dense(board),
        versions=_versions(board.records),
        notes=[notes.status(board), notes.references(board), notes.budget(board), *notes.remarks(board)],
        headings=heads,
        lines=lines(board, 0, at, heads, looks),
        entries=legend(board.points, at, looks),
        pairs=[_pair(pair) for pair in compared],
        summary=summary(compared),
        chart=payload([board], style_for(found), board.points),
    )


def _facts(records: Sequence[Record]) -> Facts:
    first = records[0]
    arguments = [r.model_args for r in records if r.model_args]
    shapes = {tuple(layer.shape for layer in r.layers) for r in records if r.layers}
    sizes = {sum(map(prod, layers)) for layers in shapes}
    return [
        ("dataset", plain(first.dataset)),
        ("model", plain(first.model) + (f" ({settings(arguments[0])})" if arguments else "")),
        ("prunable weights", spread(sorted(sizes)) if sizes else "–"),
        ("classes", spread([r.classes for r in records])),
        ("data and split", f"SHA-256 {listed({plain(d) for d in {r.data_digest for r in records}}, most=2)}"),
        ("suite", listed({plain(suite) for suite in {r.suite for r in records}})),
        ("records", value(len(records))),
    ]


def _recipe(records: Sequence[Record]) -> Facts:
    """What all trials share stands alone; what a search or a method chose is given by its range."""
    names = dict.fromkeys(name for record in records for name in record.recipe)
    return [(plain(n), spread([r.recipe[n] for r in records if n in r.recipe])) for n in names]


def _versions(records: Sequence[Record]) -> Facts:
    names = dict.fromkeys(name for record in records for name in record.versions)
    used = {n: {r.versions[n] for r in records if n in r.versions} for n in names}
    found = [(plain(n), listed({value(text) for text in texts})) for n, texts in used.items()]
    return [*found, ("device", listed({plain(device) for device in {r.device for r in records}}))]


def _dense(board: Board) -> Facts:
    """The tuned dense baseline that every tolerance is measured from."""
    point = dense_point(board.points)
    return _described(point) if point else []


def _described(point: Point) -> Facts:
    record = point.outcomes[0].record
    sd = "" if point.accuracy.sd is None else f" ± {percent(point.accuracy.sd, 2)}"
    interval: Any = point.accuracy_interval
    ends = f", 95% interval {notes.between(interval, percent)}" if interval else ""
    return [
        (f"{point.source} accuracy", f"{percent(point.accuracy.mean, 2)}{sd} %{ends}"),
        ("seeds", ", ".join(str(o.seed) for o in point.outcomes)),
        ("knobs", knobs(record) or "–"),
        ("seconds a run", value(point.mean_of(lambda r: r.seconds))),
        ("command", plain(record.command)),
    ]


def _pair(pair: Pair) -> dict[str, str]:
    return {
        "first": plain(pair.first),
        "second": plain(pair.second),
        "difference": share(pair.difference),
        "interval": notes.between(pair.interval, share),
        "p": f"{pair.p:.2g}",
        "p_holm": f"{pair.p_holm:.2g}",
        "verdict": pair.verdict,
    }
