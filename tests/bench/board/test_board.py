"""A board from its beginning to its pages, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from small_results import TASK, edited, packed, raised, results, suite_toml
from sparsebench.bench.board.build import leaderboards
from sparsebench.bench.board.check import check_board
from sparsebench.bench.board.intake import add_archive
from sparsebench.bench.board.layout import RESULTS, SUBMISSION, TASKS, Board, SubmissionFile, read_board
from sparsebench.bench.board.start import start_board
from sparsebench.bench.campaign.publish import ranked
from sparsebench.bench.exchange.pack import IncompatibleResults
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record
from sparsebench.records.stored import StoredRecords
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results(tmp_path_factory.mktemp("ada") / "run")


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same suite on another machine, with seeds of its own."""
    return results(tmp_path_factory.mktemp("bob") / "run", seeds=(3, 4))


@pytest.fixture
def board(tmp_path: Path) -> Board:
    suite = tmp_path / "small.toml"
    suite.write_text(suite_toml())
    return start_board(tmp_path / "board", "Small nets", [str(suite)])


def shown(folder: Path) -> list[TaskLeaderboard]:
    return ranked(folder, StoredRecords(folder))


def evidence(board: Board) -> dict[str, str | None]:
    """What the board's table says of each entry."""
    [found] = leaderboards(TASK, list(board.submissions()), shown)
    return {row.entry: row.verified for row in found.rows}


def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_another_machines_trainings_are_evidence(board: Board, ada: Path, bob: Path, tmp_path: Path) -> None:
    [first] = add_archive(board, packed(ada, tmp_path / "ada.zip"), "Ada", now=NOW)
    assert first.told.states == {"dense": "weights verified", "magnitude": "weights verified"}
    assert evidence(board) == first.told.states
    # Neither her own again nor a copy under another name says anything
    before = (first.folder / RESULTS).read_bytes()
    again = edited(copy(ada, tmp_path), lambda record: {"peak_memory_bytes": 1})
    add_archive(board, packed(again, tmp_path / "copy.zip"), "Eve", now=NOW + timedelta(hours=1))
    assert evidence(board) == first.told.states
    add_archive(board, packed(bob, tmp_path / "bob.zip"), "Bob", now=NOW + timedelta(hours=2))
    assert set(evidence(board).values()) == {"retrained by others"}
    assert (first.folder / RESULTS).read_bytes() == before
    found = check_board(board.root, shown)
    assert found.ok and found.submissions == 3, found.problems
    assert "| new | dense | dense |" in found.report


def test_records_alone_are_said_to_be_alone(board: Board, ada: Path, bob: Path, tmp_path: Path) -> None:
    from sparsebench.bench.exchange.pack import pack

    add_archive(board, pack(ada, tmp_path / "ada.zip").path, "Ada", now=NOW)
    add_archive(board, pack(bob, tmp_path / "bob.zip").path, "Bob", now=NOW + timedelta(hours=1))
    assert set(evidence(board).values()) == {"records only"}


def forged(board: Board, archive: Path, **told: Any) -> Path:
    """Lays an archive onto a board as nobody's program would, with a submission.json that fits it."""
    content = archive.read_bytes()
    digest = sha256(content).hexdigest()
    folder = board.root / TASKS / told.get("task", TASK) / f"forged-{digest[:8]}"
    folder.mkdir(parents=True)
    (folder / RESULTS).write_bytes(content)
    states = {"dense": "weights verified", "magnitude": "weights verified"}
    fields = {"task": TASK, "by": "Mallory", "added": NOW, "sha256": digest, "states": states, **told}
    (folder / SUBMISSION).write_text(SubmissionFile(**fields).model_dump_json())
    return folder


def few_seeds(folder: Path) -> None:
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text("".join(lines[:-1]))


def raise_accuracy(folder: Path) -> None:
    edited(folder, raised)


def longer(record: Record) -> dict[str, Any]:
    return {"recipe": {**record.recipe, "epochs": 3}}


def train_longer(folder: Path) -> None:
    edited(folder, longer)
    suite = json.loads((folder / "suite.json").read_text())
    suite["suite"]["tasks"][0]["recipe"]["epochs"] = 3
    (folder / "suite.json").write_text(json.dumps(suite))


def no_suite(folder: Path) -> None:
    (folder / "suite.json").unlink()


def unknown_data(folder: Path) -> None:
    edited(folder, lambda record: {"dataset": "nowhere"})
    suite = (folder / "suite.json").read_text()
    (folder / "suite.json").write_text(suite.replace("planted", "nowhere"))


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a raised accuracy": (raise_accuracy, "its test_accuracy is"),
    "too few seeds": (few_seeds, "was confirmed with 1 seeds, the least is 2"),
    "another recipe": (
        train_longer,
        "the recipe's epochs on planted-lenet_300_100 is 3, in the board's suite",
    ),
    "data that nobody knows": (unknown_data, "it cannot be verified here: unknown dataset 'nowhere'"),
    "no suite": (no_suite, "it has no suite.json, which says the budget"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_results_that_do_not_fit_are_refused_at_both_doors(
    board: Board, ada: Path, tmp_path: Path, what: str
) -> None:
    change, said = REFUSED[what]
    folder = copy(ada, tmp_path)
    change(folder)
    archive = packed(folder, tmp_path / "forged.zip")
    with pytest.raises(IncompatibleResults) as caught:
        add_archive(board, archive, "Mallory")
    assert said in "\n".join(caught.value.reasons)
    assert list(board.submissions()) == []
    forged(board, archive, task="nowhere-lenet_300_100" if change is unknown_data else TASK)
    found = check_board(board.root, shown)
    assert not found.ok and said in "\n".join(found.problems)
    assert found.report.startswith("The board refuses this:") and said in found.report


def claim(board: Board, archive: Path) -> None:
    forged(board, archive, states={"dense": "retrained by others", "magnitude": "retrained by others"})


def future(board: Board, archive: Path) -> None:
    forged(board, archive, added=datetime.now(UTC) + timedelta(days=3))


def another_file(board: Board, archive: Path) -> None:
    (forged(board, archive) / "run.sh").write_text("exit 1")


def another_hash(board: Board, archive: Path) -> None:
    forged(board, archive, sha256="0" * 64)


def another_task(board: Board, archive: Path) -> None:
    forged(board, archive).parent.rename(board.root / TASKS / "mnist-lenet5")


def changed_suite(board: Board, archive: Path) -> None:
    forged(board, archive)
    path = board.root / "suites" / "small.json"
    path.write_text(path.read_text().replace('"epochs": 2', '"epochs": 3'))


def a_link(board: Board, archive: Path) -> None:
    folder = forged(board, archive)
    (folder / SUBMISSION).rename(board.root / "elsewhere.json")
    (folder / SUBMISSION).symlink_to("../../../elsewhere.json")


TAMPERED: dict[str, tuple[Callable[[Board, Path], None], str]] = {
    "claimed states": (claim, "says other states than were found"),
    "the future": (future, "which is not yet"),
    "another file": (another_file, "and nothing else"),
    "another hash": (another_hash, "is not the archive that was submitted"),
    "another task": (another_task, "it lies elsewhere"),
    "a changed suite": (changed_suite, "is not the suite that was frozen"),
    "a link": (a_link, "no submission"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_files_that_no_program_wrote_are_refused(board: Board, ada: Path, tmp_path: Path, what: str) -> None:
    tamper, said = TAMPERED[what]
    tamper(board, packed(ada, tmp_path / "ada.zip"))
    found = check_board(read_board(board.root).root, shown)
    assert not found.ok and said in "\n".join(found.problems), found.problems


def test_a_task_that_is_on_no_suite_is_refused(ada: Path, tmp_path: Path) -> None:
    board = start_board(tmp_path / "board", suites=["quickstart"])
    with pytest.raises(IncompatibleResults) as caught:
        add_archive(board, packed(ada, tmp_path / "ada.zip"), "Ada")
    assert "is in none of the board's suites, quickstart" in caught.value.reasons[0]


def test_without_suites_the_first_submission_decides(ada: Path, bob: Path, tmp_path: Path) -> None:
    board = start_board(tmp_path / "board")
    board.root.joinpath("board.json").write_text(board.told.model_copy(update={"seeds": 2}).model_dump_json())
    board = read_board(board.root)
    add_archive(board, packed(ada, tmp_path / "ada.zip"), "Ada", now=NOW)
    folder = copy(bob, tmp_path)
    train_longer(folder)
    with pytest.raises(IncompatibleResults) as caught:
        add_archive(board, packed(folder, tmp_path / "bob.zip"), "Bob")
    # Its model does not show what a longer training is said to: records that agree are refused for the recipe
    assert any("epochs" in reason or "model" in reason for reason in caught.value.reasons)
    with pytest.raises(SparsebenchError, match=r"has ada-.* already"):
        add_archive(board, packed(ada, tmp_path / "ada.zip"), "Bob")
    early = NOW - timedelta(days=1)
    with pytest.raises(IncompatibleResults) as caught:
        add_archive(board, packed(bob, tmp_path / "early.zip"), "Bob", now=early)
    assert "before ada-" in caught.value.reasons[0]


def test_an_archive_of_two_tasks_becomes_two_submissions(tmp_path: Path) -> None:
    suite = tmp_path / "small.toml"
    suite.write_text(suite_toml("planted", "digits"))
    board = start_board(tmp_path / "board", suites=[str(suite)])
    run = results(tmp_path / "run", datasets=("planted", "digits"))
    made = add_archive(board, packed(run, tmp_path / "both.zip"), "Ada", now=NOW)
    assert [one.told.task for one in made] == [TASK, TASK.replace("planted", "digits")]
    assert all(set(one.told.states.values()) == {"weights verified"} for one in made)
    found = check_board(board.root, shown)
    assert found.ok and found.report.count("## ") == 2
