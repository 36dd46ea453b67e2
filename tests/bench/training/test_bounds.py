"""What a method may say is stored within bounds, as a record that every reader and `pack` take."""

from collections.abc import Callable

import pytest
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.exchange.record_checks import record_errors
from sparsebench.bench.training.trial import failed
from sparsebench.records.bounds import bounded_result
from sparsebench.records.fields import TrainingResult
from sparsebench.records.record import parse

HOSTILE = ["\ud800", "a\x00b", "\x1b[31mred", "x" * 3_000_000, "line\nline", "\u202eabc", ""]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_any_reason_makes_a_record_that_is_written_and_read(
    text: str, make_trial: Callable[..., Trial]
) -> None:
    record = failed(
        make_trial().model_copy(update={"data_digest": "0" * 16, "phase": "single"}), text, device="cpu"
    )
    line = record.to_json()
    assert parse(line.encode().decode(), "line") == record
    assert len(line) < 10_000
    assert record_errors(record) == []
    assert "\x1b" not in (record.reason or "")


# Each name is stored 4,000 times below.
@pytest.mark.parametrize("name", [name[:30_000] for name in HOSTILE], ids=lambda name: ascii(name)[:40])
def test_any_name_and_number_of_warnings_is_bounded(name: str) -> None:
    result = TrainingResult(
        warnings=[f"{name}{i}" for i in range(4000)], budget={name: 3}, diagnostics={name: 1.0},
        curve=[{name: 1.0}],
    )  # fmt: skip
    found = bounded_result(result, "workers.log")
    assert len(found.warnings) == 20
    assert "workers.log" in found.warnings[-1]
    for names in (found.budget, found.diagnostics, found.curve[0]):
        (one,) = names
        assert one.isprintable()
        assert 1 <= len(one) <= 200
    assert bounded_result(found) == found
