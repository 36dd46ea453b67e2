"""The output folder: one suite, one driver, and what it says when it refuses."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sparsebench.bench.config.suite import Suite
from sparsebench.bench.output_folder.folder import OutputFolder, read_identity, x_max
from sparsebench.bench.output_folder.layout import LOCK, METHODS, SUITE
from sparsebench.bench.output_folder.lock import in_use
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record
from sparsebench.records.store import FILE, Store

DIGESTS = {"digits-lenet_300_100": "abc"}


def suite(**fields: Any) -> Suite:
    base = {
        "name": "s", "tasks": [{"dataset": "digits", "model": "lenet_300_100", "x_max": 2.5}],
        "entries": [{"method": "dense"}, {"method": "random"}],
    }  # fmt: skip
    return Suite(**{**base, **fields})


@pytest.fixture
def begun(tmp_path: Path, make_record: Callable[..., Record]) -> Path:
    """A folder that holds a campaign's records."""
    with OutputFolder(tmp_path / "out", suite(), DIGESTS):
        Store(tmp_path / "out").append(make_record())
    return tmp_path / "out"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_is_made_and_remembers_its_suite(begun: Path) -> None:
    assert set(content(begun)) - {LOCK} == {METHODS, SUITE, FILE}  # some versions of filelock leave theirs
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


DAMAGED = {
    "missing": None, "empty": "", "half": '{"suite": {', "a list": "[]", "binary": "\x00",
    "numbers": '{"suite": 3, "data": {}}', "no data": '{"suite": {}}',
    "odd entries": '{"suite": {"entries": [3]}, "data": {}, "methods": {}}',
}  # fmt: skip


def damage(folder: Path, text: str | None) -> None:
    (folder / SUITE).unlink() if text is None else (folder / SUITE).write_text(text)


@pytest.fixture
def fitting(tmp_path: Path, make_record: Callable[..., Record]) -> Path:
    """A folder whose records tell all that a suite decides."""
    given = suite()
    with OutputFolder(tmp_path / "out", given, DIGESTS):
        store = Store(tmp_path / "out")
        recipe = {**given.tasks[0].recipe.model_dump(), "lr": 0.1, "weight_decay": 1e-4}
        common = {"suite": "s", "data_digest": "abc", "recipe": recipe}
        store.append(make_record(0, **common))
        store.append(make_record(1, **common, phase="confirm", trial=None, seed=1))
    return tmp_path / "out"


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_suite_file_that_is_lost_or_damaged_is_written_again(fitting: Path, text: str | None) -> None:
    before = content(fitting)
    damage(fitting, text)
    with OutputFolder(fitting, suite(), DIGESTS) as folder:
        assert any("it is written again, as its 2 records are those of this suite" in n for n in folder.notes)
    found = content(fitting)
    assert {name: found[name] for name in before} == before
    aside = {"suite.damaged": text.encode()} if text is not None else {}
    assert {name: found[name] for name in found.keys() - before.keys() - {LOCK}} == aside
    with OutputFolder(fitting, suite(), DIGESTS) as folder:
        assert folder.notes == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "t"}, "they are of the suite 's'"),
        ({"entries": [{"method": "random"}]}, "they have the entry 'dense'"),
        ({"tasks": [{"dataset": "mnist", "model": "lenet_300_100"}]}, "they have the task 'digits-"),
        ({"seed": 5}, "trial 0 with seed 0"),
        (
            {"entries": [{"method": "dense", "lr": 0.2}, {"method": "random"}]},
            "recipe.lr is 0.1 there, 0.2 in",
        ),
        ({"entries": [{"method": "random", "label": "dense"}]}, "method is 'dense' there"),
        (
            {"tasks": [{"dataset": "digits", "model": "lenet_300_100", "recipe": {"epochs": 7}}]},
            "recipe.epochs is 30 there, 7 in",
        ),
        ({"tasks": [{"dataset": "digits", "model": "lenet_300_100", "keep_dense": ["x"]}]}, "keep_dense is"),
    ],
)
def test_records_of_another_suite_do_not_write_it_again(fitting: Path, changed: Any, message: str) -> None:
    (fitting / SUITE).unlink()
    before = content(fitting)
    given = suite(**changed)
    with pytest.raises(SparsebenchError, match=f"has no suite.json, and .*{message}.*give the suite that it"):
        OutputFolder(fitting, given, {task.name: "abc" for task in given.tasks}).__enter__()
    assert content(fitting) == before
    with pytest.raises(SparsebenchError, match="data_digest is 'abc' there, 'xyz' in"):
        OutputFolder(fitting, suite(), {"digits-lenet_300_100": "xyz"}).__enter__()


@pytest.mark.parametrize("name", [SUITE, METHODS])
@pytest.mark.parametrize("how", ["deleted", "a folder"])
def test_what_is_taken_away_in_mid_run_is_there_at_its_end(fitting: Path, name: str, how: str) -> None:
    before = content(fitting)
    with OutputFolder(fitting, suite(), DIGESTS) as folder:
        (fitting / name).unlink()
        if how == "a folder":
            (fitting / name).mkdir()
        folder.restore()
        assert (fitting / name).read_bytes() == before[name]
        (fitting / name).unlink()
    assert (fitting / name).read_bytes() == before[name]


def test_a_file_that_is_no_records_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    for text in ("my notes\n", "my notes"):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(SparsebenchError, match=r"line 1|none among them"):
            OutputFolder(tmp_path, suite(), DIGESTS).__enter__()
        assert (tmp_path / FILE).read_text() == text


@pytest.mark.parametrize("text", list(DAMAGED.values())[1:], ids=list(DAMAGED)[1:])
def test_a_damaged_suite_file_is_said_and_left_alone(begun: Path, text: str) -> None:
    (begun / SUITE).write_text(text)
    before = content(begun)
    with pytest.raises(SparsebenchError, match=r"has a damaged suite.json, and its records are not those of"):
        OutputFolder(begun, suite(), DIGESTS).__enter__()
    with pytest.raises(SparsebenchError, match=r"suite.json is damaged"):
        x_max(begun)
    assert content(begun) == before


@pytest.mark.parametrize("tasks", [3, [3], [{}], [{"dataset": "d", "model": "m", "x_max": "far"}]])
def test_a_damaged_task_is_said(begun: Path, tasks: Any) -> None:
    (begun / SUITE).write_text(json.dumps({"suite": {"tasks": tasks}, "data": {}}))
    with pytest.raises(SparsebenchError, match=r"suite.json is damaged"):
        x_max(begun)


def test_one_driver_at_a_time(begun: Path) -> None:
    running = OutputFolder(begun, suite(), DIGESTS)
    with running, pytest.raises(SparsebenchError, match="another campaign is running in"):
        OutputFolder(begun, suite(), DIGESTS).__enter__()
    with OutputFolder(begun, suite(), DIGESTS):
        pass


def test_the_lock_outlives_its_file(begun: Path) -> None:
    """A deleted lock file, one made anew, a folder or a link in its place: the second driver is refused."""
    with OutputFolder(begun, suite(), DIGESTS):
        for meddle in (Path.unlink, Path.touch, lambda path: (path.unlink(), path.mkdir())):
            meddle(begun / LOCK)
            assert in_use(begun) is True
            with pytest.raises(SparsebenchError, match="another campaign is running in"):
                OutputFolder(begun, suite(), DIGESTS).__enter__()
    assert in_use(begun) is False


@pytest.mark.parametrize("how", ["a folder", "a link"])
def test_what_lies_in_the_place_of_the_lock_file_is_set_aside(begun: Path, tmp_path: Path, how: str) -> None:
    (begun / LOCK).unlink(missing_ok=True)
    (tmp_path / "mine").write_text("mine")
    (begun / LOCK).mkdir() if how == "a folder" else (begun / LOCK).symlink_to(tmp_path / "mine")
    with OutputFolder(begun, suite(), DIGESTS):
        assert (begun / ".lock.damaged").exists()
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_folder_without_locks_is_held_by_its_lock_file(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS takes no exclusive lock on a folder."""
    import fcntl

    real = fcntl.flock

    def flock(handle: int, how: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().is_dir() and how & fcntl.LOCK_EX:
            raise OSError(9, "Bad file descriptor")
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with OutputFolder(begun, suite(), DIGESTS):
        assert in_use(begun) is True
        with pytest.raises(SparsebenchError, match="another campaign is running in"):
            OutputFolder(begun, suite(), DIGESTS).__enter__()


def test_a_refused_folder_is_not_kept_locked(begun: Path) -> None:
    with pytest.raises(SparsebenchError) as kept:
        OutputFolder(begun, suite(seed=5), DIGESTS).__enter__()
    assert kept.value.__traceback__ is not None  # a notebook keeps it, and with it the folder
    with OutputFolder(begun, suite(), DIGESTS):
        pass


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
