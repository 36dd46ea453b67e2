"""The file of records: append-only, validated, and safe from a crash in mid-line."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sparsebench.errors import SparsebenchError
from sparsebench.records.hashing import digest
from sparsebench.records.record import Record
from sparsebench.records.store import FILE, Store, latest, load_records

Make = Callable[..., Record]


@pytest.fixture
def store(tmp_path: Path, make_record: Make) -> Store:
    """Two records on the disk, closed: the next record opens them."""
    store = Store(tmp_path)
    store.append(make_record(0))
    store.append(make_record(1))
    store.close()
    return store


def test_a_record_reads_back_as_it_was(tmp_path: Path, make_record: Make) -> None:
    record = make_record(
        knobs={"lam": 1 / 3, "depth": 3, "init": "π\u2028\r\n", "on": True}, diagnostics={"b": 1e-300},
        curve=[{"step": 1.0}], recipe={"lr": 0.1}, reason="two\nlines", budget={"train": 3},
    )  # fmt: skip
    Store(tmp_path).append(record)
    assert load_records(tmp_path) == load_records(tmp_path / FILE) == [record]
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 1
    assert b'{"schema":2,"id":' in (tmp_path / FILE).read_bytes()


@pytest.mark.parametrize("keep", [1, 40, -1])
def test_a_torn_last_line_is_left_out_and_mended(store: Store, make_record: Make, keep: int) -> None:
    whole = store.path.read_bytes()
    store.path.write_bytes(whole + make_record(2).to_json().encode()[:keep])
    folder = store.path.parent
    assert [r.trial for r in load_records(folder)] == [0, 1]
    again = Store(folder)
    assert store.path.read_bytes() == whole
    again.append(make_record(3))
    assert [r.trial for r in load_records(folder)] == [0, 1, 3]


def test_a_last_line_that_lacks_only_its_end_is_kept(store: Store, make_record: Make) -> None:
    store.path.write_bytes(store.path.read_bytes() + make_record(2).to_json().encode())
    folder = store.path.parent
    assert [r.trial for r in load_records(folder)] == [0, 1, 2]
    Store(folder).append(make_record(3))
    assert [r.trial for r in load_records(folder)] == [0, 1, 2, 3]


def test_a_character_torn_in_two_is_no_obstacle(store: Store) -> None:
    whole = store.path.read_bytes()
    store.path.write_bytes(whole + "λ".encode()[:1])
    assert len(Store(store.path.parent)) == 2
    assert store.path.read_bytes() == whole


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 2: the line"),
        ("{}", "line 2: suite: Field required"),
        ("", None),
    ],
)
def test_an_invalid_line_is_named(store: Store, line: str, message: str | None) -> None:
    first, second = store.path.read_text().splitlines()
    store.path.write_text(f"{first}\n{line}\n{second}\n")
    before = store.path.read_bytes()
    if message is None:
        assert len(load_records(store.path)) == 2
        return
    for read in (load_records, lambda path: Store(path.parent)):
        with pytest.raises(SparsebenchError, match=message):
            read(store.path)
    assert store.path.read_bytes() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", 3), ("val_accuracy", 1.5), ("compression", 0.5), ("status", "fine"), ("phase", "test"),
        ("steps", -1), ("seconds", -1.0), ("threshold", -1.0), ("unknown", 1), ("id", None),
    ],
)  # fmt: skip
def test_what_a_record_cannot_hold_is_refused(make_record: Make, field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        make_record(**{field: value})


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(
    "field",
    [
        "val_accuracy", "compression", "compression_exact", "threshold", "seconds", "speedup", "target",
        "total_compression", "effective_compression", "training_flops_ratio", "diagnostics", "curve",
    ],
)  # fmt: skip
def test_what_is_no_finite_number_is_refused(make_record: Make, field: str, value: float) -> None:
    given: Any = {"diagnostics": {"b": value}, "curve": [{"b": value}]}.get(field, value)
    with pytest.raises(ValidationError, match=field):
        make_record(**{field: given})


def test_the_store_only_appends(store: Store, make_record: Make) -> None:
    before = store.path.read_bytes()
    Store(store.path.parent).append(make_record(0, val_accuracy=0.5))
    after = store.path.read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == 3


def test_memory_holds_what_a_search_asks_about_and_the_file_everything(
    store: Store, make_record: Make
) -> None:
    record = make_record(
        curve=[{"loss": 1.0}] * 16, diagnostics={"b": 1.0}, knobs={"lam": 0.1}, params={"x": 1}
    )
    store.append(record)
    for kept in (store.finished(record.id), Store(store.path.parent).finished(record.id)):
        assert kept is not None
        assert (kept.curve, kept.layers, kept.diagnostics) == ([], [], {})
        assert (kept.knobs, kept.params, kept.val_accuracy) == (record.knobs, record.params, 0.9)
    assert load_records(store.path)[-1] == record


def test_the_latest_record_of_an_identity_wins(store: Store, make_record: Make) -> None:
    store.append(make_record(0, val_accuracy=0.5))
    for opened in (store, Store(store.path.parent)):
        assert len(opened) == 2
        found = opened.finished("0000000000000000")
        assert found is not None
        assert found.val_accuracy == 0.5
    assert [r.val_accuracy for r in latest(load_records(store.path))] == [0.5, 0.9]


def test_a_failed_trial_is_not_finished_and_a_diverged_one_is(store: Store, make_record: Make) -> None:
    store.append(make_record(2, status="failed", reason="no memory"))
    store.append(make_record(3, status="diverged"))
    assert store.finished("0000000000000002") is None
    assert store.finished("0000000000000003") is not None
    assert store.finished("0000000000000009") is None
    store.append(make_record(2))
    assert Store(store.path.parent).finished("0000000000000002") is not None


def test_no_records_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SparsebenchError, match=r"no records in .*: records.jsonl is not there"):
            load_records(path)


@pytest.mark.parametrize("field", ["knobs", "params", "recipe", "model_args"])
@pytest.mark.parametrize("odd", [math.nan, -math.inf, [1.0, math.nan], {"deep": [{"er": math.inf}]}])
def test_settings_hold_numbers_that_json_has(make_record: Make, field: str, odd: Any) -> None:
    assert make_record(0, **{field: {"a": [1, 2.5, None, True], "b": {"c": "nan"}}})
    with pytest.raises(ValidationError, match="not finite"):
        make_record(0, **{field: {"lam": odd}})


def test_a_digest_does_not_depend_on_order_and_takes_no_nan() -> None:
    assert digest({"a": 1, "b": [1.5, None]}) == digest({"b": [1.5, None], "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    for odd in (math.nan, math.inf, {1, 2}):
        with pytest.raises(SparsebenchError, match="cannot be written down as JSON"):
            digest(odd)


def test_a_campaign_that_is_stopped_before_its_first_record_has_none(tmp_path: Path) -> None:
    assert len(Store(tmp_path).reload()) == 0
