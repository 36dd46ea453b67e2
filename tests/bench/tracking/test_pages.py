"""MLflow's pages in a real browser: the saved views, and the page of a study."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import FOUND, PATIENCE, Chromium
from PIL import Image
from sparsebench.bench.campaign import publish
from sparsebench.bench.system.pages.server import Running
from sparsebench.bench.tracking.chart_view import LINES, TRIALS, view_path
from sparsebench.bench.tracking.client import Tracker
from sparsebench.bench.tracking.publisher import default_uri
from sparsebench.bench.tracking.server import running
from sparsebench.bench.tracking.study_runs import run_path
from sparsebench.records.store import load_records

# SQLAlchemy 2.1 deprecates a loader that MLflow 3.17 still names in its tables.
WARNING = "ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(WARNING)]

needs_chromium = pytest.mark.skipif(FOUND is None, reason="chromium is not installed")
OWN = "0" * 32  # the id of a campaign


@pytest.fixture(scope="module")
def server(published: Path) -> Iterator[Running]:
    with running(published, 0) as started:
        yield started


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    started = Chromium(tmp_path / "profile")
    started.size(1600, 1300)
    yield started
    started.close()


def points(browser: Chromium, picture: Path) -> list[int]:
    """How many dots of the page, right of the list of runs, have the colour of each entry."""
    with Image.open(browser.picture(picture)) as image:
        charts = image.convert("RGB").crop((image.width // 3, 0, image.width, image.height))
    counts = {colour: number for number, colour in charts.getcolors(charts.width * charts.height) or []}
    return [counts.get(colour, 0) for colour in ((213, 94, 0), (0, 114, 178))]


# Of each chart: the title of its x axis, and the entries whose lines are drawn through all their points.
DRAWN = """
Object.fromEntries([...document.querySelectorAll('.js-plotly-plot')].filter(p => p._fullLayout.xaxis).map(
  p => [
  p._fullLayout.xaxis.title.text,
  p.data.filter((line, number) => line.mode === 'lines+markers' && line.x.length === POINTS &&
    p.querySelector(`.trace${p._fullData[number].uid} path.js-line`).getTotalLength() > 10
  ).map(line => line.name).sort()]))
"""


def asked_outside(browser: Chromium, server: Running) -> list[str]:
    """What the page asked of others than the server."""
    return [url for url in browser.requests if not url.startswith((server.address, "data:"))]


@needs_chromium
@pytest.mark.parametrize("width", [1280, 1920])
def test_the_fronts_are_lines_in_a_browser(
    server: Running, browser: Chromium, tmp_path: Path, width: int
) -> None:
    browser.size(width, 1900)  # the page draws a chart when it is scrolled to
    browser.go(server.link(view_path("1")))
    titles = [line.accuracy for line in LINES]
    page = browser.document("viewing a shared view", "Fronts", *titles, "Parallel Coordinates")
    assert "Error loading shared view state" not in page
    end = time.monotonic() + PATIENCE
    while min(found := points(browser, tmp_path / "page.png")) <= 300:  # a line of each entry and its marks
        assert time.monotonic() < end, found
        time.sleep(0.2)
    lines = {line.over: ["dwf", "l1"] for line in LINES}
    while (drawn := browser.js(DRAWN.replace("POINTS", "4"))) != lines:
        assert time.monotonic() < end, drawn
        time.sleep(0.2)
    assert "Ask questions about your" not in browser.document("Runs"), "the assistant covers the charts"
    assert asked_outside(browser, server) == []


@needs_chromium
def test_the_view_of_all_trials_draws_its_charts_in_a_browser(
    server: Running, browser: Chromium, tmp_path: Path
) -> None:
    browser.go(server.link(view_path("1", TRIALS)))
    charts = [
        "cost/log2_compression vs. eval/top1",
        "cost/log2_speedup vs. eval/top1",
        "Parallel Coordinates",
    ]
    page = browser.document("viewing a shared view", "Accuracy against cost", *charts)
    assert "Error loading shared view state" not in page
    # the points of both scatters; legends alone have fewer dots
    end = time.monotonic() + PATIENCE
    while min(found := points(browser, tmp_path / "page.png")) <= 300:
        assert time.monotonic() < end, found
        time.sleep(0.2)
    marks = "[...document.querySelectorAll('.js-plotly-plot')].map(plot => plot.data[0].x.length)"
    assert browser.js(marks) == [12, 12], "a mark for each trial"
    assert asked_outside(browser, server) == []


@needs_chromium
def test_a_studys_page_leads_to_its_trials_and_models_and_shows_its_figure(
    finished: Path, browser: Chromium, tmp_path: Path
) -> None:
    """A real campaign, published to a database of its own; the links are followed as a reader would."""
    folder, problems = tmp_path / "run", list[str]()
    shutil.copytree(finished, folder)
    records = load_records(folder)
    publish.publish_to_mlflow(folder, OWN, records, publish.ranked(folder, records), None, problems.append)
    assert problems == []
    tracker = Tracker(default_uri(folder), folder, OWN)
    experiment = tracker.experiment("tiny", "digits-lenet_300_100")
    study = next(r for r in tracker.runs(experiment, "study") if r.data.tags["bench.entry"] == "dwf-3")
    models = [model for model in tracker.models(experiment) if model.tags["bench.entry"] == "dwf-3"]
    assert models
    with running(folder, 0) as server:
        browser.go(server.link(f"/{run_path(experiment, study.info.run_id)}"))
        page = browser.document("summary/hypervolume", "get-artifact", "lenet_300_100")
        for number, words in (
            (r'href="(#/experiments/\d+/runs/[^"]*)"[^>]*>c=', ["bench.phase", "confirm", "eval/test_top1"]),
            (r'href="(#/experiments/\d+/models/[^"]*)"[^>]*>model<', ["eval/test_top1", "digits (#"]),
        ):
            found = re.search(number, page)
            assert found, "the front is linked"
            browser.go("about:blank")  # or the words might still be those of the page before
            browser.go(f"{server.address}/{found.group(1).replace('&amp;', '&')}")
            browser.document(*words)
        image = re.search(r'<img[^>]*src="(get-artifact[^"]*)"', page)
        assert image, "the figure stands under the front"
        picture = server.ask(f"/{image.group(1).replace('&amp;', '&')}")
        assert picture == (folder / "fronts-digits-lenet_300_100.png").read_bytes()
        browser.go("about:blank")
        browser.go(f"{server.address}/#/experiments/{experiment}/models?workflowType=machine_learning")
        browser.document(*(model.name for model in models))
