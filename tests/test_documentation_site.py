"""The documentation as a site: built as `tox -e docs` does, then looked into, and opened in a browser."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import sparsebench
from chromium import FOUND, Chromium
from sparsebench.bench.config.method_docs import describe_method
from sparsebench.bench.exchange.reader import read_source
from sparsebench.methods.api import registry

# The notebooks train: a busy machine takes minutes.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("documentation"), pytest.mark.timeout(1800)]

METHODS = tuple(registry)  # the package's own: other tests of the process register more
NOT_SOURCES = shutil.ignore_patterns(".*", "build", "dist", "runs", "tests", "*.egg-info", "__pycache__")
LOADED = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src"}


@pytest.fixture(scope="module")
def site(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made by tox's command of a copy, so that what it generates is not left in the repository."""
    tree, out = tmp_path_factory.mktemp("documented") / "tree", tmp_path_factory.mktemp("site")
    shutil.copytree(repository, tree, ignore=NOT_SOURCES)
    for made in ("methods", "api"):
        shutil.rmtree(tree / "docs" / made, ignore_errors=True)
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(repository / "tox.ini")
    program, *words, target = shlex.split(tox["testenv:docs"]["commands"])
    assert (program, target) == ("sphinx-build", "build/docs")
    command = [sys.executable, "-P", "-m", "sphinx", *words, str(out)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


class Page(HTMLParser):
    """The ids of a page, what it loads, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.ids.add(found.get("id", ""))
        if LOADED.get(tag, "") in found:
            self.loaded.append(found[LOADED[tag]])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def is_elsewhere(address: str) -> bool:
    return re.match(r"[a-z]+:|//", address) is not None and not address.startswith("data:")


def text_of(path: Path) -> str:
    """The words of a page, without its tags."""
    return unescape(re.sub(r"<[^>]+>", "", path.read_text(encoding="utf-8")))


def test_pages_load_nothing_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert {a for page in pages.values() for a in page.loaded if is_elsewhere(a)} == set()
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert [a for a in re.findall(r"(?:url\(|@import )[\"']?([^\"')]+)", styles) if is_elsewhere(a)] == []


def test_every_link_within_the_site_has_its_target(pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in (link for link in page.links + page.loaded if not is_elsewhere(link)):
            file, _, anchor = unquote(link.partition("?")[0]).partition("#")
            target = (path.parent / file).resolve() if file else path
            known = pages.get(target)
            if not target.is_file() or (anchor and known and anchor not in known.ids):
                lost.append((path.name, link))
    assert lost == []


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_a_page_with_its_equation_knobs_and_reference(method: str, site: Path) -> None:
    page, told = text_of(site / "docs" / "methods" / f"{method}.html"), describe_method(method)
    equation = told["doc"].split("\n\n")[0].replace("`", "")
    assert equation in " ".join(page.split())
    assert told["reference"] in page
    for knob in told["knobs"]:
        assert knob["name"] in page
        assert knob["doc"].replace("`", "") in page


def test_a_method_of_a_published_study_has_a_picture_of_its_fronts(site: Path, repository: Path) -> None:
    depths = {"mnist-lenet300": (2, 3, 4), "mnist-lenet5-short": (2, 3), "cifar10-jpeg-conv3": (2, 3)}
    archives = list((repository / "reports" / "results").rglob("*.sparsebench.zip"))
    assert len(archives) == len(depths)
    for archive in archives:
        pictures = (site / "_images").glob(f"*-{archive.parent.name}-*.svg")
        drawn = {path.name.partition(f"-{archive.parent.name}")[0]: path for path in pictures}
        assert set(drawn) == {record.method for record in read_source(archive)[0].records}
        labels = {f"dwf-{depth}" for depth in depths[archive.parent.name.rpartition("-")[0]]}
        assert all(label in drawn["dwf"].read_text() for label in labels)
        assert not any(label in drawn["gmp"].read_text() for label in labels)  # grey lines have no name


def test_every_public_name_is_described(pages: dict[Path, Page]) -> None:
    described = {name for path, page in pages.items() if path.parent.name == "api" for name in page.ids}
    public = [getattr(sparsebench, name) for name in sparsebench.__all__ if not name.startswith("__")]
    assert {f"{item.__module__}.{item.__qualname__}" for item in public} <= described


def test_the_notebooks_show_what_they_were_run_for(site: Path) -> None:
    images, method = (text_of(site / "docs" / "notebooks" / f"own-{n}.html") for n in ("images", "method"))
    for entry in ("dense", "magnitude", "gmp"):
        assert re.search(rf"^\s*{entry}\n\s*0\.\d+\n", images, flags=re.M), "a row of the table"
    assert "model.load_state_dict(torch.load('gmp.pt', weights_only=True))" in images
    assert "compression 20, test accuracy 9" in method
    assert re.search(r"rank [12] of 2, score 0\.[89]", method)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    opened = Chromium(tmp_path / "profile")
    yield opened
    opened.close()


@pytest.mark.skipif(FOUND is None, reason="chromium is not installed")
def test_a_browser_opens_the_site_from_disk_and_finds_words(site: Path, browser: Chromium) -> None:
    asked = []
    for name in ("docs/index", "docs/methods/dwf", "docs/notebooks/own-images", "docs/api/methods"):
        browser.go((site / f"{name}.html").as_uri())
        asked += browser.requests
        images = "[...document.querySelectorAll('article img')].map(image => image.naturalWidth)"
        assert 0 not in browser.js(images)
    browser.go((site / "search.html").as_uri() + "?q=decay+budget")
    results = "[...document.querySelectorAll('#search-results li a')].map(link => link.text)"
    browser.until(f"{results}.includes('dwf')")
    asked += browser.requests
    assert [address for address in asked if not address.startswith(("file:", "data:"))] == []
    assert browser.problems == []


def test_the_notebooks_of_the_repository_have_their_results(repository: Path) -> None:
    """A forge shows them as they lie there."""
    for path in (repository / "docs" / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert outputs
        assert all(output["output_type"] in ("stream", "execute_result") for output in outputs)
