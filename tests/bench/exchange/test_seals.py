"""What was edited after it was written shows, in a folder as well as in an archive."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.campaign import publish
from sparsebench.bench.campaign.driver import run
from sparsebench.bench.exchange.merge import merge
from sparsebench.bench.exchange.pack import IncompatibleResults, pack
from sparsebench.bench.progress.snapshot import CampaignSnapshot
from sparsebench.bench.progress.status import status
from sparsebench.records.hashing import intact, sealed
from sparsebench.records.record import Record, parse
from sparsebench.records.store import FILE, Store, edits, load_records

Make = Callable[..., Record]


def test_a_line_is_intact_however_it_is_formatted(make_record: Make) -> None:
    line = make_record(3, diagnostics={"x": 1e-7, "y": 2.0}, warnings=["ü"]).to_json()
    assert intact(line) is True
    content = json.loads(line)
    assert intact(f" {line}\n") is True
    assert intact(json.dumps(content)) is True
    assert intact(json.dumps({"seal": content.pop("seal"), **content}, indent=2, ensure_ascii=False)) is True
    assert sealed(content) == line


def test_every_change_of_a_line_shows(make_record: Make) -> None:
    content = json.loads(make_record(3, warnings=["slow"], diagnostics={"x": 1.5}).to_json())
    sealed_names = content.keys() - {"seal", "seconds", "peak_memory_bytes"}
    changes = [{**content, name: value} for name in sealed_names for value in ("other", None, 0.5, [1])]
    changes += [{key: content[key] for key in content if key != name} for name in sealed_names]
    changes.append({**content, "seal": "0" * 16})
    shown = [intact(json.dumps(changed)) for changed in changes if changed != content]
    assert len(shown) > 100 and not any(shown)


def test_equal_outcomes_have_equal_seals_however_long_they_took(make_record: Make) -> None:
    one, two = (
        json.loads(make_record(3, seconds=s, peak_memory_bytes=m).to_json()) for s, m in [(1, 2), (3, 4)]
    )
    assert one["seal"] == two["seal"] and one != two


@pytest.mark.parametrize("name", ["seconds", "peak_memory_bytes"])
@pytest.mark.parametrize("place", ["params", "diagnostics", "knobs", "versions", "curve"])
def test_what_is_called_like_time_or_memory_deeper_in_a_line_is_sealed(
    place: str, name: str, make_record: Make
) -> None:
    inner: dict[str, Any] = {"a": "{[1.0" if place in ("knobs", "versions") else 1.0, name: 2.0}
    given = {**inner, name: "2"} if place == "versions" else inner
    line = make_record(3, **{place: [given] if place == "curve" else given}, seconds=7.5).to_json()
    assert intact(line) is True and intact(line.replace(":7.5", ":8.5")) is True
    content = json.loads(line)
    (content[place][0] if place == "curve" else content[place])[name] = "3" if place == "versions" else 3.0
    assert intact(json.dumps(content, separators=(",", ":"))) is False


def test_a_seal_written_before_stays_valid() -> None:
    line = '{"a":{"x":[1]},"seconds":0.0015,"peak_memory_bytes":null,"b":"}","seal":"63f0db8048d70d11"}'
    assert intact(line) is True


NO_OBJECTS = ['{"seal"', '"seal"', '{"seal": 1}', '{"a": NaN, "seal": "x"}', "[" * 100_000 + '"seal"']


@pytest.mark.parametrize("line", NO_OBJECTS)
def test_what_is_no_sealed_object_is_not_intact(line: str) -> None:
    assert intact(line) is False


def test_a_seal_is_of_the_line_and_not_of_the_record(make_record: Make, tmp_path: Path) -> None:
    record = make_record(1)
    Store(tmp_path).append(record)
    assert load_records(tmp_path) == [record] and record.seal is None
    unsealed = record.to_json(seal=False)
    assert parse(unsealed, "a line") == record and intact(unsealed) is None
    assert sealed(json.loads(unsealed)) == record.to_json()


@pytest.fixture
def edit(finished: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of a real campaign whose third line was edited."""

    def make(**changes: Any) -> Path:
        path = tmp_path / "edited"
        shutil.copytree(finished, path, ignore=shutil.ignore_patterns("site", "*.png", "*.svg", "models"))
        lines = (path / FILE).read_text().splitlines()
        content = {**json.loads(lines[2]), **changes}
        lines[2] = json.dumps({key: value for key, value in content.items() if value is not None})
        (path / FILE).write_text("\n".join(lines) + "\n")
        return path

    return make


@pytest.mark.xdist_group("campaign")
def test_an_edited_accuracy_is_refused_and_warned_of(
    edit: Callable[..., Path], finished: Path, tmp_path: Path, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = edit(val_accuracy=0.999)
    monkeypatch.setattr(publish, "publish_to_mlflow", lambda *args: 0)
    said = "records.jsonl was edited after it was written, or written anew by another tool: line 3"
    assert edits(path) == said and edits(finished) is edits(tmp_path) is None
    for sources in ([path], [finished, path]):
        with pytest.raises(IncompatibleResults) as caught:
            merge(sources, tmp_path / "all")
        assert caught.value.reasons == [
            f"{path}, line 3: its seal is not the hash of its content: it was edited after it was written, "
            "or written anew by another tool"
        ]
    with pytest.raises(IncompatibleResults, match="nothing was packed"):
        pack(path, tmp_path / "x.zip")
    for command in ("report", "track"):
        assert cli(command, path).err.splitlines()[0] == f"warning: {said}"
    assert said in " ".join(status(path).notes)


class Listener:
    """A display that remembers what it was told, first to last."""

    def __init__(self) -> None:
        self.told = list[object]()

    def show(self, standing: CampaignSnapshot) -> None:
        self.told.append(standing)

    def say(self, message: str) -> None:
        self.told.append(message)


@pytest.mark.xdist_group("campaign")
def test_a_campaign_that_is_continued_says_first_that_its_records_were_edited(
    edit: Callable[..., Path], tiny: Path, tracking: str
) -> None:
    listener = Listener()
    run(tiny, out=edit(device="another"), devices="cpu:1", tracking_uri=tracking, display=listener)
    assert str(listener.told[0]).startswith("warning: records.jsonl was edited after it was written")


def test_a_torn_last_line_was_not_edited(make_record: Make, tmp_path: Path) -> None:
    line = make_record(1).to_json()
    (tmp_path / FILE).write_text(f"{line}\n{line[:-5]}")
    assert edits(tmp_path) is None
    (tmp_path / FILE).write_text(f"{line}\n{line.replace('0.9', '0.8')}")
    assert str(edits(tmp_path)).endswith("line 2")


@pytest.mark.xdist_group("campaign")
def test_a_line_without_a_seal_is_counted(edit: Callable[..., Path], tmp_path: Path) -> None:
    merged = merge([edit(seal=None)], tmp_path / "all")
    assert "; 1 without a seal" in merged.notes[0]


@pytest.mark.xdist_group("campaign")
def test_packing_and_merging_give_no_seal_to_what_had_none(
    edit: Callable[..., Path], finished: Path, tmp_path: Path, cli: Any
) -> None:
    path = edit(seal=None, val_accuracy=0.999)
    first = pack(path, tmp_path / "one.zip")
    assert first.unsealed == 1
    merged = merge([first.path], tmp_path / "all")
    again = pack(merged.folder, tmp_path / "two.zip")
    assert again.unsealed == 1 and "; 1 without a seal" in merged.notes[0]
    both = merge([again.path, finished], tmp_path / "both")
    assert "; 1 without a seal" in both.notes[0]
    lines = (both.folder / FILE).read_text().splitlines()
    assert [intact(line) for line in lines].count(None) == 1
    assert "1 without a seal" in cli("pack", both.folder).out
    sealed_first = merge([finished, again.path], tmp_path / "sealed")
    assert all(map(intact, (sealed_first.folder / FILE).read_text().splitlines()))
    assert pack(sealed_first.folder, tmp_path / "three.zip").unsealed == 0
