"""What is written: files that repeat, that survive any name, and that need no torch."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from sparsebench import files
from sparsebench.errors import SparsebenchError
from sparsebench.escaping import csv_cell
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.tables.csv_json import to_csv, to_json
from sparsebench.reports.tables.markdown import to_markdown
from sparsebench.reports.tables.terminal import LeaderboardTable
from sparsebench.reports.write import write_report
from synthetic_records import NINE, campaign, confirm, entry_records

NASTY = (
    "<script>alert(1)</script>", "a|b|c", "two\nlines", "$x_{", "[bold]rich[/bold]", "=1+1,\"q\"", "_hidden",
    "*em* `code`", "日本", "\x00\x1b[31m", "![x](y)",
)  # fmt: skip


@pytest.fixture(scope="module")
def small() -> list[Record]:
    some = {name: NINE[name] for name in ("dense", "random", "dwf-3")}
    return campaign(some, {"toy": (0.1, 0.95), "toy2": (0.01, 0.6)}, trials=5, seeds=2)


@pytest.fixture(scope="module")
def written(small: list[Record], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_report(tmp_path_factory.mktemp("written"), boards(small))


def printed(records: list[Record], width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(LeaderboardTable(boards(records)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def nasty() -> list[Record]:
    records = [confirm("dense", "d", s, 0.9, 1.0, dataset=NASTY[0]) for s in (1, 2)]
    for number, name in enumerate(NASTY):
        records += [confirm(name, "a", s, 0.8, 5.0 + number, dataset=NASTY[0], method="l1") for s in (1, 2)]
    return records


def table_lines(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("|")]


def test_markdown_has_one_whole_table_a_task(small: list[Record]) -> None:
    page = to_markdown(boards(small))
    assert re.findall(r"^## (.*)$", page, re.M) == ["toy-net", "toy2-net", "Over tasks", "How to read this"]
    lines = table_lines(page)
    tables = [lines[5 * i : 5 * i + 5] for i in range(4)]  # per task the ranks, and the intervals
    assert len(lines) == 20 and all(len({line.count("|") for line in table}) == 1 for table in tables)
    assert "[" in tables[1][2] and "[" not in tables[0][2]
    for said in ("prunable weights", "1.19e-7", "validated threshold", "over 2 seeds", "chosen on validation",
                 "5 search trials", "100 optimizer steps", "compression 1", "Welch",
                 "there are 2 tasks", "pairs of entries"):  # fmt: skip
        assert said in page, said


def test_names_cannot_break_the_markdown() -> None:
    page = to_markdown(boards(nasty()))
    lines = table_lines(page)
    height = 2 + 1 + len(NASTY)
    assert len(lines) == 2 * height
    for table in (lines[:height], lines[height:]):
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {table[0].count("|")}
    assert "<" not in page and "\x1b" not in page and "\x00" not in page
    assert r"\!" not in page and r"\[x\]" in page


def test_csv_gives_names_and_numbers_back() -> None:
    found = boards(nasty())
    lines = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [line["entry"] for line in lines] == [csv_cell(row.entry) for row in found[0].rows]
    for line, row in zip(lines, found[0].rows, strict=True):
        assert float(line["hypervolume_raw"]) == row.hypervolume_raw
        assert float(line["accuracy_at_2"]) == row.accuracy_at[2] if row.accuracy_at[2] else True
        assert {f"accuracy_at_{2**i}" for i in range(1, 10)} <= set(line)
        assert {"within_1_points", "within_5_points_exact", "within_10_points"} <= set(line)


def test_json_holds_rows_and_points(small: list[Record]) -> None:
    content = json.loads(to_json(boards(small)))
    assert [task["task"] for task in content["tasks"]] == ["toy-net", "toy2-net"]
    task = content["tasks"][0]
    assert {row["entry"] for row in task["rows"]} == {"dense", "random", "dwf-3"}
    assert len(task["points"]) == 3 * 5 and all(point["seeds"] == 2 for point in task["points"])
    assert {"accuracy_sd", "compression_exact", "training_flops_ratio", "seconds"} <= set(task["points"][0])
    assert 0 < sum(point["front"] for point in task["points"]) <= 15


@pytest.mark.parametrize("width", [60, 80, 120, 300])
def test_the_terminal_table_fits(small: list[Record], width: int) -> None:
    text = printed(small, width)
    assert max(len(line) for line in text.splitlines()) <= width
    for word in ("rank", "entry", "hypervolume", "dwf-3", "random"):
        assert word in text
    assert ("acc@512" in text) == (width == 300)
    assert "…" not in text


def test_the_terminal_shows_names_as_they_are() -> None:
    text = printed(nasty(), 200)
    assert "[bold]rich[/bold]" in text and "\x1b" not in text and "two lines" in text


def test_a_task_without_dense_says_what_is_missing() -> None:
    records = [confirm("l1", "a", seed, 0.9, 10.0) for seed in (1, 2)]
    for text in (to_markdown(boards(records)), " ".join(printed(records).split())):
        assert "need a dense baseline" in text and "no dense baseline" in text
    assert "within 5" not in table_lines(to_markdown(boards(records)))[0]


def test_validation_is_called_validation() -> None:
    records = [
        confirm("l1", "s", 0, 0.0, 10.0, phase="search", test_accuracy=None, val_accuracy=0.9),
        confirm("dense", "s", 0, 0.0, 1.0, phase="single", test_accuracy=None, val_accuracy=0.9),
    ]
    page = to_markdown(boards(records))
    assert "VALIDATION accuracy, not confirmed" in page and "l1 (validation)" in page
    assert "test accuracy, mean" not in page


def test_unequal_budgets_are_named() -> None:
    records = [confirm("l1", "a", s, 0.9, 9.0, steps=100) for s in (1, 2)]
    assert "budgets differ" not in to_markdown(boards(records))
    records += [confirm("l2", "a", s, 0.9, 9.0, steps=200) for s in (1, 2)]
    assert "budgets differ" in to_markdown(boards(records))


def test_writing_twice_gives_the_same_bytes(small: list[Record], tmp_path: Path, written: list[Path]) -> None:
    kinds = [f"{kind}-toy-net.{end}" for kind in ("fronts", "phases", "density") for end in ("png", "svg")]
    names = {f"leaderboard.{end}" for end in ("md", "csv", "json", "tex")} | {"pairs.csv"}
    names |= {"tasks-fronts.png", "tasks-fronts.svg"}
    names |= {*kinds, *(kind.replace("toy", "toy2") for kind in kinds)}
    folder = written[0].parent
    assert {path.name for path in written if path.parent == folder} == names
    assert names | {"site"} == {path.name for path in folder.iterdir()}
    before = {path.relative_to(folder): path.read_bytes() for path in written}
    assert before == {
        path.relative_to(tmp_path): path.read_bytes() for path in write_report(tmp_path, boards(small))
    }


def test_the_order_of_records_within_a_task_does_not_matter(small: list[Record]) -> None:
    toy = [record for record in small if record.dataset == "toy"]
    assert to_json(boards(toy)) == to_json(boards(toy[::-1]))


def test_the_page_shows_the_pictures_that_exist(written: list[Path]) -> None:
    page = written[0].read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", page)
    assert len(shown) == 7 and all((written[0].parent / name).is_file() for name in shown)


def test_nasty_names_are_drawn_and_stay_inside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    paths = write_report(folder, boards(nasty()))
    assert all(path.parent in (folder, folder / "site") for path in paths)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    svg = next(path for path in paths if path.suffix == ".svg").read_text(encoding="utf-8")
    assert "<script>" not in svg and "&lt;script&gt;" in svg and "日本" in svg


def test_a_failed_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "leaderboard.csv"
    files.write_atomic(target, "old")

    def refuse(self: Path, other: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(SparsebenchError, match="No space left"):
        files.write_atomic(target, "new")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_a_file_is_one_clear_sentence(tmp_path: Path, small: list[Record]) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SparsebenchError, match="cannot write"):
        write_report(tmp_path / "file", boards(small))


def test_reports_need_no_torch(tmp_path: Path) -> None:
    records = entry_records("dwf-3", "toy", 2.0, 3, 2, 0.1, 0.95)
    lines = "".join(record.to_json() + "\n" for record in records)
    (tmp_path / "records.jsonl").write_text(lines, encoding="utf-8")
    code = (
        "import sys, io, pathlib; from rich.console import Console\n"
        "from sparsebench.records.store import load_records\n"
        "from sparsebench.reports.analysis.boards import boards\n"
        "from sparsebench.reports.tables.terminal import LeaderboardTable\n"
        "from sparsebench.reports.write import write_report\n"
        "folder = pathlib.Path(sys.argv[1]); found = boards(load_records(folder))\n"
        "Console(file=io.StringIO()).print(LeaderboardTable(found))\n"
        "assert 'matplotlib' not in sys.modules, 'the terminal table waits for drawing libraries'\n"
        "write_report(folder, found)\n"
        "print(sorted(name for name in ('torch', 'optuna', 'mlflow') if name in sys.modules))"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
