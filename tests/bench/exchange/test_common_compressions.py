"""Records with common compressions: what is exchanged, what no trial can have written, what does not mix."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exchanged import BUDGET, folder, made, refused, settled, suite_of, written
from sparsebench.bench.exchange.merge import merge
from sparsebench.bench.exchange.pack import pack
from sparsebench.bench.exchange.record_checks import record_errors
from sparsebench.records.record import Record
from sparsebench.records.store import load_records

COMPRESSIONS = (4.0, 16.0, 256.0)  # 256 leaves no weight of the 100
NEW = {"trials": 2, "seeds": 2, "generation": 4, "compressions": [*COMPRESSIONS]}


def measured(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines with the points of a model of 50 or 40 nonzero weights of 100."""
    for line in lines:
        whole = line["layers"][0]["nonzeros"]
        test = None if line["phase"] == "search" else 0.9
        line["at_compressions"] = [
            {"at": c, "val_accuracy": 0.9, "nonzeros": n, "cut": n < whole, "test_accuracy": test}
            for c, n in ((1.0, whole), (4.0, 25), (16.0, 6))
        ]
    return lines


def campaign(entry: str = "l1", replicate: int = 0) -> list[dict[str, Any]]:
    lines = []
    for number in range(2):
        spec = {"lam": 10.0**-number, "lr": 0.1 + len(entry) / 100, "compressions": COMPRESSIONS}
        trial = settled(
            entry,
            seed=10 * replicate + number,
            phase="search",
            number=number,
            aim=4.0,
            replicate=replicate,
            **spec,
        )
        lines.append(written(trial, number) | {"replicate": replicate, "aim": 4.0})
    for seed in (901, 902):
        trial = settled(
            entry, seed=10 * replicate + seed, phase="confirm", confirms=lines[0]["id"], lam=1.0,
            lr=0.1 + len(entry) / 100, compressions=COMPRESSIONS, aim=4.0, replicate=replicate,
        )  # fmt: skip
        lines.append(written(trial, 0) | {"replicate": replicate, "aim": 4.0})
    for line in lines:
        line["compressions"] = [*COMPRESSIONS]
    return measured(lines)


def test_records_with_common_compressions_are_packed_and_merged(tmp_path: Path) -> None:
    both = [*campaign(), *campaign(replicate=1)]  # two searches of a suite are no search asked twice
    budget: Any = {**NEW, "searches": 2}
    one = folder(tmp_path / "one", both, suite_of("l1", budget=budget))
    assert pack(one, tmp_path / "one.zip").records == 8
    other = folder(tmp_path / "other", campaign("other"), suite_of("other", budget=budget))
    merged = merge([tmp_path / "one.zip", other], tmp_path / "all").records
    assert len(merged) == 12
    assert {r.id: r.at_compressions for r in merged if r.entry == "l1"} == {
        r.id: r.at_compressions for r in load_records(one)
    }


def without(name: str, **more: Any) -> Callable[[dict[str, Any]], None]:
    def edit(line: dict[str, Any]) -> None:
        line["at_compressions"][-1] |= more
        if name:
            del line[name]

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda r: r["at_compressions"].pop(), "points are not those at its common compressions"),
        (lambda r: r["at_compressions"].pop(0), "points are not those at its common compressions"),
        (without("at_compressions"), "points are not those at its common compressions"),
        (without("", at=256.0), "points are not those at its common compressions"),
        (without("", nonzeros=7), "nonzeros at compression 16 are not those that the cut leaves"),
        (without("", nonzeros=5), "nonzeros at compression 16 are not those that the cut leaves"),
        (without("", cut=False), "nonzeros at compression 16 are not those that the cut leaves"),
        (lambda r: r["at_compressions"][0].update(nonzeros=60), "nonzeros at compression 1 are not those of"),
        (without("", test_accuracy=0.5), "search trial with a test accuracy at a compression"),
        (lambda r: r.update(aim=8.0), "the compression that it aims at is none of the common ones"),
        (lambda r: r.update(compressions=[4, 16]), "its id is not the hash of its content"),
    ],
)
def test_what_no_trial_can_have_written_is_told(edit: Callable[[dict[str, Any]], None], message: str) -> None:
    line = campaign()[0]
    assert record_errors(Record.model_validate(line)) == []
    edit(line)
    assert any(message in error for error in record_errors(Record.model_validate(line)))


def test_old_and_new_results_do_not_mix(tmp_path: Path) -> None:
    old = folder(tmp_path / "old", made("old"), suite_of("old", budget=BUDGET))
    new = folder(tmp_path / "new", campaign("new"), suite_of("new", budget=NEW))  # type: ignore[arg-type]
    reasons = refused([old, new], tmp_path / "all")
    assert sum("the list of common compressions" in reason for reason in reasons) == 1  # said once
    bare = [folder(tmp_path / "a", made("old")), folder(tmp_path / "b", campaign("new"))]
    assert any("the list of common compressions" in reason for reason in refused(bare, tmp_path / "all"))
    more = folder(tmp_path / "more", made("more"), suite_of("more", budget=BUDGET))
    assert len(merge([old, more], tmp_path / "all").records) == 8  # among themselves as before
