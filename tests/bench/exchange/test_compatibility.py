"""Suites beside records: they say the same, cover all of them, and the budget that they set is kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from exchanged import folder, made, refused, settled, suite_of, written
from sparsebench.bench.exchange.merge import merge
from sparsebench.bench.exchange.pack import IncompatibleResults, pack
from sparsebench.bench.output_folder.folder import x_max
from sparsebench.bench.tracking.trial_values import curve_of, metrics_of
from sparsebench.records.record import Record


def test_a_source_without_a_suite_keeps_the_suite_that_covers_it(tmp_path: Path) -> None:
    whole = suite_of("a", "b", x_max=2.0)
    one = folder(tmp_path / "one", made("a"), whole)
    two = folder(tmp_path / "two", made("b", lr=0.3))
    for number, order in enumerate(([one, two], [two, one])):
        out = merge(order, tmp_path / f"all{number}").folder
        assert x_max(out) == {"toy-net": 2.0}
        assert json.loads((out / "suite.json").read_text())["data"] == whole["data"]
        assert pack(out).records == 8


def test_a_source_that_no_suite_covers_is_refused(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", made("a"), suite_of("a", x_max=2.0))
    two = folder(tmp_path / "two", made("b", lr=0.3))
    three = folder(tmp_path / "three", made("a", lr=0.3, dataset="other"))
    assert [reason.split(":")[0] for reason in refused([one, two, three], tmp_path / "all")] == [
        str(two),
        str(three),
    ]
    assert "has its entry 'b'" in refused([two, one], tmp_path / "all")[0]
    assert "has its task 'other-net'" in refused([one, three], tmp_path / "all")[0]


def edited(where: list[Any], value: Any) -> dict[str, Any]:
    content = suite_of("a")
    place: Any = content
    for part in where[:-1]:
        place = place[part]
    place[where[-1]] = value
    return content


BESIDE: dict[str, tuple[list[Any], Any, str]] = {
    "digest": (["data", "toy-net"], "d9", "the data digest of toy-net is 'd9'"),
    "method": (["suite", "entries", 0, "method"], "dwf", "the method of entry a is 'dwf'"),
    "model": (["suite", "tasks", 0, "model_args"], {"w": 2}, "the model's arguments on toy-net"),
    "data": (["suite", "tasks", 0, "data_args"], {"n": 2}, "the data's arguments on toy-net"),
    "dense": (["suite", "tasks", 0, "keep_dense"], ["fc"], "what is kept dense on toy-net is ['fc']"),
}


@pytest.mark.parametrize("what", BESIDE)
def test_a_suite_that_says_something_else_than_its_records_is_refused(what: str, tmp_path: Path) -> None:
    where, value, said = BESIDE[what]
    path = folder(tmp_path / "one", made("a"), edited(where, value))
    (reason,) = refused([path], tmp_path / "all")
    assert said in reason and "in another of its records or files it is" in reason
    with pytest.raises(IncompatibleResults, match="nothing was packed"):
        pack(path)


@pytest.mark.parametrize("what", BESIDE)
def test_suites_that_contradict_each_other_are_refused(what: str, tmp_path: Path) -> None:
    where, value, said = BESIDE[what]
    other = edited(where, value)
    other["suite"]["entries"].append({"method": "l1", "label": "b"})
    one = folder(tmp_path / "one", made("a"), suite_of("a"))
    two = folder(tmp_path / "two", made("b", lr=0.3), other)
    reasons = refused([one, two], tmp_path / "all")
    assert any(said in reason and f"in {one} it is" in reason for reason in reasons)


def search(number: int, lam: float, entry: str = "a") -> dict[str, Any]:
    """One more trial of a search."""
    lr = 0.1 + len(entry) / 100
    trial = settled(entry, seed=0, phase="search", number=number, lam=lam, lr=lr)
    return written(trial, number)


def test_a_search_of_more_trials_than_the_suite_gives_is_refused(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", made("a"), suite_of("a"))
    two = folder(tmp_path / "two", [search(2, 0.5)])
    said = "entry 'a' was searched on toy-net with 3 trials, not 2"
    assert refused([one, two], tmp_path / "all") == [f"{one} and {two}: {said}"]
    both = folder(tmp_path / "both", [*made("a"), search(2, 0.5)], suite_of("a"))
    assert refused([both], tmp_path / "all") == [f"{both}: {said}"]
    with pytest.raises(IncompatibleResults):
        pack(both)


def test_unequal_searches_are_said_where_no_suite_has_a_budget(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", made("a"))
    two = folder(tmp_path / "two", [*made("bb"), search(2, 0.5, "bb")])
    assert (
        "no suite has the budget: entry 'bb' was searched on toy-net with 3 trials, 'a' with 2"
        in merge([one, two], tmp_path / "all").notes
    )
    even = merge([one, folder(tmp_path / "three", made("bb"))], tmp_path / "even")
    assert not any("budget" in note for note in even.notes)


def test_two_searches_in_one_file_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "one", made("a") + made("a", lr=0.3))
    assert "entry 'a' has two searches on toy-net: 2 of 2" in refused([path], tmp_path / "all")[0]


def test_a_generation_that_a_campaign_asked_anew_is_no_second_search(tmp_path: Path) -> None:
    lines = [*made("a"), search(2, 0.5), search(2, 0.4)]
    assert len(merge([folder(tmp_path / "one", lines)], tmp_path / "all").records) == 6


@pytest.mark.parametrize("number", [None, -1])
def test_a_search_trial_has_a_number(number: int | None, tmp_path: Path) -> None:
    lines = made("a")
    lines[1]["trial"] = number
    (reason,) = refused([folder(tmp_path / "one", lines)], tmp_path / "all")
    assert reason.endswith("line 2: it is a search trial without a trial number")


@pytest.mark.parametrize("what", ["dataset", "model", "method"])
def test_a_name_that_a_spreadsheet_would_run_is_refused(what: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "one", made("a", **{what: "=HYPERLINK(1)"}))
    assert f"its {what} begins like a spreadsheet formula" in refused([path], tmp_path / "all")[0]


ODD: dict[str, tuple[list[Any], Any]] = {
    "label": (["suite", "entries"], [{"method": "l1", "label": "a"}, {"method": "l1", "label": "x" * 201}]),
    "method": (["suite", "entries"], [{"method": "l1", "label": "a"}, {"method": "\x1b[2J", "label": "b"}]),
    "suite": (["suite", "name"], "s" * 201),
    "data": (["data", "\x1b[2J"], "d"),
    "version": (["methods", ""], 1),
}


@pytest.mark.parametrize("what", ODD)
def test_a_name_that_no_suite_has_is_refused(what: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "one", made("a"), edited(*ODD[what]))
    (reason,) = refused([path], tmp_path / "all")
    assert "its suite.json is damaged: a name in it is empty, longer than 200" in reason


@pytest.mark.parametrize("name", ["..", ".", "", "a@b", "x" * 500])
def test_mlflow_takes_the_name_of_every_diagnostic(name: str, make_record: Any) -> None:
    from mlflow.utils.validation import _validate_metric_name

    record: Record = make_record(1, diagnostics={name: 1.0}, phase="confirm", curve=[{f"a/{name}/": 1.0}])
    names = [*metrics_of(record), *(key for key, _, _ in curve_of(record))]
    for key in names:
        _validate_metric_name(key)
    assert len(names) == 6
