"""What is read from others: bounded in time and memory, whole lines whatever stands between them."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from exchanged import folder, made, refused, suite_of
from sparsebench.bench.exchange import reader as sources
from sparsebench.bench.exchange.merge import merge
from sparsebench.bench.exchange.pack import pack
from sparsebench.bench.exchange.record_checks import record_errors
from sparsebench.errors import SparsebenchError, printable
from sparsebench.records.store import FILE, load_records

Edit = Callable[[dict[str, Any]], None]

HUGE: dict[str, tuple[Edit, str]] = {
    "command": (lambda r: r.update(command="a" * 2_000_000), "a text in it is longer than 20000"),
    "arguments": (lambda r: r.update(command="--data-arg a=1 " * 100_000), "a text in it is longer"),
    "dimensions": (lambda r: r["layers"][0].update(shape=[10**15] * 60_000), "at most 16 items"),
    "dimension": (lambda r: r["layers"][0].update(shape=[10**16, 1]), "less than or equal to"),
    "negative dimension": (lambda r: r["layers"][0].update(shape=[-10, -10]), "greater than or equal to 1"),
}


@pytest.mark.parametrize("what", HUGE)
def test_what_would_take_minutes_is_refused_at_once(what: str, tmp_path: Path) -> None:
    edit, said = HUGE[what]
    lines = made("a")
    edit(lines[1])
    start = perf_counter()
    reasons = refused([folder(tmp_path / "theirs", lines)], tmp_path / "all")
    assert perf_counter() - start < 3
    assert said in reasons[0] and len(reasons) == 1


def test_a_long_command_is_not_taken_apart(make_record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(record: object) -> None:
        raise AssertionError

    monkeypatch.setattr("sparsebench.bench.config.trial_spec.trial_of", never)
    assert len(record_errors(make_record(1, command="a" * 30_000))) == 1
    assert len(record_errors(make_record(1, steps=10**400))) == 1


def test_reading_stops_where_too_much_is_wrong(tmp_path: Path) -> None:
    path = folder(tmp_path / "theirs", [])
    (path / FILE).write_bytes(b"{}\n" * 400_000)
    start = perf_counter()
    reasons = refused([path], tmp_path / "all")
    assert perf_counter() - start < 3
    assert len(reasons) == 21 and reasons[-1] == f"{path}: and perhaps more: reading stopped there"


def test_too_many_lines_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_LINES", 50)
    path = folder(tmp_path / "theirs", made("a"))
    with (path / FILE).open("a") as file:
        file.write("\n" * 100)
    assert refused([path], tmp_path / "all") == [f"{path}: {FILE} has more than 50 lines"]


@pytest.mark.parametrize("ending", ["", "   ", '\n{"schema": 1, "id"', "\n\n"])
def test_a_whole_last_line_counts_without_its_newline(ending: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "one", made("a"))
    text = (path / FILE).read_text()
    (path / FILE).write_text(text.rstrip() + ending)
    assert pack(path).records == len(load_records(path)) == 4


def test_empty_lines_are_skipped(tmp_path: Path) -> None:
    path = folder(tmp_path / "one", made("a"))
    lines = (path / FILE).read_text().splitlines()
    (path / FILE).write_text("\n  \n".join(lines) + "\n")
    assert merge([path], tmp_path / "all").records == load_records(path)
    with (path / FILE).open("a") as file:
        file.write("{}\n")
    assert f"{path}, line 8: " in refused([path], tmp_path / "new")[0]


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "one", made("a"))
    (path / FILE).write_text("\ufeff" + (path / FILE).read_text(), encoding="utf-8")
    assert "byte order mark" in refused([path], tmp_path / "all")[0]
    with pytest.raises(SparsebenchError, match="line 1: it begins with a byte order mark"):
        load_records(path)


ODD = "\x1b]0;title\x07\x1b[2J"


def test_nothing_in_a_file_reaches_the_terminal_as_it_is(tmp_path: Path, cli: Any) -> None:
    lines, suite = made("a"), suite_of("a")
    name = ODD + "A" * 3000
    lines[0]["diagnostics"] = {name: "x"}
    lines[1][name] = 1
    suite["suite"][name] = 1
    path = folder(tmp_path / "theirs", lines, suite)
    (path / "methods.json").write_text(json.dumps({name: {}}))
    for command in (["merge", path, "--out", tmp_path / "all"], ["pack", path], ["report", path]):
        said = cli(*command).err
        assert "\\x1b]0;title\\x07" in said and "\x1b" not in said and "\x07" not in said
        assert max(map(len, said.splitlines())) < 600
    with pytest.raises(SparsebenchError) as caught:
        load_records(path)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("files", [{ODD: {}}, {}])
def test_nothing_in_a_manifest_reaches_the_terminal(files: dict[str, Any], tmp_path: Path) -> None:
    manifest = {"version": 1, "files": files, "provenance": {}, ODD: 1}
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr(FILE, "{}\n")
    (reason,) = refused([tmp_path / "theirs.zip"], tmp_path / "all")
    assert "damaged" in reason and "\x1b" not in reason


@pytest.mark.parametrize("text", ["é 字", "a\x1bb", "a\u202eb", "a\udcffb", "a\n b", "x" * 400])
def test_plain_text_is_printable(text: str) -> None:
    assert printable(text, 300).isprintable() and len(printable(text, 300)) <= 300
    assert printable("é 字") == "é 字"
