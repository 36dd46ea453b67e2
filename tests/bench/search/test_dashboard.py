"""`sparsebench ui DIR --optuna`: a real optuna-dashboard with the studies of a run, in a real browser."""

import shutil
from pathlib import Path

import pytest
from chromium import FOUND, Chromium
from sparsebench.bench.search import dashboard, dashboard_app
from sparsebench.bench.search.storage_mirror import FILE
from sparsebench.bench.system.pages.server import running
from sparsebench.bench.system.urls import sqlite_url
from sparsebench.errors import SparsebenchError

pytestmark = pytest.mark.slow

# The number of points of the first chart, which is the front.
POINTS = """
(front => front && front.data.reduce((sum, marks) => sum + (marks.x || []).length, 0))(
  document.querySelector('.js-plotly-plot'))
"""


@pytest.mark.skipif(FOUND is None, reason="chromium is not installed")
def test_the_studies_are_listed_by_name_and_a_front_is_drawn(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna_dashboard", reason="the extra `dashboard` is not installed")
    shutil.copy(finished / FILE, tmp_path)  # the dashboard writes to it
    browser = Chromium(tmp_path / "profile")
    try:
        with running(dashboard_app.__name__, [sqlite_url(tmp_path / FILE)], "optuna-dashboard") as server:
            browser.go(server.link("/dashboard"))
            page = browser.document("dwf-3 on digits-lenet_300_100", "dense on planted-lenet_300_100")
            number = page.split(". dwf-3 on digits-lenet_300_100")[0].rsplit(">", 1)[1]
            browser.go(f"{server.address}/dashboard/studies/{number}")
            browser.document("Pareto Front", "validation accuracy", "log10 compression")
            assert browser.until(POINTS) == 3  # the trials of the search
            outside = [url for url in browser.requests if not url.startswith((server.address, "data:"))]
            assert outside == []
    finally:
        browser.close()


def test_what_is_missing_is_told_with_its_remedy(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SparsebenchError, match=r"no optuna\.db in '.*'; a run writes it"):
        dashboard.serve_dashboard(tmp_path)
    monkeypatch.setattr(dashboard, "MODULE", "optuna_dashboard_that_is_not_installed")
    with pytest.raises(SparsebenchError, match=r"pip install -e '\.\[dashboard\]'"):
        dashboard.serve_dashboard(finished)
