"""The site as a reader has it: opened from disk in a real Chromium, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import FOUND, Chromium
from site_reader import (
    CHART,
    COMMAND,
    FULL,
    HOSTILE,
    POINTS,
    choose,
    column,
    entries,
    heading,
    hostile,
    records,
    spent,
)
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.site import write_site
from synthetic_records import campaign

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FOUND is None, reason="chromium is not installed"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("a report"), boards(records()))[0].parent


@pytest.fixture
def page(browser: Chromium) -> Iterator[Chromium]:
    """The browser, at a desk and in daylight; nothing may have gone wrong in it when a test is over."""
    browser.problems.clear()
    browser.size(1280, 900)
    browser.scheme("light")
    yield browser
    browser.js("1")  # what it has to say is read with its answer
    assert browser.problems == []


def test_it_opens_from_disk_and_loads_nothing_from_elsewhere(page: Chromium, site: Path) -> None:
    for name in ("index", "task-toy-net", "entry-dwf-3"):
        page.open(site / f"{name}.html")
        assert {url.rpartition("/")[0] for url in page.requests if not url.startswith("data:")} == {
            site.as_uri()
        }
        assert page.js(f"{CHART}.querySelectorAll('.scatterlayer .point').length") > 3
        assert page.js("document.querySelectorAll('.board tbody tr').length") > 0


def test_a_heading_sorts_by_the_number_that_is_seen(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    assert column(page, "rank")[:2] == ["1", "2"] and len(entries(page)) == 5
    page.js(f"{heading('best acc')}.click()")
    best = [float(text.partition(" ")[0]) for text in column(page, "best acc")]
    assert best == sorted(best, reverse=True) and len(set(best)) > 2
    assert page.js(f"{heading('best acc')}.parentElement.ariaSort") == "descending"
    page.js(f"{heading('best acc')}.click()")
    again = [float(text.partition(" ")[0]) for text in column(page, "best acc")]
    assert again == sorted(best)
    page.js(f"{heading('within 1')}.click()")
    known = [text for text in column(page, "within 1") if text != "–"]
    assert column(page, "within 1")[: len(known)] == known  # what has no number comes last
    page.js(f"{heading('entry')}.click()")
    assert entries(page) == ["dense", "dwf-2", "dwf-3", "l1", "random"]


def test_words_filter_the_rows(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    page.js("document.querySelector('#board input[type=search]').focus()")
    page.call("Input.insertText", text="DWF 3")
    assert entries(page) == ["dwf-3"]
    assert page.js("document.querySelector('#board .count').value") == "1 of 10 rows"
    page.call("Input.insertText", text="nothing like it")
    assert entries(page) == []


def test_intervals_and_all_columns_are_shown_when_asked_for(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    seen = "getComputedStyle(document.querySelector('.board td small')).display"
    more = "getComputedStyle(document.querySelector('.board td.more')).display"
    assert (page.js(seen), page.js(more)) == ("none", "none")
    page.js("document.querySelector('.intervals').click(); document.querySelector('.all-columns').click()")
    assert (page.js(seen), page.js(more)) == ("block", "table-cell")


def test_hovering_names_the_trial_its_knobs_and_its_command(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    choose(page, "entries", 2)  # dense, dwf-2, dwf-3, …
    page.until(f"{CHART}.data.length && {CHART}.data.every(one => one.customdata[0].e === 2)")
    page.js(f"{CHART}.scrollIntoView({{behavior: 'instant', block: 'center'}})")
    place = page.until(
        f"[...{CHART}.querySelectorAll('.point')].map(one => one.getBoundingClientRect())"
        ".map(box => [box.x + box.width / 2, box.y + box.height / 2])"
        ".find(([x, y]) => document.elementFromPoint(x, y)?.closest('#front'))"  # some lie beyond the axes
    )
    page.point(place[0] - 30, place[1] - 30)
    page.point(*place)
    page.until("!document.querySelector('#point dl').hidden")
    said = page.js("[...document.querySelectorAll('#point [data-of]')].map(part => part.textContent)")
    assert said[0].startswith("dwf-3 on toy-net: ") and "× compression" in said[0]
    assert said[1].startswith("trial ") and said[1].endswith("seeds 1000, 1001, 1002")
    assert "depth 3" in said[2] and said[2].startswith("lr 0.")
    assert said[3] == COMMAND.format(entry="dwf-3", seed=1000)
    page.until("document.querySelector('.hoverlayer text')?.textContent.includes('dwf-3')")


def test_tasks_and_entries_are_chosen(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    one = page.js(f"{POINTS}.length")
    choose(page, "tasks", 0, 1)
    page.until(f"{POINTS}.length === {2 * one}")
    assert len(entries(page)) == 10 and set(column(page, "task")) == {"toy-net", "toy2-net"}
    choose(page, "tasks", 1)
    page.until(f"new Set({CHART}.data.map(one => one.customdata[0].t)).size === 1")
    assert len(entries(page)) == 5
    page.js("document.querySelector('#entries button[data-all=\"\"]').click()")
    page.until(f"{CHART}.data.length === 0")
    choose(page, "entries", 1)
    page.until(f"{CHART}.data.length > 0 && {CHART}.data.every(one => one.customdata[0].e === 1)")
    choose(page, "tasks")
    page.until(f"{CHART}.data.length === 0")


def test_the_axis_is_logarithmic_until_told_otherwise_and_changes(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    assert page.js(f"{CHART}._fullLayout.xaxis.type") == "log"
    page.js("document.getElementById('log').click()")
    page.until(f"{CHART}._fullLayout.xaxis.type === 'linear'")
    before = page.js(f"Math.max(...{POINTS})")
    page.js("const a = document.getElementById('axis'); a.value = 2; a.dispatchEvent(new Event('change'))")
    page.until(f"Math.max(...{POINTS}) !== {before}")
    assert page.js(f"{CHART}._fullLayout.xaxis.title.text") == "theoretical speed-up"
    low = page.js(f"{CHART}._fullLayout.yaxis.range[0]")
    page.js("document.getElementById('whole').click()")
    page.until(f"{CHART}._fullLayout.yaxis.range[0] < Math.min(10, {low})")


def test_the_search_of_an_entry_is_shown_when_asked_for(page: Chromium, site: Path) -> None:
    page.open(site / "entry-dwf-3.html")
    before = page.js(f"{POINTS}.length")
    page.js("document.getElementById('searched').click()")
    page.until(f"{POINTS}.length === {before + 2 * 5}")
    found = page.js(
        f"{CHART}.data.flatMap(one => one.customdata).filter(p => p.searched).map(p => p.command)"
    )
    assert set(found) == {COMMAND.format(entry="dwf-3", seed=0)}
    highest = f"Math.max(...{CHART}.data.filter(one => one.yaxis === 'y1').flatMap(one => one.y))"
    assert page.js(f"{CHART}._fullLayout.yaxis.range[1] > {highest}")


def test_the_keyboard_reaches_everything(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    page.press("Tab")
    assert page.js("document.activeElement.className") == "skip"
    page.js(f"{heading('best acc')}.focus()")
    page.press("Enter")
    assert page.js(f"{heading('best acc')}.parentElement.ariaSort") == "descending"
    assert page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    reached = set()
    page.js("document.getElementById('main').scrollIntoView(); document.querySelector('header a').focus()")
    for _ in range(80):
        page.press("Tab")
        reached.add(page.js("document.activeElement.id || document.activeElement.type"))
    assert {"search", "checkbox", "axis", "log", "spread", "whole", "front", "button"} <= reached
    page.js(f"{CHART}.focus()")
    page.press("ArrowRight")
    first = page.until("document.querySelector('#point [data-of=name]').textContent")
    page.until("document.querySelector('.hoverlayer text')?.textContent.includes('dense')")
    page.press("ArrowRight")
    page.until(f"document.querySelector('#point [data-of=name]').textContent !== {first!r}")
    page.press("ArrowLeft")
    page.until(f"document.querySelector('#point [data-of=name]').textContent === {first!r}")


@pytest.mark.parametrize("name", ["index", "task-toy-net", "entry-dwf-3"])
def test_a_narrow_screen_needs_no_sideways_scrolling(page: Chromium, site: Path, name: str) -> None:
    page.size(360, 740)
    page.open(site / f"{name}.html")
    assert page.js("document.documentElement.scrollWidth") <= 360
    assert page.js(f"{CHART}.querySelector('.main-svg').getBoundingClientRect().right") <= 360
    page.size(1280, 900)
    page.until(f"{CHART}.querySelector('.main-svg').getBoundingClientRect().width > 900")  # turned


def test_a_large_board_is_there_at_once(page: Chromium, tmp_path: Path) -> None:
    names = {"dense": 9.0} | {f"m{i}": 0.8 + 0.08 * i for i in range(19)}
    made = campaign(names, {f"set{i}": (0.1, 0.98) for i in range(6)}, trials=50, seeds=3)
    paths = write_site(tmp_path, boards([r.model_copy(update=FULL) for r in made]))
    index = paths[0]
    page.call("Performance.enable", timeDomain="threadTicks")
    page.open(index, drawn=False)
    table = spent(page)
    page.until(f"{CHART}.dataset.drawn === '1'")
    chart = spent(page)
    page.call("Performance.disable")
    assert 0 < table < 1 and chart < 2, (table, chart)
    assert len(entries(page)) == 20 and page.js(f"{CHART}.data.length") >= 20
    assert sum(path.stat().st_size for path in paths) < 10e6


def test_dark_and_light_follow_the_system(page: Chromium, site: Path) -> None:
    page.open(site / "index.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    tick = f"{CHART}._fullLayout.font.color"
    assert page.js(ground) == "rgb(255, 255, 255)"
    before = page.js(tick)
    page.scheme("dark")
    page.until(f"{ground} === 'rgb(21, 24, 28)' && {tick} !== {before!r}")


def test_hostile_names_neither_run_nor_break_a_page(page: Chromium, tmp_path: Path) -> None:
    paths = write_site(tmp_path, boards(hostile()))
    for path in (p for p in paths if p.suffix == ".html"):
        page.size(390, 800)
        page.open(path)
        assert page.js("document.title") != "run" and not page.js("document.querySelectorAll('img').length")
        wide = (
            "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 391"
            " && !e.closest('.scroll') && !e.closest('svg')).map(e => e.outerHTML.slice(0, 200))"
        )
        assert page.js("document.documentElement.scrollWidth") <= 390, page.js(wide)
        page.js(f"{CHART}.focus()")
        page.press("ArrowRight")
        page.until("!document.querySelector('#point dl').hidden")
    page.open(paths[0])
    assert set(entries(page)) == {*HOSTILE, "dense"}
    for _ in range(2 + len(HOSTILE)):
        page.press("ArrowRight")
        assert not page.js("document.querySelectorAll('#point [data-of] *, .hoverlayer b, img').length")
