"""What the documents say is true: fields are described, and what they show runs."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import pytest
from pages import Block, blocks, commands, follow
from sparsebench.bench.cli.app import app as typer_app
from sparsebench.records.record import Record
from typer.core import TyperGroup
from typer.main import get_command


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
    run = board / "mnist-lenet300"
    [archive] = board.glob("tasks/mnist-lenet_300_100/*/results.sparsebench.zip")
    merged = sparsebench("merge", str(archive), "--out", "merged", cwd=tmp_path)
    assert merged.returncode == 0, merged.stderr
    found = first_table((tmp_path / "merged" / "leaderboard.md").read_text())
    assert found == first_table((run / "leaderboard.md").read_text())
    shown = first_table((repository / "README.md").read_text())
    assert len(shown) == len(found) == 25
    assert shown == [{title: row[title] for title in shown[0]} for row in found]


def test_the_repositorys_results_are_a_board(repository, tmp_path):
    board = repository / "reports" / "results"
    checked = sparsebench("board", "check", str(board), cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count("| records only |") == 25 + 7 + 7
    rules = repository / "bench" / "board" / "templates" / "RULES.md"
    assert (board / "RULES.md").read_text() == rules.read_text()


def test_the_readmes_method_of_twenty_lines_runs(repository, tmp_path, cli, monkeypatch):
    """The block is taken from the page as a reader would, saved, and trained by the command beside it."""
    found = [block for block in blocks(repository / "README.md") if "iht" in block.text]
    assert [block.file for block in found] == ["iht.py", None]
    assert len([line for line in found[0].text.splitlines() if line.strip()]) <= 22
    monkeypatch.chdir(tmp_path)
    answers = follow_page(found, tmp_path, cli)
    record = json.loads(answers[0].out)
    assert record["missed_by"] == 0
    assert record["test_accuracy"] > 0.9


def follow_page(found: list[Block], folder: Path, cli: Callable[..., Any]) -> list[Any]:
    """The answers to the commands of sparsebench that a page gives, each of which has to succeed."""
    answers = []

    def type_in(words: list[str]) -> None:
        if words[0] == "sparsebench":
            answers.append(cli(*words[1:]))
            assert answers[-1].code == 0, (words, answers[-1].err)
        else:
            assert words[0] == "pytest", f"no page types {words[0]}"
            done = subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout

    follow(found, folder, type_in)
    return answers


@pytest.fixture
def no_tracking_uri() -> Iterator[None]:
    """Takes back the address that a page gives to MLflow, for this process and those that it starts."""
    yield
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)


@pytest.mark.slow
@pytest.mark.usefixtures("no_tracking_uri")
@pytest.mark.parametrize(
    "pages", ["tour mlflow", "add-a-method", "add-a-dataset", "add-a-model", "add-a-suite"]
)
def test_a_page_can_be_followed_from_top_to_bottom(pages, repository, tmp_path, cli, monkeypatch):
    """Each file that it shows is saved, and each command that it gives is typed, in an empty folder; a page
    about the run of another is followed after that one."""
    monkeypatch.chdir(tmp_path)
    sources = [repository / "docs" / f"{page}.md" for page in pages.split()]
    answers = follow_page([block for source in sources for block in blocks(source)], tmp_path, cli)
    assert len(answers) == sum(len(list(commands(source))) for source in sources) > 0


PAGES = [*Path(__file__).parents[1].glob("*.md"), *Path(__file__).parents[1].glob("docs/*.md")]


@pytest.mark.parametrize("page", [page for page in PAGES if any(commands(page))], ids=lambda page: page.name)
def test_the_commands_of_a_page_have_the_options_that_they_are_given(page):
    for words in commands(page):
        command, rest = get_command(typer_app), words
        while isinstance(command, TyperGroup):
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(" ".join(words), rest).close()
