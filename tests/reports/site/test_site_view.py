"""What the interactive front has in its picture, and what it says of the rest, in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import FOUND, Chromium
from site_reader import CHART, choose
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.site import write_site
from synthetic_records import confirm, record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FOUND is None, reason="chromium is not installed"),
    pytest.mark.xdist_group("browser"),
]
SAID = "document.getElementById('below').textContent"
NAMED = "document.querySelector('#point [data-of=name]').textContent"


def seeds(entry: str, config: str, accuracy: float, ratio: float) -> list[Record]:
    return [confirm(entry, config, s, accuracy + 0.01 * s, ratio) for s in (-1, 0, 1)]


def made() -> list[Record]:
    """One entry with its second point far below; one whose only point lies outside the usual range."""
    found = seeds("dense", "d", 0.95, 1.0) + seeds("good", "a", 0.94, 10.0) + seeds("good", "b", 0.3, 400.0)
    found += seeds("fine", "a", 0.94, 12.0) + seeds("poor", "a", 0.5, 900.0)
    trial = {"phase": "search", "test_accuracy": None, "val_accuracy": 0.93, "compression": 20.0, "trial": 0}
    return [*found, record(entry="good", method="good", config="a", seed=0, id="search-a", **trial)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("view"), boards(made()))[0].parent


@pytest.fixture(scope="module")
def page(browser: Chromium) -> Iterator[Chromium]:
    browser.size(1280, 900)
    yield browser
    assert browser.problems == []


def test_points_below_the_picture_are_counted_in_words(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    choose(page, "entries", 0, 1, 2)  # dense, fine, good
    page.until(f"{SAID} !== ''")
    said = page.js(SAID)
    assert said.startswith("1 point lies below ") and said.endswith(" %: tick “down to chance” to see all.")
    low = page.js(f"{CHART}._fullLayout.yaxis.range[0]")
    assert low > 70 and float(said.split()[4]) == pytest.approx(low, rel=1e-3)
    page.js("document.getElementById('whole').click()")
    page.until(f"{SAID} === ''")
    assert page.js(f"{CHART}._fullLayout.yaxis.range[0]") < 30


def test_no_shown_entry_is_out_of_the_picture(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    layout = f"{CHART}._fullLayout"
    inside = (
        f"{CHART}.data.filter(one => one.y.some((y, i) => y > {layout}.yaxis.range[0]"
        f" && Math.log10(one.x[i]) < {layout}.xaxis.range[1])).map(one => one.customdata[0].e)"
    )
    assert page.js(f"[...new Set({inside})].length") == 4


def test_what_is_out_of_the_picture_has_no_error_bar_and_is_not_walked_to(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    choose(page, "entries", 2)
    page.until(f"{CHART}.data.length === 1")
    drawn = page.js(f"{CHART}.data[0].y.map((y, i) => [y, {CHART}.data[0].error_y.array[i]])")
    assert [(round(y), sd and round(sd)) for y, sd in drawn] == [(94, 1), (30, None)]
    page.js(f"{CHART}.focus()")
    for _ in range(2):
        page.press("ArrowRight")
        assert "94.00" in page.until(NAMED)


def test_trials_of_the_search_are_named_on_the_axis_and_seen(page: Chromium, site: Path) -> None:
    page.open(site / "entry-good.html")
    title = f"{CHART}._fullLayout.yaxis.title.text"
    assert page.js(title) == "test accuracy, %"
    page.js("document.getElementById('searched').click()")
    page.until(f"{title} === 'accuracy, %: test (search trials: validation)'")
    shown = page.js(f"{CHART}.data.filter(one => one.customdata[0].searched)")
    assert [one["opacity"] >= 0.8 and one["marker"]["size"] >= 8 for one in shown] == [True]


@pytest.mark.parametrize(("width", "cut"), [(1280, False), (768, True), (360, True)])
def test_a_leaderboard_fits_a_desk_and_says_where_it_goes_on(
    page: Chromium, site: Path, width: int, cut: bool
) -> None:
    page.size(width, 900)
    page.open(site / "index.html")
    place = "document.querySelector('#board .scroll')"
    assert page.js(f"{place}.scrollWidth > {place}.clientWidth") == cut
    page.until(f"document.querySelector('#board .sideways').hidden === {str(not cut).lower()}")
    assert page.js(f"getComputedStyle({place}).maskImage !== 'none'") == cut
    page.js(f"{place}.scrollLeft = 9999")
    page.until(f"!{place}.classList.contains('more-right')")
    sticky = "document.querySelector('.board {} th').getBoundingClientRect().left"
    assert page.js(sticky.format("thead")) == page.js(sticky.format("tbody"))
    page.size(1280, 900)
