"""A suite.json that is lost or damaged: written again where the records fit the suite, else said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_suite import DIGESTS, content, suite
from sparsebench.bench.config.seeds import seed_of
from sparsebench.bench.config.suite import Suite
from sparsebench.bench.output_folder.folder import OutputFolder, x_max
from sparsebench.bench.output_folder.layout import LOCK, METHODS, SUITE
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record
from sparsebench.records.store import FILE, Store

DAMAGED = {
    "missing": None, "empty": "", "half": '{"suite": {', "a list": "[]", "binary": "\x00",
    "numbers": '{"suite": 3, "data": {}}', "no data": '{"suite": {}}',
    "odd entries": '{"suite": {"entries": [3]}, "data": {}, "methods": {}}',
}  # fmt: skip


def damage(folder: Path, text: str | None) -> None:
    (folder / SUITE).unlink() if text is None else (folder / SUITE).write_text(text)


def common(given: Suite) -> dict[str, Any]:
    """What all records of a suite share."""
    recipe = {**given.tasks[0].recipe.model_dump(), "lr": 0.1, "weight_decay": 1e-4}
    found = {"suite": "s", "data_digest": "abc", "recipe": recipe}
    return {**found, "compressions": given.budget.compressions}


SEARCHED = {"trial": 0, "seed": seed_of(0, 0, "search", 0)}
CONFIRMED = {"phase": "confirm", "trial": None, "seed": seed_of(0, 0, "confirm", 2)}


@pytest.fixture
def fitting(tmp_path: Path, make_record: Callable[..., Record]) -> Path:
    """A folder whose records tell all that a suite decides."""
    given = suite()
    with OutputFolder(tmp_path / "out", given, DIGESTS):
        store = Store(tmp_path / "out")
        for number, fields in enumerate((SEARCHED, CONFIRMED)):
            store.append(make_record(number, **common(given), **fields))
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
        ({"seed": 5}, "trial 0 with seed"),
        ({"budget": {"compressions": [4, 16]}}, r"the common compressions are \[2\.0, 4\.0, 8\.0"),
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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({**SEARCHED, "replicate": 1}, "there is a search number 2"),
        ({**CONFIRMED, "seed": seed_of(0, 0, "confirm", 3)}, "a training is confirmed with seed"),
        ({**SEARCHED, "trial": 16, "seed": seed_of(0, 0, "search", 16)}, "the search has trial 16 with"),
    ],
)
def test_records_beyond_the_budget_do_not_write_it_again(
    fitting: Path, make_record: Callable[..., Record], fields: dict[str, Any], message: str
) -> None:
    Store(fitting).append(make_record(7, **{**common(suite()), **fields}))
    (fitting / SUITE).unlink()
    with pytest.raises(SparsebenchError, match=f"has no suite.json, and .*{message}"):
        OutputFolder(fitting, suite(), DIGESTS).__enter__()


def test_a_lam_that_follows_from_a_searched_decay_budget_is_no_contradiction(
    fitting: Path, make_record: Callable[..., Record]
) -> None:
    given = suite(entries=[{"method": "dense"}, {"method": "dwf", "depth": 3}])
    (fitting / SUITE).unlink()
    shared = common(given)
    shared["recipe"] = {**shared["recipe"], "weight_decay": 0.0}
    knobs = {"lam": 1.234e-3, "depth": 3, "eps": 0.1}
    Store(fitting).append(make_record(7, **shared, **SEARCHED, entry="dwf", method="dwf", knobs=knobs))
    with OutputFolder(fitting, given, DIGESTS) as folder:
        assert any("it is written again, as its 3 records" in note for note in folder.notes)


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
