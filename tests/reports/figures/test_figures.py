"""What the figures show, read from the drawn objects, and the styles of entries."""

import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from sparsebench.records.record import Record
from sparsebench.reports.accuracy_scale import LOWER, Focus, focus_on
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.figures import draw as figures
from sparsebench.reports.figures import layer_density as density
from sparsebench.reports.figures import training_curves as curves
from sparsebench.reports.figures.accuracy_axis import accuracy_axis
from sparsebench.reports.figures.canvas import new_figure, paper_style
from sparsebench.reports.figures.front import draw_fronts
from sparsebench.reports.formatting import slug
from sparsebench.reports.style import NEUTRAL, style_for, style_of
from synthetic_records import NINE, campaign, confirm


@pytest.fixture(scope="module")
def small() -> list[Record]:
    some = {name: NINE[name] for name in ("dense", "random", "dwf-3")}
    return campaign(some, {"toy": (0.1, 0.95)}, trials=8, seeds=3)


def test_each_entry_has_a_style_of_its_own() -> None:
    names = [f"method-{i}" for i in range(24)]
    styles = style_of([*names, "dense"])
    own = [styles[name] for name in names]
    assert len({(colour, dash) for colour, _, dash in own}) == 24
    assert len({(colour, marker) for colour, marker, _ in own}) == 24
    assert styles["dense"][0] == NEUTRAL and NEUTRAL not in {colour for colour, _, _ in own}


@given(st.sets(st.text(max_size=6), max_size=30), st.randoms())
def test_styles_depend_on_the_set_alone(names: set[str], rng: random.Random) -> None:
    order = list(names)
    rng.shuffle(order)
    assert style_of(order) == style_of(sorted(names))


def seen_by_a_deuteranope(colour: str) -> np.ndarray:
    """Linear RGB after Viénot, Brettel and Mollon's projection for missing green cones."""
    linear = np.array(to_rgb(colour)) ** 2.2
    project = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    return np.clip(project @ linear, 0, 1) ** (1 / 2.2)


def test_colours_differ_without_green_cones_and_stand_out_from_paper() -> None:
    colours = {style[0] for style in style_of([f"m{i}" for i in range(8)]).values()}
    assert len(colours) == 8
    views = [seen_by_a_deuteranope(colour) for colour in sorted(colours)]
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(views) for b in views[i + 1 :]]
    assert min(gaps) > 0.09
    assert all(np.linalg.norm(1 - view) > 0.35 for view in views)


def test_dense_is_neutral_whatever_its_label(small: list[Record]) -> None:
    relabelled = [r.model_copy(update={"entry": "baseline"}) if r.entry == "dense" else r for r in small]
    assert style_for(boards(relabelled))["baseline"][0] == NEUTRAL


def test_the_front_figure_shows_every_confirmed_point(small: list[Record]) -> None:
    board = boards(small)[0]
    with paper_style():
        figure = draw_fronts(board, style_for([board]))
    assert figure is not None
    axes = figure.axes[0]
    marked = [line for line in axes.lines if line.get_marker() not in ("None", None, "")]
    drawn = sum(len(np.atleast_1d(line.get_xdata())) for line in marked)
    drawn += sum(len(c.get_offsets()) for c in axes.collections if isinstance(c, PathCollection))
    assert drawn == sum(len(board.points[entry]) for entry in ("random", "dwf-3"))
    bars = sum(np.isnan(line.get_xdata()).sum() for line in axes.lines)  # a gap after each
    assert bars == 2 * sum(len(np.atleast_1d(line.get_xdata())) for line in marked)
    low, high = axes.get_ylim()
    assert low <= board.chance and high >= (board.dense or 1)
    texts = " ".join(text.get_text() for text in axes.texts)
    assert "dense 9" in texts and "chance 10.0 %" in texts and "compressed scale" in texts
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["1  dwf-3", "2  random"]


def test_ticks_of_compression_are_plain_numbers(small: list[Record]) -> None:
    board = boards(small)[0]
    with paper_style():
        figure = draw_fronts(board, style_for([board]))
        assert figure is not None
        figure.canvas.draw()
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert labels[:6] == ["1", "2", "5", "10", "20", "50"]


accuracies = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(accuracies, st.floats(0.001, 0.5), st.floats(0, 1) | st.none())
def test_the_accuracy_scale_shows_everything_and_is_one_to_one(
    values: list[float], chance: float, dense: float | None
) -> None:
    focus = focus_on(values, chance, dense)
    assert focus.bottom < focus.bend < focus.top
    assert focus.bottom <= min(chance, *values)
    assert focus.top >= max(*values, dense or 0.0)
    points = np.linspace(focus.bottom, focus.top, 50)
    heights = focus.forward(points)
    assert (np.diff(heights) > 0).all()
    assert np.allclose(focus.inverse(heights), points)
    assert focus.forward([focus.bottom, focus.bend, focus.top]) == pytest.approx([0, LOWER, 1])


def test_the_focus_is_on_the_range_near_dense() -> None:
    focus = focus_on([0.98, 0.975, 0.97, 0.95, 0.1], 0.1, 0.98)
    assert 0.8 <= focus.bend <= 0.93
    assert isinstance(focus, Focus) and focus.bottom < 0.1


@pytest.mark.parametrize("dense", [0.90, 0.91, 0.925, 0.96, 0.975, 0.99])
@pytest.mark.parametrize("loss", [0.03, 0.06, 0.1, 0.16, 0.24])
def test_the_bend_and_the_ticks_above_it_are_at_one_distance(dense: float, loss: float) -> None:
    axes = new_figure(4, 3).add_subplot()
    focus = focus_on([dense - 0.01, dense - loss, 0.12], 0.1, dense)
    accuracy_axis(axes, focus)
    ticks = axes.get_yticks()
    upper = ticks[ticks >= focus.bend - 1e-9]
    assert upper[0] == pytest.approx(focus.bend) and np.allclose(np.diff(upper), np.diff(upper)[0])
    lower = [*ticks[ticks < focus.bend - 1e-9], focus.bend]
    assert len(lower) >= 3 and np.diff(focus.forward(lower)).min() > 0.04


def test_the_representative_run_ends_near_compression_thirty(small: list[Record]) -> None:
    board = boards(small)[0]
    chosen = curves.representative(board, "dwf-3")
    assert chosen is not None
    gap = abs(chosen.log_compression - np.log10(30))
    every = [r for r in small if r.entry == "dwf-3" and r.phase == "confirm"]
    assert gap == min(abs(r.log_compression - np.log10(30)) for r in every)
    assert curves.representative(board, "random") is None


def test_rows_of_a_curve_may_lack_a_quantity() -> None:
    rows = [{"step": 2.0, "compression": 3.0}, {"step": 1.0, "compression": 2.0, "misalignment": 0.0}]
    assert curves.series(rows, "compression") == ([1.0, 2.0], [2.0, 3.0])
    assert curves.series(rows, "misalignment") == ([1.0], [curves.FLOOR])
    assert curves.series(rows, "val_accuracy") == ([], [])


def trained(entry: str, seed: int, **more: float) -> Record:
    rows = [{"step": 10.0 * i, "val_accuracy": 0.9, "compression": 1.0, "misalignment": 1 / i,
             "compression_at_1e-3": float(i)} for i in (1, 2, 3)]  # fmt: skip
    return confirm(entry, "a", seed, 0.942, 23.3, curve=rows, **more)


def test_the_phases_say_which_run_is_shown_and_mark_its_end() -> None:
    made = [trained("dwf-2", 3, threshold=0.012), trained("spred", 4), confirm("dense", "d", 1, 0.95, 1.0)]
    board = boards(made)[0]
    with paper_style():
        figure = curves.draw_phases(board, style_for([board]))
    assert figure is not None
    legend = figure.legends[0]
    assert "one run of each entry" in legend.get_title().get_text()
    said = {text.get_text() for text in legend.get_texts()}
    assert said == {
        "dwf-2: test 94.2 % at compression 23.3 (|w| < 0.012), seed 3",
        "spred: test 94.2 % at compression 23.3, seed 4",
    }
    ends = [line for line in figure.axes[1].lines if line.get_marker() != "None"]
    assert [(list(e.get_xdata()), list(e.get_ydata())) for e in ends] == 2 * [([30.0], [23.3])]
    assert figure.axes[1].get_ylim()[1] > 23.3 and len({e.get_markersize() for e in ends}) == 2


@given(st.integers(1, 4))
def test_curves_on_one_place_show_each_other(count: int) -> None:
    shown = np.zeros((count, 120))
    for number in range(count):
        offset, (on, off) = curves.interleaved((3.0, 0.0), (number, count))
        shown[number] = [(at + offset) % (on + off) < on for at in np.arange(120) / 4 + 1e-3]
    assert (shown.sum(axis=0) == 1).all() and (shown.sum(axis=1) > 0).all()


def test_densities_are_means_over_seeds() -> None:
    layers = [[{"name": "fc", "shape": (10, 10), "nonzeros": n}] for n in (10, 20)]
    records = [confirm("l1", "a", s, 0.9, 10.0, layers=layers[s]) for s in (0, 1)]
    [board] = boards(records)
    [point] = board.points["l1"]
    near = density.nearest([point], 10, board.whole)
    assert near is not None and near.point is point and near.densities == pytest.approx({"fc": 0.15})
    assert density.nearest([point], 30, board.whole) is None


def test_the_layers_say_who_is_absent_and_why_and_have_numbers() -> None:
    def layers(n: int) -> list[dict[str, object]]:
        return [{"name": name, "shape": (10, 100), "nonzeros": n} for name in ("a", "b", "c")]

    made = [confirm(f"m{i}", "a", 1, 0.9, 10.0, layers=layers(50 + i)) for i in range(20)]
    made += [confirm("far", "a", 1, 0.9, 300.0, layers=layers(3)), confirm("bare", "a", 1, 0.9, 10.0)]
    board = boards(made)[0]
    with paper_style():
        figure = density.draw_density(board)
    assert figure is not None
    axes, bar = figure.axes
    title = axes.get_title(loc="left")
    assert "no point within a factor of two: far" in title and "no layers in the records: bare" in title
    assert "no entry has layers near compression 30" in figure.get_suptitle()
    assert [text.get_text() for text in axes.texts].count("5.0") == 3  # many rows, and yet numbers
    assert bar.get_ylim() == pytest.approx((np.log10(0.03), 0))  # the data's range, not four decades


def test_what_has_no_data_is_not_drawn(tmp_path: Path) -> None:
    bare = [confirm("l1", "a", s, 0.9, 10.0) for s in (1, 2)]
    assert figures.phases(bare, tmp_path / "p") == [] == figures.layers(bare, tmp_path / "d")
    drawn = figures.fronts(bare, tmp_path / "f")
    assert [path.name for path in drawn] == ["f-made_up-net.png", "f-made_up-net.svg"]
    assert all(path.stat().st_size > 1000 for path in drawn)
    failed = [bare[0].model_copy(update={"status": "failed"})]
    assert figures.fronts(failed, tmp_path / "none") == []


def test_svg_text_is_text_and_carries_no_date(small: list[Record], tmp_path: Path) -> None:
    svg = figures.fronts(small, tmp_path / "f")[1].read_text(encoding="utf-8")
    assert ">test accuracy (%)<" in svg and "dwf-3" in svg and "dc:date" not in svg


@given(st.text(max_size=20), st.text(max_size=20))
@example("a/b", "a_b")
@example("", "task")
@example("a b", "a\tb")
def test_file_names_are_safe_and_do_not_collide(first: str, second: str) -> None:
    names = slug(first), slug(second)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) for name in names)
    assert (names[0] == names[1]) == (first == second)
