"""Folders of many records: memory that does not grow with curves and layers, the same rules on every path."""

import tracemalloc
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sparsebench.bench.progress.outcomes import read_outcomes
from sparsebench.errors import SparsebenchError
from sparsebench.records.fields import CompressionPoint
from sparsebench.records.record import Record
from sparsebench.records.selection import columns
from sparsebench.records.store import FILE, Store, load_records
from sparsebench.records.stored import StoredRecords
from sparsebench.reports.statistics.differences import difference, differences

Make = Callable[..., Record]
MEGABYTE = [{"step": float(n), "train_loss": n / 3, "val_accuracy": 0.5} for n in range(18_000)]


def test_memory_does_not_grow_with_curves(tmp_path: Path, make_record: Make) -> None:
    line = make_record(0, curve=MEGABYTE).to_json()
    assert len(line) > 1_000_000
    with (tmp_path / FILE).open("w") as file:
        for n in range(20):
            file.write(make_record(n, curve=MEGABYTE).to_json() + "\n")
    for read in (StoredRecords, Store, lambda folder: read_outcomes(folder / FILE)[0]):
        tracemalloc.start()
        found = read(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(found) == 20
        assert peak < 8_000_000


def test_what_is_read_lightly_is_what_the_record_holds(tmp_path: Path, make_record: Make) -> None:
    whole = make_record(0, curve=[{"step": 1.0}], diagnostics={"b": 1.0}, knobs={"lam": 1 / 3})
    (tmp_path / FILE).write_text(f"{whole.to_json()}\n{whole.to_json(seal=False)}\n")
    stored = StoredRecords(tmp_path)
    assert stored == [whole] and stored.whole(stored.light[0]) == whole and stored.edited is None
    emptied: dict[str, Any] = {"curve": [], "layers": [], "diagnostics": {}, "warnings": []}
    expected = whole.model_copy(update={**emptied, "collapsed_layers": [], "collapsed": whole.has_collapsed})
    assert [one.model_dump() for one in stored.light] == [expected.model_dump()]
    [outcome], _ = read_outcomes(tmp_path / FILE)
    assert {name: getattr(whole, name) for name in outcome._fields} == outcome._asdict()
    assert (outcome.task, outcome.ok, outcome.log_compression) == (
        whole.task,
        whole.ok,
        whole.log_compression,
    )


def test_points_of_earlier_versions_are_read_as_lightly(make_record: Make) -> None:
    """They have no `speedup`: the fast path reads them, and does not leave them to the slow one."""
    point = CompressionPoint(at=4.0, val_accuracy=0.5, nonzeros=1, cut=True)
    line = make_record(0, compressions=(4.0,), at_compressions=[point]).to_json()
    assert ',"speedup":null' in line
    _, [read] = columns("entry", "at_compressions").of_line(line.replace(',"speedup":null', "", 1).encode())
    assert (read.at, read.test_accuracy, read.speedup) == (4.0, None, None)


@pytest.mark.parametrize(
    "old, new", [('"schema":2', '"schema":3'), ('"steps":', '"stepz":'), ('"entry":"', '"entry":1,"x":"')]
)
def test_every_reader_refuses_what_the_record_cannot_hold(
    tmp_path: Path, make_record: Make, old: str, new: str
) -> None:
    (tmp_path / FILE).write_text(make_record(0).to_json().replace(old, new, 1) + "\n")
    for read in (load_records, StoredRecords, Store, lambda folder: read_outcomes(folder / FILE)):
        with pytest.raises(SparsebenchError, match="line 1"):
            read(tmp_path)


def test_a_file_that_was_replaced_is_said(tmp_path: Path, make_record: Make) -> None:
    for n in range(2):
        Store(tmp_path).append(make_record(n))
    stored = StoredRecords(tmp_path)
    lines = (tmp_path / FILE).read_text().splitlines(keepends=True)
    (tmp_path / FILE).write_text("".join(reversed(lines)))
    with pytest.raises(SparsebenchError, match="replaced while it was read"):
        list(stored)
    assert list(StoredRecords(tmp_path)) == load_records(tmp_path)


def test_pairs_tested_together_are_those_tested_alone() -> None:
    draw = np.random.default_rng(0)
    entries = [{s: float(draw.normal()) for s in range(1, n)} for n in (4, 4, 6, 6, 2, 4)]
    entries.append({-seed: value for seed, value in entries[0].items()})
    pairs = list(combinations(range(len(entries)), 2))
    alone = [difference(entries[i], entries[j]) for i, j in pairs]
    for one, other in zip(differences(entries, pairs), alone, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.kind == other.kind
            numbers = [(x.mean, *x.interval, x.p) for x in (one, other)]
            assert numbers[0] == pytest.approx(numbers[1], rel=1e-12)
