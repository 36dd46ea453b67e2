"""Methods in words that came with somebody's records: they travel, and what is no description is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.config.method_docs import describe_method
from sparsebench.bench.config.trial_spec import Recipe, Trial
from sparsebench.bench.exchange.archive_writer import write_archive
from sparsebench.bench.exchange.manifest import LIMITS, METHODS
from sparsebench.bench.exchange.merge import merge
from sparsebench.bench.exchange.pack import IncompatibleResults, pack
from sparsebench.errors import SparsebenchError
from sparsebench.method_docs import methods_json, parse_methods, read_methods
from sparsebench.methods.api import registry
from sparsebench.records.record import Record
from sparsebench.records.store import FILE
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.site import write_site

MALICE = "</script><script>document.title='run'</script><img src=x onerror=alert(1)>\x1b[31m"


def lines(method: str, version: int = 1) -> list[str]:
    """A search trial and a confirmed point of a plugin's method."""
    found: list[str] = []
    origin = None
    for phase, seed in (("search", 0), ("confirm", 1), ("confirm", 2)):
        trial = Trial.model_validate({
            "suite": "s", "entry": method, "dataset": "toy", "data_digest": "d1", "model": "net",
            "method": method, "method_version": version, "recipe": Recipe(epochs=1), "knobs": {"lam": 0.1},
            "seed": seed, "phase": phase, "confirms": origin, "number": 0 if phase == "search" else None,
        })  # fmt: skip
        origin = origin or trial.id
        test = None if phase == "search" else 0.9
        record = Record.model_validate({
            "id": trial.id, "config": trial.config, "confirms": trial.confirms, "suite": "s",
            "entry": method, "dataset": "toy", "model": "net", "recipe": trial.recipe.model_dump(),
            "method": method, "method_version": version, "knobs": trial.knobs, "trial": trial.number,
            "seed": seed, "phase": phase, "status": "ok", "classes": 10, "val_accuracy": 0.9,
            "test_accuracy": test, "compression": 2.0, "command": trial.command, "data_digest": "d1",
            "layers": [{"name": "fc", "shape": [10, 10], "nonzeros": 50}], "threshold": 0.0, "device": "none",
        })  # fmt: skip
        found.append(record.to_json())
    return found


def told(method: str, **more: Any) -> dict[str, Any]:
    knob = {"name": "lam", "default": 0.1, "searched": [1e-4, 1.0], "scale": "log", "doc": "strength"}
    return {"name": method, "doc": "min L(w) + λ·Ω(w)", "version": 1, "knobs": [knob], **more}


def folder(path: Path, method: str, described: Any = None, version: int = 1) -> Path:
    path.mkdir()
    (path / FILE).write_text("\n".join(lines(method, version)) + "\n", encoding="utf-8")
    if described is not None:
        (path / METHODS).write_text(json.dumps(described), encoding="utf-8")
    return path


def test_what_describe_says_of_our_methods_is_read_back() -> None:
    described = {name: describe_method(name) for name in registry}
    found = parse_methods(json.dumps(described).encode())
    assert {name: json.loads(text.model_dump_json()) for name, text in found.items()} == described
    assert parse_methods(methods_json(found).encode()) == found


def test_a_merged_leaderboard_has_the_equations_of_plugins(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", "ours", {"ours": told("ours"), "unused": told("unused")})
    two = folder(tmp_path / "two", "theirs", {"theirs": told("theirs", doc=MALICE)})
    archive = pack(two).path
    merged = merge([one, archive], tmp_path / "all")
    assert set(read_methods(merged.folder)) == {"ours", "theirs"}
    pages = {path.name: path.read_text() for path in write_site(merged.folder, boards(merged.records))}
    assert (
        "min L(w) + λ·Ω(w)" in pages["entry-ours.html"]
        and "<td>0.0001 to 1, log</td>" in pages["entry-ours.html"]
    )
    assert "&lt;img src=x" in pages["entry-theirs.html"]
    assert "<img" not in pages["entry-theirs.html"] and "\x1b" not in pages["entry-theirs.html"]
    assert pack(merged.folder, tmp_path / "again.zip").records == 6


def test_other_words_are_a_note_and_another_method_is_refused(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", "m", {"m": told("m")})
    two = folder(tmp_path / "two", "m", {"m": told("m", doc="the same, reworded")})
    merged = merge([one, two], tmp_path / "all")
    assert any("description of method m differs" in note for note in merged.notes)
    assert read_methods(merged.folder)["m"].doc.startswith("min L(w)")
    three = folder(tmp_path / "three", "m", {"m": told("m", knobs=[{"name": "other"}])})
    with pytest.raises(IncompatibleResults) as caught:
        merge([one, three], tmp_path / "none")
    assert any("the knobs of method m is ['other']" in reason for reason in caught.value.reasons)
    four = folder(tmp_path / "four", "m", {"m": told("m", version=2)})
    with pytest.raises(IncompatibleResults) as caught:
        merge([four], tmp_path / "none")
    assert "describes version 2 of method m, its records have 1" in caught.value.reasons[0]


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ([], "should be a valid dictionary"),
        ({"m": told("m", doc=["no text"])}, "m.doc"),
        ({"m": told("m", doc="x" * 20_001)}, "m.doc"),
        ({"m": told("m", knobs=[{"name": "x" * 201}])}, "m.knobs.0.name"),
        ({"m": told("m", knobs=[{"name": str(i)} for i in range(1001)])}, "m.knobs"),
        ({"m": told("m", knobs=[{"name": "k", "default": 10**400}])}, "m.knobs.0.default"),
        ({"m": told("m", knobs=[{"name": "k", "default": {"a": 1}}])}, "m.knobs.0.default"),
        ({"m": told("m", knobs=[{"name": "k", "searched": [1.0]}])}, "m.knobs.0.searched"),
        ({"m": told("m", knobs=[{"name": "k", "searched": [float("nan"), 1.0]}])}, "m.knobs.0.searched"),
        ({"m": told("m", knobs=[{"name": "k", "default": float("inf")}])}, "m.knobs.0.default"),
        ({"m": told("m", script="alert(1)")}, "m.script"),
        ({"m": told("other")}, "not the name of the method"),
        ({"\x1b[31m": told("\x1b[31m")}, "not the name of the method"),
        ({str(i): told(str(i)) for i in range(1001)}, "1000"),
    ],
)  # fmt: skip
def test_what_is_no_description_is_refused(tmp_path: Path, described: Any, said: str) -> None:
    for bad in (folder(tmp_path / "bad", "m", described), tmp_path / "bad.zip"):
        if bad.suffix:
            content = {FILE: ("\n".join(lines("m")) + "\n").encode(), METHODS: json.dumps(described).encode()}
            write_archive(bad, content, {})
        with pytest.raises(IncompatibleResults) as caught:
            merge([bad], tmp_path / "out")
        assert len(caught.value.reasons) == 1 and said in caught.value.reasons[0]
        assert caught.value.reasons[0].isprintable() and len(caught.value.reasons[0]) < 500
    assert not (tmp_path / "out").exists()


def test_a_description_of_megabytes_or_no_end_is_refused(tmp_path: Path) -> None:
    deep = folder(tmp_path / "deep", "m")
    (deep / METHODS).write_text('{"m": ' + "[" * 100_000)
    large = folder(tmp_path / "large", "m")
    (large / METHODS).write_bytes(b" " * (LIMITS[METHODS] + 1))
    for bad, said in ((deep, "methods.json is damaged"), (large, "has more than 1 MiB")):
        with pytest.raises(IncompatibleResults) as caught:
            merge([bad], tmp_path / "out")
        assert said in caught.value.reasons[0]
    with pytest.raises(SparsebenchError, match=r"methods\.json has more than 1 MiB"):
        write_archive(tmp_path / "a.zip", {METHODS: b" " * (LIMITS[METHODS] + 1)}, {})
