"""Records of both schemas: what each may hold, and that old lines stay as they are."""

import json
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import ADDED_IN_SCHEMA_2, Record, parse
from sparsebench.records.schema_1 import recorded_arguments

Make = Callable[..., Record]
COMMAND = (
    "sparsebench train --dataset d --data-arg n=9 --data-arg 'name=a b' --keep-dense fc --seed 0 --threads 3"
)


@pytest.fixture
def old(make_record: Make) -> dict[str, Any]:
    """The fields of a line of schema 1."""
    content = json.loads(make_record(command=COMMAND).to_json(seal=False))
    return {**{k: v for k, v in content.items() if k not in ADDED_IN_SCHEMA_2}, "schema": 1}


def test_an_old_line_tells_its_arguments_in_its_command(old: dict[str, Any]) -> None:
    found = recorded_arguments(parse(json.dumps(old), "a line"))
    assert found == ({"n": 9, "name": "a b"}, ("fc",), 3)


def test_a_new_line_tells_them_itself(make_record: Make) -> None:
    record = make_record(command="none", dataset_args={"n": 1}, keep_dense=("fc",), threads=2)
    assert recorded_arguments(parse(record.to_json(), "a line")) == ({"n": 1}, ("fc",), 2)


@pytest.mark.parametrize("seal", [True, False])
def test_an_old_line_is_written_as_it_was(old: dict[str, Any], seal: bool) -> None:
    line = parse(json.dumps(old | {"params": {"lam": 1e-6}}), "a line").to_json(seal=seal)
    assert parse(line, "a line").to_json(seal=seal) == line
    assert list(json.loads(line))[: len(old)] == list(old)
    assert ("1e-6" in line) == (not seal)  # as the versions wrote it that did not seal


def test_every_archive_of_the_repository_is_written_as_it_was(repository: Path) -> None:
    """Of both schemas and of every version: published results, and what tests hold of earlier versions."""
    archives = [*repository.glob("reports/results/**/*.zip"), *repository.glob("tests/**/*.zip")]
    found = set()
    for path in archives:
        with zipfile.ZipFile(path) as archive, archive.open("records.jsonl") as lines:
            for number, line in enumerate(islice(lines, 500), 1):
                text = line.decode().removesuffix("\n")
                record = parse(text, f"{path.name}, line {number}")
                assert record.to_json(seal='"seal":' in text) == text
                found.add((record.schema_, bool(record.compressions)))
    assert found >= {(1, False), (2, False)}


@pytest.mark.parametrize("field", sorted(ADDED_IN_SCHEMA_2))
def test_a_line_of_schema_1_has_no_newer_field(old: dict[str, Any], make_record: Make, field: str) -> None:
    newer = json.loads(make_record().to_json())[field]
    with pytest.raises(SparsebenchError, match=f"{field}: schema 1 has no such field"):
        parse(json.dumps(old | {field: newer}), "a line")


def test_a_line_without_a_schema_is_of_the_first(old: dict[str, Any]) -> None:
    del old["schema"]
    record = parse(json.dumps(old), "a line")
    assert record.schema_ == 1
    assert recorded_arguments(record).threads == 3


def test_no_trial_runs_on_so_many_threads(old: dict[str, Any], make_record: Make) -> None:
    with pytest.raises(ValueError, match="threads"):
        make_record(threads=10**14)
    with pytest.raises(ValueError, match="threads"):
        recorded_arguments(parse(json.dumps(old | {"command": f"x --threads {10**14}"}), "a line"))
