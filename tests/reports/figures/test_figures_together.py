"""The figures of all tasks together, and of the knobs, read from the drawn objects."""

import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sparsebench.records.record import Record
from sparsebench.reports.analysis.across_tasks import compare_over_tasks
from sparsebench.reports.analysis.boards import boards, on_front
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard
from sparsebench.reports.drawing import drawing
from sparsebench.reports.figures import draw as figures
from sparsebench.reports.figures.canvas import paper_style
from sparsebench.reports.figures.critical_difference import Scale, draw_critical
from sparsebench.reports.figures.knob_importance import draw_importance
from sparsebench.reports.figures.small_multiples import draw_multiples
from sparsebench.reports.style import style_for, style_of
from sparsebench.reports.write import write_report
from synthetic_records import NINE, campaign

SHARES = {
    "accuracy": {"random": {"lr": 0.25, "weight_decay": 0.75}, "dwf-3": {"lr": 0.1, "lam": 0.9}},
    "compression": {"dwf-3": {"lr": 0.4, "lam": 0.6}},
}


@pytest.fixture(scope="module")
def six() -> list[Record]:
    some = {name: NINE[name] for name in ("dense", "random", "l1", "dwf-3")}
    return campaign(some, {f"toy{i}": (0.1, 0.95) for i in range(6)}, trials=5, seeds=3)


@pytest.mark.parametrize("tasks", [2, 3])
def test_small_multiples_hold_every_front_in_its_colour(six: list[Record], tasks: int) -> None:
    found = boards(six)[:tasks]
    style = style_for(found)
    with paper_style():
        figure = draw_multiples(found, style)
    assert figure is not None
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in panels] == [board.task for board in found]
    for axes, board in zip(panels, found, strict=True):
        drawn = {to_hex(line.get_color()).upper(): line for line in axes.lines if line.get_marker() != "None"}
        assert len(drawn) == 3
        for entry in ("random", "l1", "dwf-3"):
            line = drawn[style[entry][0].upper()]
            assert list(line.get_xdata()) == [p.compression for p in on_front(board.points[entry])]
        bars = sum(np.isnan(line.get_xdata()).sum() for line in axes.lines)  # a gap after each
        assert bars == 2 * sum(len(on_front(board.points[entry])) for entry in ("random", "l1", "dwf-3"))
        assert "compressed scale" in [text.get_text() for text in axes.texts]
    assert panels[0].get_ylabel() == "test accuracy (%)"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["dwf-3", "l1", "random", "dense"]
    assert draw_multiples([], {}) is None


def test_the_critical_difference_diagram_puts_names_at_their_ranks(six: list[Record]) -> None:
    found = boards(six)
    result = compare_over_tasks(found)
    assert result is not None
    style = style_for(found)
    with paper_style():
        axes = draw_critical(result, style).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert "mean rank by hypervolume over 6 tasks; critical difference 1.35" in texts
    scale = scale_of(axes)
    for standing in result.standings:
        assert f"{standing.entry}  {standing.mean_rank:.2f}" in texts
        paths = [line.get_xdata()[0] for line in axes.lines if line.get_color() == style[standing.entry][0]]
        assert paths[0] == pytest.approx(scale(standing.mean_rank))
    thick = [line for line in axes.lines if line.get_linewidth() > 2]
    assert len(thick) == len(result.groups)


def scale_of(axes: Axes) -> Scale:
    """From the drawn axis of ranks, the first line."""
    left, right = axes.lines[0].get_xdata()
    return Scale(3, left, right)


@pytest.mark.parametrize(
    "entry", ["m{}", "a method with a long name {}", "W" * 40 + "{}", "{} 日本" + "W" * 40]
)
def test_names_and_ranks_beside_the_diagram_are_whole_and_distinct(six: list[Record], entry: str) -> None:
    result = compare_over_tasks(boards(six))
    assert result is not None
    standings = [replace(result.standings[0], entry=entry.format(i), mean_rank=1.0 + i) for i in range(25)]
    result = replace(result, standings=tuple(standings), groups=())
    with paper_style():
        figure = draw_critical(result, style_of(s.entry for s in standings))
        figure.canvas.draw()
    names = [text for text in figure.axes[0].texts if re.search(r"  \d+\.\d\d$", text.get_text())]
    assert len({text.get_text().rpartition("  ")[0] for text in names}) == 25
    for text in names:
        box = text.get_window_extent()
        assert box.x0 > 0 and box.x1 < figure.bbox.width
    left, right = figure.axes[0].lines[0].get_xdata()
    assert right - left > 1.4


def test_knobs_are_a_heat_map_an_objective(six: list[Record]) -> None:
    board = boards(six)[0]
    with paper_style():
        figure = draw_importance(board, SHARES)
    assert figure is not None
    first, second = figure.axes[:2]
    assert [t.get_text() for t in second.texts][-3:] == ["lr", "weight_decay", "lam"]
    assert [t.get_text() for t in first.texts][-2:] == ["dwf-3", "random"]
    assert sorted(t.get_text() for t in first.texts[:-2]) == ["10", "25", "75", "90"]
    shown = np.ma.filled(second.collections[0].get_array().reshape(1, 3), np.nan)
    assert shown[0] == pytest.approx([40, np.nan, 60], nan_ok=True)  # no row for what has no number
    assert "random" not in [t.get_text() for t in second.texts]
    assert draw_importance(board, {}) is None and draw_importance(board, {"accuracy": {"dwf-3": {}}}) is None


def test_figures_together_are_written_and_shown(six: list[Record], tmp_path: Path) -> None:
    two = [r for r in six if r.dataset in ("toy0", "toy1")]
    paths = write_report(tmp_path, boards(two), importance={"toy0-net": partial(dict, SHARES)})
    names = {path.name for path in paths}
    assert {"tasks-fronts.png", "tasks-fronts.svg", "knobs-toy0-net.png", "pairs.csv"} <= names
    assert "tasks-ranks.png" not in names and "knobs-toy1-net.png" not in names
    page = paths[0].read_text(encoding="utf-8")
    assert "](tasks-fronts.png)" in page and "](knobs-toy0-net.png)" in page


def test_each_figure_is_drawn_once_a_format(
    six: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawing is what a report spends its time on; `savefig` would draw everything twice."""
    drawn: list[Figure] = []
    usual = Figure.draw

    def counted(self: Figure, renderer: object) -> None:
        drawn.append(self)
        usual(self, renderer)

    monkeypatch.setattr(Figure, "draw", counted)
    paths = figures.fronts(six, tmp_path / "fronts")
    assert len(drawn) == len(paths) == 12


def test_two_processes_draw_what_one_does(
    six: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where others cannot, the first draws everything."""
    here = []
    usual = figures.draw_all

    def counted(board: TaskLeaderboard, *args: Any) -> list[Path]:
        here.append(board.task)
        return usual(board, *args)

    monkeypatch.setattr(figures, "draw_all", counted)
    found, shares = boards(six), {"toy1-net": partial(dict, SHARES)}
    with drawing(tmp_path / "one", found, shares) as pictures:
        one = pictures()
    for interpreter, drawn in ((sys.executable, 0), ("false", 6)):
        here.clear()
        monkeypatch.setattr(sys, "executable", interpreter)
        with drawing(tmp_path / "two", found, shares, processes=8) as pictures:
            two = pictures()
        assert len(here) == drawn
        assert list(two) == list(one) == [*(board.task for board in found), ""]
        for task, paths in one.items():
            assert [path.read_bytes() for path in two[task]] == [path.read_bytes() for path in paths]
