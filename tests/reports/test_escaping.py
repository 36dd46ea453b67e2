"""One list of hostile names, shown by every place that shows names, and read by each format's own reader."""

import csv
import io
import json
import re
import shutil
import subprocess
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hostile_names import HOSTILE
from markdown_it import MarkdownIt
from matplotlib import cbook
from rich.table import Table
from rich.text import Text
from sparsebench.bench.cli.console import SafeConsole, print_json
from sparsebench.bench.tracking.text_tables import csv_table
from sparsebench.escaping import (
    csv_cell,
    escape_html,
    escape_latex,
    escape_markdown,
    for_terminal,
    label,
    one_line,
)
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard
from sparsebench.reports.tables.csv_json import to_csv
from sparsebench.reports.tables.latex import to_latex
from sparsebench.reports.tables.markdown import to_markdown
from sparsebench.reports.tables.terminal import LeaderboardTable
from synthetic_records import campaign

pytestmark = pytest.mark.smoke

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PLAIN = {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code"}


def visible(text: str) -> bool:
    """Whether nothing in a text moves a cursor, is invisible or changes its direction."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co")
    return all(unicodedata.category(c) not in hidden or c == "\n" for c in text)


def table_of(name: str) -> Table:
    table = Table(title=name)
    table.add_column(name)
    table.add_row(name)
    return table


class Reader(HTMLParser):
    """The text and the tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags = "", list[str]()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
class TestName:
    """Each name, in each format."""

    def test_a_terminal_shows_it(self, name: str) -> None:
        for thing in (name, Text(name), table_of(name)):
            out = io.StringIO()
            SafeConsole(file=out, width=200).print(thing)
            assert visible(out.getvalue())
        assert visible(for_terminal(name))
        assert one_line(name).isprintable()
        out = io.StringIO()
        SafeConsole(file=out, width=200).print(one_line(name), soft_wrap=True)
        assert out.getvalue() == one_line(name) + "\n", "no markup"

    def test_json_on_a_terminal_holds_it(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        print_json(json.dumps({"entry": name}, ensure_ascii=False, indent=1))
        printed = capsys.readouterr().out
        assert visible(printed)
        assert json.loads(printed) == {"entry": name}

    def test_html_shows_it(self, name: str) -> None:
        found = Reader(f"<p title='{escape_html(name)}'>{escape_html(name)}</p>")
        assert (found.tags, found.text) == (["p"], one_line(name))

    def test_markdown_shows_it(self, name: str) -> None:
        made = escape_markdown(name)
        found = Reader(MARKDOWN.render(f"| a | b |\n| --- | --- |\n| {made} | x |\n"))
        assert set(found.tags) == {"table", "thead", "tbody", "tr", "th", "td"}
        assert [line for line in found.text.split("\n") if line][2:] == [one_line(name), "x"]
        assert not re.search(r"\w://|www\.|@", made), "GitHub makes links of these"

    def test_latex_sets_it(self, name: str) -> None:
        made = escape_latex(name)
        assert not made.startswith(("[", "*")), "an option of the end of the row before"
        # What is left without the commands that stand for characters is harmless.
        rest = re.sub(r"\{\\ifdefined\\Umathchar [^\x00-\x7f]+\\else [U+0-9A-F ]+\\fi\}", "", made)
        rest = re.sub(r"\\texttt\{\\char34\}|\\text[a-z]+\{\}|\\ldots\{\}", "", rest)
        rest = re.sub(r"\\[{}$&#%_]|\$(\\[A-Za-z]+|-)\$|\{[\[\]*]\}", "", rest)
        assert not set(rest) & set('\\{}$&#%_^~<>|"[]*')

    def test_a_spreadsheet_reads_it(self, name: str) -> None:
        (row,) = csv.DictReader(io.StringIO(csv_table([{"a": name, "b": 1}])))
        assert row["b"] == "1"
        assert not row["a"].lstrip().startswith(tuple("=+-@\t\r\uff1d"))
        assert visible(row["a"])

    def test_a_figure_shows_it(self, name: str) -> None:
        assert not cbook.is_math_text(label(name))


def test_numbers_stay_numbers_in_a_spreadsheet() -> None:
    assert csv_cell(-1.5) == -1.5


def hostile_boards() -> tuple[list[TaskLeaderboard], list[Record]]:
    """The leaderboard of a task with a hostile name, on which every hostile name is an entry."""
    plain = campaign({"dense": 9.0, "dwf-3": 2.2}, {"toy": (0.1, 0.98)}, trials=4)
    records = [record for record in plain if record.method == "dense"]
    for number, name in enumerate(HOSTILE):
        for record in plain:
            if record.method != "dense":
                ids = {"id": f"{number}{record.id}", "config": f"{number}{record.config}"}
                ids |= {"confirms": f"{number}{record.confirms}"} if record.confirms else {}
                records.append(record.model_copy(update={**ids, "entry": name, "dataset": "<b>\x1b[2J|"}))
    return boards(records), records


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_compiles_them(tmp_path: Path) -> None:
    (tmp_path / "table.tex").write_text(to_latex(hostile_boards()[0]), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}\input{table}\end{document}"
    )
    command = ["pdflatex", "-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode", "paper"]
    for _ in range(2):  # the second one reads what the first has written of captions
        done = subprocess.run(command, cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    said = (tmp_path / "paper.log").read_text(errors="replace")
    assert "Missing character" not in said and "passwd)" not in said, "a file was read"


def test_every_table_of_a_report_shows_them_as_text() -> None:
    found, _ = hostile_boards()
    assert set(Reader(MARKDOWN.render(to_markdown(found))).tags) <= PLAIN
    rows = list(csv.reader(io.StringIO(to_csv(found))))
    numbers = re.compile(r"-[\d.]+(e-?\d+)?")
    formulas = [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r"))]
    assert [cell for cell in formulas if not numbers.fullmatch(cell)] == []
    latex = to_latex(found)
    assert not re.search(r"\\\\\s*[\[*]", latex)
    out = io.StringIO()
    SafeConsole(file=out, width=200).print(LeaderboardTable(found))
    assert all(map(visible, (latex, out.getvalue(), to_markdown(found))))
