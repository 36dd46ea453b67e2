"""The site of records with common compressions: the table, the curve of an entry, the chart, in a browser."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from chromium import FOUND, Chromium
from latencies import MACHINE, made_up_latency, timing
from measured_records import COMPRESSIONS, measured_campaign
from site_data import given
from sparsebench.reports.analysis.boards import boards, with_latencies
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard
from sparsebench.reports.analysis.scores import cells
from sparsebench.reports.site import write_site

TRACES = "document.getElementById('front').data"


@pytest.fixture(scope="module")
def board() -> TaskLeaderboard:
    return boards(measured_campaign(searches=2, seeds=2, trials=4))[0]


@pytest.fixture(scope="module")
def site(board: TaskLeaderboard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("measured"), [board])[0].parent


def test_cells_say_what_their_marks_mean(site: Path, board: TaskLeaderboard) -> None:
    (part,) = site.glob("data-rows-*.js")
    rows = given(part)["rows"]
    row = next(line for line in rows.split("<tr")[1:] if ">dwf-3<" in line)
    found = re.findall(r'<td( class="best")? title="([^"]*)">([^<]*)', row)
    assert len(found) == len(COMPRESSIONS)
    own = board.row("dwf-3")
    for (bold, title, text), c in zip(found, COMPRESSIONS, strict=True):
        assert text.startswith(f"{100 * (own.accuracy_at[c] or 0):.1f}")
        assert ("the best here" in title) == bool(bold) == own.best_at[c]
        assert ("cut to this compression" in title) == own.cut_at[c]
        assert ("learned nothing" in title) == own.unlearned_at[c]
        assert title.endswith("chosen from 4 trainings of a search")
    index = (site / "index.html").read_text(encoding="utf-8")
    assert "mean of (accuracy − chance)" in index and "mean over the columns acc@c" in index
    for title in ("score", "acc@256", "own zeros", "exact zeros", "knobs", "trainings"):
        assert re.search(rf'<th scope="col" class="n"><button[^>]*>{title}<', index), title


def test_an_entrys_page_has_its_curve_and_the_aims_of_its_trainings(
    site: Path, board: TaskLeaderboard
) -> None:
    page = (site / "entry-magnitude.html").read_text(encoding="utf-8")
    (table,) = re.findall(r'<table class="curve">.*?</table>', page, re.DOTALL)
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in table.split("<tr>")[2:]]
    points = board.points["magnitude"]
    assert [row[0] for row in rows] == ["1", "4", "16", "64", "256"]
    for row, point in zip(rows, points, strict=True):
        assert row[1] == f"{100 * (point.val_accuracy or 0):.2f}"
        assert row[2] == f"{100 * point.accuracy.mean:.2f} ± {100 * (point.accuracy.sd or 0):.2f}"
        assert row[3].startswith("[") and ("cut" in row[4]) == any(o.cut for o in point.outcomes)
        numbers = [board.searched[key].trial for key in point.key.split("+")]
        assert row[6] == f"trial {numbers[0]} of search 1, trial {numbers[1]} of search 2"
    heads = re.findall(r"<button[^>]*>([^<]*)</button>", page[page.index("trials") :])
    assert {"search", "aim", "validation at aim", "test at aim"} < {*heads}
    task = (site / "task-made_up-net.html").read_text(encoding="utf-8")
    assert "At equal trainings per cell" in task and "Differences of scores" in task


def test_the_chart_has_the_cells_and_apart_from_them_own_zeros(site: Path, board: TaskLeaderboard) -> None:
    page = (site / "task-made_up-net.html").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)[0])
    assert data["tasks"][0]["at"] == list(COMPRESSIONS)
    for e, entry in enumerate(data["entries"]):
        mine = [p for p in data["points"] if p["e"] == e]
        measured = [p for p in mine if not p.get("own")]
        points = cells(board.points[entry["name"]])
        assert [p["x"] for p in measured] == [[c, None, None] for c in COMPRESSIONS]
        assert [p["cut"] for p in measured] == [int(p.cut) for p in points]
        assert [p["fronts"] for p in measured] == [[int(p.learned), 0, 0] for p in points]
        assert [len(p["ends"]) for p in measured] == [2] * len(points)
        assert len(mine) - len(measured) == len(board.own[entry["name"]])


@pytest.mark.skipif(FOUND is None, reason="needs chromium")
def test_readers_see_measured_points_and_own_zeros_on_demand(site: Path, browser: Chromium) -> None:
    for scheme, width in (("light", 1300), ("dark", 420)):
        browser.size(width, 900)
        browser.scheme(scheme)
        for page in ("index.html", "task-made_up-net.html", "entry-dwf-3.html"):
            browser.open(site / page)
            assert browser.js("document.documentElement.scrollWidth <= innerWidth")
            assert browser.js(f"{TRACES}.every(one => one.x.every(x => {list(COMPRESSIONS)}.includes(x)))")
            before = browser.js(f"{TRACES}.length")
            browser.js("document.getElementById('own').click()")
            browser.until(f"{TRACES}.length > {before}")
            browser.js("document.getElementById('whole').click()")
            browser.until("document.getElementById('below').textContent === ''")
    symbols = browser.js(f"[...new Set({TRACES}.flatMap(one => one.marker.symbol))]")
    assert {"square", "square-open"} & {*symbols} and any(name.endswith("-open") for name in symbols)
    browser.js("document.getElementById('axis').value = 1")
    browser.js("document.getElementById('axis').dispatchEvent(new Event('change', {bubbles: true}))")
    browser.until(f"{TRACES}.length > 0 && {TRACES}.every(one => one.customdata.every(p => p.own))")
    assert browser.problems == []


@pytest.mark.skipif(FOUND is None, reason="needs chromium")
def test_readers_see_accuracy_against_milliseconds_machine_by_machine(
    board: TaskLeaderboard, browser: Chromium, tmp_path: Path
) -> None:
    gpu = MACHINE.model_copy(update={"device": "Made-up <GPU>", "id": "ffffffff"})
    times = [
        made_up_latency(
            entry, c, 64, task=board.task, machine=machine, sparse={"compacted": timing(1e-3 / c)}
        )
        for machine in (MACHINE, gpu)
        for entry in ("dwf-3", "magnitude")
        for c in COMPRESSIONS
    ]
    [timed] = with_latencies([board], times)
    page = write_site(tmp_path, [timed])[0].parent / "task-made_up-net.html"
    drawn = "document.getElementById('latency-chart').data"
    for scheme, width in (("dark", 420), ("light", 1300)):
        browser.size(width, 900)
        browser.scheme(scheme)
        browser.open(page)
        browser.until("document.getElementById('latency-chart').dataset.drawn === '1'")
        assert browser.js("document.documentElement.scrollWidth <= innerWidth")
        assert browser.js(f"{drawn}.map(one => one.name)") == ["dwf-3", "magnitude", "dense, uncut"]
        assert browser.js(f"{drawn}[0].x") == pytest.approx(sorted(1 / c for c in COMPRESSIONS))
    titles = browser.js("[...document.getElementById('latency-machine').options].map(o => o.text)")
    assert titles == ["Made-up CPU, 1 thread, batch 64", "Made-up <GPU>, 1 thread, batch 64"]
    log = "document.getElementById('latency-chart').layout.xaxis.type"
    assert browser.js(log) == "log"
    browser.js("document.getElementById('latency-log').click()")
    browser.until(f"{log} === 'linear'")
    assert browser.problems == []
