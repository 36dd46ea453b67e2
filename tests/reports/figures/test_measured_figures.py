"""What the figures show of records with common compressions, read from the drawn objects."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from measured_records import COMPRESSIONS, measured_campaign
from sparsebench.reports.analysis.across_tasks import compare_over_tasks
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard
from sparsebench.reports.analysis.scores import cells
from sparsebench.reports.figures import draw as figures
from sparsebench.reports.figures import layer_density as density
from sparsebench.reports.figures import training_curves as curves
from sparsebench.reports.figures.canvas import paper_style
from sparsebench.reports.figures.critical_difference import draw_critical
from sparsebench.reports.figures.front import draw_fronts
from sparsebench.reports.figures.small_multiples import draw_multiples
from sparsebench.reports.style import NEUTRAL, style_for

SPARSE = ("magnitude", "l1", "dwf-2", "dwf-3")


@pytest.fixture(scope="module")
def board() -> TaskLeaderboard:
    return boards(measured_campaign())[0]


def marked(axes: Axes, colour: str) -> list[Line2D]:
    """The lines of markers of an entry: filled, hollow and crosses."""
    own = [line for line in axes.lines if to_hex(line.get_color()).upper() == colour.upper()]
    return [line for line in own if line.get_marker() not in ("None", None, "")]


def places(lines: Sequence[Line2D]) -> list[tuple[float, float]]:
    return sorted((float(x), float(y)) for line in lines for x, y in line.get_xydata())


def test_the_front_is_a_line_through_measured_points_told_apart_by_how_they_were_reached(
    board: TaskLeaderboard,
) -> None:
    style = style_for([board])
    with paper_style():
        figure = draw_fronts(board, style)
    assert figure is not None
    axes = figure.axes[0]
    assert [tick for tick in axes.get_xticks() if tick > 1] == list(COMPRESSIONS)
    for entry in (*SPARSE, "dense"):
        points = cells(board.points[entry])
        colour = NEUTRAL if entry == "dense" else style[entry][0]
        lines = [line for line in axes.lines if len(line.get_xdata()) and line.get_color() == colour]
        drawn = marked(axes, colour)
        for x, y in places(drawn):  # each near its compression, at its mean
            near = min(points, key=lambda p: abs(np.log((p.at or 1) / x)))
            assert abs(np.log(x / (near.at or 1))) < 0.12 and y == near.accuracy.mean
        assert len(places(drawn)) == len(points)
        filled = [
            line for line in drawn if line.get_marker() != "x" and line.get_markerfacecolor() != "white"
        ]
        hollow = [
            line for line in drawn if line.get_marker() != "x" and line.get_markerfacecolor() == "white"
        ]
        crosses = [line for line in drawn if line.get_marker() == "x"]
        assert len(places(filled)) == sum(p.learned and not p.cut for p in points)
        assert len(places(hollow)) == sum(p.learned and p.cut for p in points)
        assert len(places(crosses)) == sum(not p.learned for p in points)
        joined = [line for line in lines if line.get_marker() in ("None", None) and line.get_linewidth() > 1]
        assert [len(line.get_xdata()) for line in joined] == [sum(p.learned for p in points)]
        bars = [line for line in lines if np.isnan(line.get_xdata()).any()]
        ends = [y for line in bars for y in line.get_ydata() if not np.isnan(y)]
        assert ends == [end for p in points for end in p.accuracy_interval or ()]
    names = [text.get_text() for text in figure.legends[0].get_texts() if text.get_text()]
    assert names[:4] == ["1  dwf-3", *names[1:4]] and {"cut to it", "learned nothing", "own zeros"} < {*names}
    assert figure.legends[0].get_title().get_text() == "rank by score; bars: 95 % intervals over 3 seeds"


def test_own_zeros_are_faint_and_may_be_left_out(board: TaskLeaderboard) -> None:
    own = {(p.compression, p.accuracy.mean) for entry in SPARSE for p in board.own[entry]}
    common = {(x, y) for x, y in own if min(abs(x / c - 1) for c in COMPRESSIONS) < 0.02}
    for asked, wanted in ((True, own - common), (False, set())):
        with paper_style():
            figure = draw_fronts(board, style_for([board]), own=asked)
        assert figure is not None
        faint = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
        assert {tuple(map(float, xy)) for c in faint for xy in c.get_offsets()} == wanted
        words = [text.get_text() for text in figure.legends[0].get_texts()]
        assert ("own zeros" in words) == asked


def test_intervals_over_searches_are_said_to_be(tmp_path: Path) -> None:
    found = boards(measured_campaign(searches=3, seeds=1, trials=4))
    with paper_style():
        figure = draw_fronts(found[0], style_for(found))
        unconfirmed = boards([r for r in measured_campaign() if r.phase == "search"])[0]
        guessed = draw_fronts(unconfirmed, style_for([unconfirmed]))
    assert figure is not None and guessed is not None
    assert figure.legends[0].get_title().get_text().endswith("over 3 searches")
    assert guessed.legends[0].get_title().get_text() == "rank by score"
    assert guessed.axes[0].get_ylabel() == "validation accuracy, not confirmed (%)"
    assert len(figures.draw_all(found[0], tmp_path, style_for(found))) == 6


def test_small_multiples_and_ranks_speak_of_the_score() -> None:
    six = boards(measured_campaign(datasets={f"toy{i}": (0.1, 0.95) for i in range(6)}, trials=4))
    result = compare_over_tasks(six)
    assert result is not None and result.merit == "score"
    style = style_for(six)
    with paper_style():
        figure, ranks = draw_multiples(six, style), draw_critical(result, style)
    assert figure is not None
    assert ranks.axes[0].texts and any(
        "mean rank by score over 6 tasks" in t.get_text() for t in ranks.axes[0].texts
    )
    for axes, board in zip([a for a in figure.axes if a.axison], six, strict=True):
        assert list(axes.get_xticks()) == list(COMPRESSIONS)
        for entry in SPARSE:
            assert len(places(marked(axes, style[entry][0]))) == len(COMPRESSIONS)
        assert board.compressions == COMPRESSIONS
    words = [text.get_text() for text in figure.legends[0].get_texts() if text.get_text()]
    assert words[:5] == ["dwf-2", "dwf-3", "l1", "magnitude", "dense"] and "cut to it" in words


def test_the_phases_show_the_finished_models_curve(board: TaskLeaderboard) -> None:
    with paper_style():
        figure = curves.draw_phases(board, style_for([board]))
    assert figure is not None and len(figure.axes) == 4
    last = figure.axes[-1]
    assert list(last.get_xticks()) == [1.0, *COMPRESSIONS] and last.get_ylabel() == "test\naccuracy (%)"
    record = curves.representative(board, "dwf-3")
    assert record is not None
    shown = [p for p in board.points["dwf-3"] if p.at == 16]
    assert record.id in [o.record.id for o in shown[0].outcomes], "of the training chosen near 30"
    heights = [100 * (p.test_accuracy or 0) for p in record.at_compressions]
    assert any(np.allclose(line.get_ydata(), heights) for line in last.lines if len(line.get_ydata()) == 5)
    assert "compression 16" in figure.legends[0].get_title().get_text()


def test_layers_are_those_that_methods_left_near_two_common_compressions(board: TaskLeaderboard) -> None:
    assert density.targets(board) == [16.0, 64.0]
    with paper_style():
        figure = density.draw_density(board)
    assert figure is not None
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0].startswith("own compression near 16") and "magnitude  (16.0)" in [
        text.get_text() for text in figure.axes[0].texts
    ]
