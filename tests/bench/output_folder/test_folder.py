"""The output folder: one suite, one driver, and what it says when it refuses."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from small_suite import DIGESTS, content, suite
from sparsebench.bench.output_folder.folder import OutputFolder, read_identity, x_max
from sparsebench.bench.output_folder.layout import CAMPAIGN, LOCK, METHODS, SUITE
from sparsebench.errors import SparsebenchError
from sparsebench.records.store import FILE


def test_a_folder_is_made_and_remembers_its_suite(begun: Path) -> None:
    assert set(content(begun)) - {LOCK} == {
        CAMPAIGN,
        METHODS,
        SUITE,
        FILE,
    }  # some versions of filelock leave theirs
    assert read_identity(begun)["data"] == DIGESTS
    assert x_max(begun) == {"digits-lenet_300_100": 2.5}
    with OutputFolder(begun, suite(), DIGESTS), OutputFolder(begun / "inner" / "deep", suite(), DIGESTS):
        pass


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"budget": {"trials": 99}}, "suite.budget.trials: 16 there, 99 now"),
        ({"seed": 5}, "suite.seed: 0 there, 5 now"),
        ({"entries": [{"method": "dense"}]}, "suite.entries.random is gone"),
        (
            {"entries": [{"method": "dense", "lr": 0.1}, {"method": "random"}]},
            "suite.entries.dense.lr is new",
        ),
    ],
)
def test_another_suite_is_refused_with_what_differs(begun: Path, changed: Any, message: str) -> None:
    before = content(begun)
    with pytest.raises(SparsebenchError, match=message), OutputFolder(begun, suite(**changed), DIGESTS):
        pass
    assert content(begun) == before


TASK = {"dataset": "digits", "model": "lenet_300_100", "x_max": 2.5}
GROWN: list[tuple[dict[str, Any], str]] = [
    ({"budget": {"trials": 17, "seeds": 4}}, "suite.budget.trials: 16 there, 17 now"),
    ({"entries": [{"method": "gmp"}, {"method": "dense"}, {"method": "random"}]}, "suite.entries.gmp is new"),
    ({"tasks": [TASK, {"dataset": "mnist", "model": "lenet_300_100"}]}, "suite.tasks.mnist-lenet_300_100 is"),
]


@pytest.mark.parametrize(("grown", "message"), GROWN, ids=["budget", "entry", "task"])
def test_a_suite_that_has_only_grown_is_taken_when_asked(begun: Path, grown: Any, message: str) -> None:
    digests = {f"{task['dataset']}-{task['model']}": "abc" for task in grown.get("tasks", [TASK])}
    with pytest.raises(SparsebenchError, match=rf"{message}.* continue it with --extend"):
        OutputFolder(begun, suite(**grown), digests).__enter__()
    with OutputFolder(begun, suite(**grown), digests, extend=True):
        pass
    with OutputFolder(begun, suite(**grown), digests):  # from now on it is the suite of that folder
        pass
    with pytest.raises(SparsebenchError, match="choose another --out"):  # and does not shrink again
        OutputFolder(begun, suite(), DIGESTS, extend=True).__enter__()


@pytest.mark.parametrize(
    "changed",
    [
        {"budget": {"trials": 15}},
        {"budget": {"generation": 99}},
        {"entries": [{"method": "dense"}]},
        {"entries": [{"method": "dense"}, {"method": "random", "sparsity": 0.5}]},
        {"tasks": [{**TASK, "recipe": {"epochs": 99}}]},
        {"seed": 5, "budget": {"trials": 17}},
    ],
)
def test_any_other_change_is_no_extension(begun: Path, changed: Any) -> None:
    before = content(begun)
    with pytest.raises(SparsebenchError, match="choose another --out") as told:
        OutputFolder(begun, suite(**changed), DIGESTS, extend=True).__enter__()
    assert "--extend" not in str(told.value)
    assert content(begun) == before


def test_other_data_are_refused(begun: Path) -> None:
    with pytest.raises(SparsebenchError, match=r'data.digits-lenet_300_100: "abc" there, "xyz" now'):
        OutputFolder(begun, suite(), {"digits-lenet_300_100": "xyz"}).__enter__()


def test_another_summary_is_the_same_suite(begun: Path) -> None:
    with OutputFolder(begun, suite(summary="in other words"), DIGESTS):
        pass


def test_a_folder_without_records_takes_any_suite(tmp_path: Path) -> None:
    for trials in (3, 4):
        with OutputFolder(tmp_path, suite(budget={"trials": trials}), DIGESTS):
            assert read_identity(tmp_path)["suite"]["budget"]["trials"] == trials


@pytest.mark.parametrize(
    "name",
    ["suite.json", "models/mine.pt", "checkpoints/epoch9.pt", "site/index.html", "pairs.csv", "state.json"],
)
def test_what_no_campaign_wrote_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('{"my": 1}')
    with pytest.raises(
        SparsebenchError, match=f"holds '{name.split('/')[0]}', which sparsebench did not write"
    ):
        OutputFolder(tmp_path, suite(), DIGESTS).__enter__()
    there = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert there - {tmp_path / LOCK} == {tmp_path / name}
    assert (tmp_path / name).read_text() == '{"my": 1}'


def test_a_log_of_the_users_own_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text("started")
    with OutputFolder(tmp_path, suite(), DIGESTS) as folder:
        assert "its 1 other files and folders stay as they are" in folder.notes[0]
    with OutputFolder(tmp_path, suite(), DIGESTS):  # again, before a first record
        pass


@pytest.mark.parametrize("tasks", [3, [3], [{}], [{"dataset": "d", "model": "m", "x_max": "far"}]])
def test_a_damaged_task_is_said(begun: Path, tasks: Any) -> None:
    (begun / SUITE).write_text(json.dumps({"suite": {"tasks": tasks}, "data": {}}))
    with pytest.raises(SparsebenchError, match=r"suite.json is damaged"):
        x_max(begun)


@pytest.fixture
def closed() -> Iterator[Path]:
    """A read-only folder, met as a user whom file permissions hold: root may write everywhere."""
    mine = os.geteuid()
    with TemporaryDirectory() as outer:  # pytest's own folders are closed to other users
        folder = Path(outer) / "closed"
        folder.mkdir(mode=0o555)
        Path(outer).chmod(0o755)
        if mine == 0:
            os.seteuid(65534)
        yield folder
        os.seteuid(mine)


def test_a_read_only_folder_is_one_sentence(closed: Path) -> None:
    for path in (closed, closed / "inner"):
        with pytest.raises(SparsebenchError, match=r"cannot write to the output folder .*Permission denied"):
            OutputFolder(path, suite(), DIGESTS).__enter__()


def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SparsebenchError, match=r"cannot write to the output folder .*File exists"):
        OutputFolder(tmp_path / "file", suite(), DIGESTS).__enter__()
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_describes_its_methods_for_reports_that_cannot_ask_them(begun: Path) -> None:
    described = json.loads((begun / METHODS).read_text(encoding="utf-8"))
    assert set(described) == {"dense", "random"}
    knobs = {knob["name"]: knob for knob in described["random"]["knobs"]}
    assert knobs["sparsity"]["searched"] == [0.5, 0.999] and knobs["lr"]["doc"]
    assert described["random"]["doc"] and described["random"]["version"] >= 1
