"""What no reader of JSON takes is one sentence, whichever of a folder's files it stands in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.cli.options import parse_pairs
from sparsebench.bench.models.model_file import KEY, read_card
from sparsebench.bench.output_folder.campaign_id import read_campaign_id
from sparsebench.bench.output_folder.folder import read_identity
from sparsebench.bench.progress.state_file import read_state
from sparsebench.bench.progress.status import status
from sparsebench.errors import SparsebenchError
from sparsebench.method_docs import read_methods
from sparsebench.methods.api import configure
from sparsebench.records.record import parse

HOSTILE = {
    "deep list": "[" * 100_000 + "]" * 100_000,
    "deep object": '{"suite":' * 9000 + "1" + "}" * 9000,
    "digits": '{"suite": ' + "9" * 5000 + ', "written": 1}',
    "surrogate": '{"suite": {"name": "\\ud800"}, "data": {}, "methods": {}}',
    "number": '{"suite": {}, "written": NaN, "data": {}, "methods": {}}',
    "text": '"text"',
    "nothing": "",
    "bytes": "\udcff",
}


def card_of(folder: Path) -> Any:
    import torch
    from safetensors.torch import save_file

    text = (folder / "card.json").read_text(encoding="utf-8", errors="replace")
    save_file({"w": torch.zeros(1)}, folder / "card.safetensors", {KEY: text})
    return read_card(folder / "card.safetensors")


READERS: dict[str, Callable[[Path], Any]] = {
    "suite.json": read_identity,
    "state.json": read_state,
    "campaign.json": read_campaign_id,
    "methods.json": read_methods,
    "card.json": card_of,
    "line.json": lambda folder: parse((folder / "line.json").read_text(errors="replace"), "line 1"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", READERS)
def test_a_hostile_file_is_one_sentence(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(HOSTILE[kind].encode("utf-8", "surrogateescape"))
    with pytest.raises(SparsebenchError) as met:
        READERS[name](tmp_path)
    assert len(str(met.value)) < 1000 + len(str(tmp_path))
    assert "\n" not in str(met.value)


@pytest.mark.parametrize("kind", HOSTILE)
def test_status_goes_by_the_records_where_the_state_is_such_a_file(
    kind: str, tmp_path: Path, make_record: Callable[..., Any]
) -> None:
    (tmp_path / "records.jsonl").write_text(make_record().to_json() + "\n")
    (tmp_path / "state.json").write_bytes(HOSTILE[kind].encode("utf-8", "surrogateescape"))
    assert any("state.json" in note for note in status(tmp_path).notes)


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 400, "1" + "0" * 30, "1e999", "nan", "\udcff", "{" * 999])
def test_a_hostile_setting_is_one_short_sentence(text: str) -> None:
    with pytest.raises(SparsebenchError) as met:
        configure("dwf", parse_pairs([f"depth={text}"], "--set"))
    assert len(str(met.value)) < 200
    assert str(met.value).isprintable()
    assert json.dumps(str(met.value)).encode()
