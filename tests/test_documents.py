"""What the documents say is true: fields are described, the README's example runs."""

import json
import re
import subprocess
import sys
from itertools import dropwhile, takewhile
from pathlib import Path

from sparsebench.records.record import Record


def sparsebench(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", "from sparsebench.bench.cli.app import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def test_every_field_of_a_record_is_described(repository):
    text = (repository / "docs" / "records.md").read_text()
    described = set(re.findall(r"`([a-z_]+)`", text))
    fields = {info.alias or name for name, info in Record.model_fields.items()}
    assert fields <= described, fields - described


def first_table(text: str) -> list[dict[str, str]]:
    """The rows of a page's first table, by its titles."""
    lines = dropwhile(lambda line: not is_row(line), text.splitlines())
    rows = [line.strip("|").split("|") for line in takewhile(is_row, lines)]
    titles, _, *body = [[cell.strip() for cell in row] for row in rows]
    return [dict(zip(titles, row, strict=True)) for row in body]


def is_row(line: str) -> bool:
    return line.startswith("|")


def test_the_readmes_table_is_what_the_records_of_its_run_give(repository, tmp_path):
    board = repository / "reports" / "results"
    run, [archive] = board / "mnist-lenet300", board.glob("tasks/mnist-*/*/results.sparsebench.zip")
    merged = sparsebench("merge", str(archive), "--out", "merged", cwd=tmp_path)
    assert merged.returncode == 0, merged.stderr
    found = first_table((tmp_path / "merged" / "leaderboard.md").read_text())
    assert found == first_table((run / "leaderboard.md").read_text())
    shown = first_table((repository / "README.md").read_text())
    assert len(shown) == len(found) == 26
    assert shown == [{title: row[title] for title in shown[0]} for row in found]


def test_the_repositorys_results_are_a_board(repository, tmp_path):
    board = repository / "reports" / "results"
    checked = sparsebench("board", "check", str(board), cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count("| records only |") == 26
    rules = repository / "bench" / "board" / "templates" / "RULES.md"
    assert (board / "RULES.md").read_text() == rules.read_text()


def test_the_readmes_method_of_twenty_lines_runs(repository, tmp_path):
    """The block is taken from the page as a reader would, saved, and trained by the command beside it."""
    text = (repository / "README.md").read_text()
    block = re.search(r"```python\n(# iht\.py\n.*?)```", text, flags=re.DOTALL)
    assert block is not None
    code = block.group(1)
    assert len([line for line in code.splitlines() if line.strip()]) <= 22
    (tmp_path / "iht.py").write_text(code)
    listed = sparsebench("list", "methods", "--json", "--plugin", "iht.py", cwd=tmp_path)
    assert "iht" in [row["name"] for row in json.loads(listed.stdout)]
    words = [
        "train",
        "--dataset",
        "digits",
        "--model",
        "lenet_300_100",
        "--method",
        "iht",
        "--plugin",
        "iht.py",
    ]
    done = sparsebench(
        *words, "--set", "sparsity=0.95", "--set", "batch_size=32", "--device", "cpu", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["missed_by"] == 0
    assert record["test_accuracy"] > 0.9
