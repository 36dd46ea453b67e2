"""The site's files: what is in them, that nothing leaves its place, and what they cost."""

import json
import re
import time
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table
from site_data import given
from sparsebench.commands import UNKNOWN
from sparsebench.errors import SparsebenchError
from sparsebench.escaping import one_line
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards, on_front
from sparsebench.reports.site import GENERATOR, write_site
from sparsebench.reports.site.page_names import Addresses
from sparsebench.reports.site.template import assets
from sparsebench.reports.site.values import value
from sparsebench.reports.tables.terminal import LeaderboardTable
from synthetic_records import NINE, campaign, confirm, identity, record

NASTY = (
    "</script><script>document.title='run'</script>", "<img src=x onerror=\"document.title='run'\">",
    "\"'><b>bold</b>", "a|b", "{{ 7*7 }}", "$x$", "NaN", "../../up", "日本", "\x00\x1b[31m", "DWF", "dwf",
    "</SCRIPT", "<!--", "javascript:alert(1)",
)  # fmt: skip
METHODS = {
    "dwf": {
        "name": "dwf",
        "doc": "w = ω₁⊙…⊙ω_D; min L(w) + <b>λ</b>\n\nA second paragraph.",
        "reference": "arXiv:2502.02496",
        "knobs": [{"name": "lam", "default": 3e-4, "searched": [1e-5, 5e-3], "scale": "log", "doc": "λ"}],
    }
}


class Page(HTMLParser):
    """What a page loads, links to and says; the text of its scripts apart."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.data, self._inside = "", "", ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.data += data
        else:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def all(self, tag: str, name: str) -> list[str]:
        return [found[name] or "" for t, found in self.tags if t == tag and name in found]


def nasty() -> list[Record]:
    made = []
    for number, name in enumerate(NASTY):
        made += [
            confirm(
                name, "a", seed, 0.8, 1e300 if number == 3 else 5.0 + number, dataset=NASTY[0], method=name,
                knobs={name: name, "huge": 1e308, "big": 10**400}, command=f"run {name}",
                versions={name: name}, recipe={name: [name, {name: None}]}, reason=name, device=name,
            )
            for seed in (1, 2)
        ]  # fmt: skip
    return [*made, *(confirm("dense", "d", s, 0.9, 1.0, dataset=NASTY[0]) for s in (1, 2))]


@pytest.fixture(scope="module")
def small() -> list[Record]:
    some = {name: NINE[name] for name in ("dense", "random", "dwf-3")}
    return campaign(some, {"toy": (0.1, 0.95), "toy2": (0.01, 0.6)}, trials=5, seeds=2)


@pytest.fixture(scope="module")
def site(small: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "methods.json").write_text(json.dumps(METHODS), encoding="utf-8")
    return write_site(folder, boards(small))[0].parent


def chart_of_index(site: Path) -> dict[str, Any]:
    """The chart of the overview with the points of all tasks, as the scripts put it together."""
    head = given(site / json.loads(Page(site / "index.html").data)["part"])
    return head | {"points": [p for task in head["tasks"] for p in given(site / task["part"])["points"]]}


def near(number: float) -> object:
    return pytest.approx(number, rel=1e-5)  # six digits are written


def pages(site: Path) -> dict[str, Page]:
    return {path.name: Page(path) for path in site.glob("*.html")}


def test_there_is_a_page_for_every_entry_and_task(site: Path) -> None:
    names = {"index.html", "task-toy-net.html", "task-toy2-net.html"}
    names |= {f"entry-{entry}.html" for entry in ("dense", "random", "dwf-3")}
    assert set(pages(site)) == names


def test_every_link_leads_to_a_file_of_the_site(site: Path) -> None:
    for name, page in pages(site).items():
        links = page.all("a", "href") + page.all("script", "src") + page.all("link", "href")
        assert len(links) > 5
        for link in links:
            target, _, part = link.partition("#")
            if link != "data:,":
                assert not target or (site / target).is_file(), f"{name}: {link}"
                other = Page(site / target) if target.endswith(".html") else page
                assert not part or part in [a["id"] for _, a in other.tags if "id" in a], f"{name}: {link}"
        assert not page.all("img", "src")


def test_no_page_may_run_what_it_did_not_bring(site: Path) -> None:
    for page in pages(site).values():
        policy = next(a["content"] or "" for t, a in page.tags if t == "meta" and "http-equiv" in a)
        assert "default-src 'none'" in policy and "script-src 'self';" in policy
        kinds = [a.get("type") for t, a in page.tags if t == "script" and "src" not in a]
        assert kinds == ["application/json"]
        assert not [a for _, a in page.tags if any(key.startswith("on") for key in a)]


def test_the_chart_has_every_point_and_the_fronts_of_the_tables(site: Path, small: list[Record]) -> None:
    data = chart_of_index(site)
    found = boards(small)
    assert len(data["points"]) == sum(len(p) for board in found for p in board.points.values())
    for number, board in enumerate(found):
        for e, entry in enumerate(data["entries"]):
            own = [p for p in data["points"] if (p["t"], p["e"]) == (number, e)]
            on = [(p["x"][0], p["y"]) for p in own if p["fronts"][0]]
            line = on_front(board.points[entry["name"]])
            assert on == [(near(p.compression), near(p.accuracy.mean)) for p in line]
    assert {p["command"] for p in data["points"]} == {UNKNOWN}  # the records' command is "none"
    seeds = "seeds 1000, 1001"
    assert data["points"][0]["trial"] in {f"{identity(f'toy-dense-s{n}')}; {seeds}" for n in range(5)}


def test_the_search_trials_of_a_chart_are_rows_of_its_page(site: Path) -> None:
    page = Page(site / "entry-random.html")
    data = json.loads(page.data)
    searched = [p for p in data["points"] if p.get("searched")]
    assert len(searched) == 2 * 5
    text = (site / "entry-random.html").read_text(encoding="utf-8")
    for point in searched:
        (row,) = re.findall(rf'<tr id="r{point["row"]}".*', text)
        assert "<td>search</td>" in row and f"<td>{100 * point['y']:.2f}</td>" in row


def test_an_entry_has_its_equation_knobs_and_trials(site: Path) -> None:
    page = Page(site / "entry-dwf-3.html")
    for said in ("w = ω₁⊙…⊙ω_D; min L(w) + <b>λ</b>", "A second paragraph.", "arXiv:2502.02496",
                 "0.0003", "1e-05 to 0.005, log", identity("toy-dwf-3-s4"),
                 identity("toy2-dwf-3-c0-1")):  # fmt: skip
        assert said in page.text, said
    assert ("b", {}) not in page.tags
    assert "came without the description" in Page(site / "entry-random.html").text


def test_a_task_has_recipe_versions_and_its_dense_baseline(tmp_path: Path) -> None:
    more = {"recipe": {"epochs": 3, "lr": 0.1}, "versions": {"torch": "2.15.0"}, "model_args": {"width": 4}}
    made = [confirm("dense", "d", s, 0.9, 1.0, **more) for s in (1, 2)]
    made += [confirm("l1", "a", s, 0.8, 9.0, **(more | {"recipe": {"epochs": 3, "lr": 0.3}})) for s in (1, 2)]
    found = boards(made)
    page = Page(write_site(tmp_path, found)[1])
    for said in ("made_up", "net (width 4)", "epochs", "0.1 to 0.3", "2.15.0", "SHA-256 synthetic"):
        assert said in page.text, said
    assert f"{100 * (found[0].dense or 0):.2f} ± 0.00 %" in page.text


def test_records_without_a_search_or_a_dense_baseline_are_shown(tmp_path: Path) -> None:
    made = [record(entry="l1", method="l1", phase="single", val_accuracy=0.9, compression=4.0)]
    made += [record(entry="l2", method="l2", phase="search", status="failed", reason="out of memory")]
    site = write_site(tmp_path, boards(made))[0].parent
    assert "This task has none" in Page(site / "task-made_up-net.html").text
    assert "VALIDATION accuracy" in Page(site / "index.html").text
    assert "failed" in Page(site / "entry-l2.html").text


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    paths = write_site(tmp_path / "out", boards(nasty()))
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert len({path.name.casefold() for path in paths}) == len(paths) == 1 + 1 + len(NASTY) + 1 + 2 + 7
    rows = [given(path) for path in (tmp_path / "out" / "site").glob("data-*.js")]
    assert {len(part) for part in rows} == {2, 6}  # rows and points, the overview
    (html,) = (part["rows"] for part in rows if "rows" in part)
    assert set(re.findall(r"<(\w+)", html)) == {"tr", "th", "td", "a", "span", "small"}
    for page in pages(tmp_path / "out" / "site").values():
        assert {t for t, _ in page.tags} <= {
            "html", "head", "meta", "title", "link", "script", "body", "a", "header", "strong", "nav", "main",
            "h1", "h2", "h3", "p", "section", "div", "label", "input", "output", "table", "caption", "thead",
            "tr", "th", "button", "tbody", "td", "small", "span", "ul", "li", "fieldset", "legend", "select",
            "dl", "dt", "dd", "code", "footer", "details", "summary",
        }  # fmt: skip
        data = json.loads(page.data, parse_constant=lambda name: pytest.fail(name))
        shown = given(tmp_path / "out" / "site" / data["part"]) if "part" in data else data
        assert {e["name"] for e in shown["entries"]} <= {one_line(v) for v in (*NASTY, "dense")}
        assert "</" not in page.data and "<!--" not in page.data


def test_the_charting_library_is_the_published_one() -> None:
    """A file that nobody reads line by line: nothing but what npm has under this name and version."""
    content = assets()["plotly.min.js"]
    assert "plotly.js (basic - minified) v4.1.1" in content[:200] and "MIT" in assets()["plotly.LICENSE"]
    published = "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba"
    assert sha256(content.encode()).hexdigest() == published


def test_values_are_short_text_whatever_they_are() -> None:
    shown = {value(v) for v in (10**5000, -(10**400), float("nan"), float("inf"), None, True, [1] * 99)}
    assert shown == {"about 2^16609", "about -2^1328", "nan", "inf", "–", "yes",
                     ", ".join(["1"] * 20) + ", …"}  # fmt: skip
    assert len(value("x" * 10**6)) == 200


def test_names_that_differ_in_capitals_alone_have_two_files() -> None:
    made = [confirm(entry, "a", 1, 0.8, 5.0) for entry in ("dwf", "DWF", "Dwf")]
    names = Addresses.of(boards(made)).entries
    assert len({name.casefold() for name in names.values()}) == 3


def test_pages_of_what_is_gone_are_removed_and_nothing_else(small: list[Record], tmp_path: Path) -> None:
    """Pages of older versions, which have no generator, are removed too; those of strangers are not."""
    site = write_site(tmp_path, boards(small))[0].parent
    gone = [path for path in site.glob("*.html") if path.name in ("entry-random.html", "task-toy2-net.html")]
    for path in gone[:1]:
        path.write_bytes(path.read_bytes().replace(GENERATOR, b""))
    mine = {"notes.html", "entry-mine.html", "task-mine.html", "task-linked.html"}
    for name in sorted(mine - {"task-linked.html"}):
        (site / name).write_text("<p>mine, about sparsebench</p>")
    (site / "task-linked.html").symlink_to(site / "index.html")
    write_site(tmp_path, boards([r for r in small if r.entry != "random" and r.dataset == "toy"]))
    names = {path.name for path in site.glob("*.html")}
    assert len(gone) == 2 and names == mine | {
        "index.html", "task-toy-net.html", "entry-dense.html", "entry-dwf-3.html"
    }  # fmt: skip


@pytest.mark.parametrize("content", ["{", "[]", '{"dwf": {"knobs": 3}}'])
def test_a_damaged_description_is_one_sentence(small: list[Record], tmp_path: Path, content: str) -> None:
    (tmp_path / "methods.json").write_text(content)
    with pytest.raises(SparsebenchError, match=r"methods\.json is damaged \("):
        write_site(tmp_path, boards(small))


@pytest.mark.xdist_group("clock")
def test_a_large_board_is_written_soon_and_stays_small(tmp_path: Path) -> None:
    names = [f"m{i}" for i in range(19)]
    entries = {"dense": 9.0} | {name: 0.8 + 0.08 * i for i, name in enumerate(names)}
    made = campaign(entries, {f"set{i}": (0.1, 0.98) for i in range(6)}, trials=50, seeds=3)
    command = (
        "sparsebench train --dataset set --model net --method m --set lam=1.678e-05 --set depth=3 --seed 1"
    )
    made = [r.model_copy(update={"command": command}) for r in made]
    found = boards(made)
    begun = time.process_time()
    site = write_site(tmp_path, found)[0].parent
    assert time.process_time() - begun < 8  # twice the share of it that is meant: the clock of a busy machine
    sizes = {path.name: path.stat().st_size for path in site.iterdir()}
    shared = sum(size for name, size in sizes.items() if not name.endswith(".html"))
    assert shared + max(size for name, size in sizes.items() if name.endswith(".html")) < 6e6


@pytest.mark.parametrize(("second", "coloured"), [(0.5, 1), (0.94, 0)])
def test_rank_1_is_coloured_only_where_rank_2_is_distinguishable(
    tmp_path: Path, second: float, coloured: int
) -> None:
    made = [confirm("dense", "d", s, 0.95, 1.0) for s in (1, 2, 3)]
    made += [confirm("one", "a", s, 0.94 + 0.01 * s, 9.0) for s in (-1, 0, 1)]
    made += [confirm("two", "a", s, second - 0.02 * s, 9.0) for s in (-1, 0, 1)]
    for page in pages(write_site(tmp_path, boards(made))[0].parent).values():
        rows = [a.get("class") for t, a in page.tags if t == "tr"]
        assert rows.count("first") <= coloured
    (task,) = given(tmp_path / "site" / "data-index.js")["tasks"]
    assert given(tmp_path / "site" / task["part"])["rows"].count('class="first"') == coloured
    options = Console(width=120).options
    (table, *_) = (part for part in LeaderboardTable(boards(made)).__rich_console__(Console(), options))
    assert isinstance(table, Table) and [row.style for row in table.rows].count("green") == coloured
