"""Relative paths in arguments and starts from a file: where they lie, and what identifies them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from sparsebench.bench.campaign.driver import Result, run
from sparsebench.bench.campaign.options import RunOptions
from sparsebench.bench.config.suite import load_suite
from sparsebench.bench.config.trial_spec import trial_of
from sparsebench.bench.data.opened import open_data
from sparsebench.bench.export.export import export
from sparsebench.bench.models.factory import create
from sparsebench.bench.output_folder.folder import OutputFolder
from sparsebench.bench.progress.status import failures
from sparsebench.bench.training import trial as trials
from sparsebench.bench.training.train import train
from sparsebench.commands import base_of
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record

SUITE = """
name = "mine"
[budget]
trials = 1
seeds = 1
points = 1
[[tasks]]
dataset = "image_folder"
data_args = { path = "pets", valid = 4 }
model = "test_resnet"
model_args = { checkpoint_path = "ck/a.safetensors" }
recipe = { epochs = 1, batch_size = 8, lr = 0.001 }
[[entries]]
method = "dense"
"""


def place(base: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for kind in ("cat", "dog"):
            (base / "pets" / split / kind).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(base / "pets" / split / kind / f"{i}.png")
    (base / "ck").mkdir()
    write_start(base / "ck/a.safetensors", seed=1)
    (base / "mine.toml").write_text(SUITE)
    return base / "mine.toml"


def write_start(file: Path, seed: int) -> None:
    torch.manual_seed(seed)
    save_file(create("test_resnet", (3, 32, 32), 2).state_dict(), file)


def campaign(suite: Path, out: Path, **more: Any) -> Result:
    store = f"sqlite:///{out.parent}/m.db"
    return run(suite, out=out, devices="cpu:1", tracking_uri=store, **more)


def test_a_suites_paths_are_in_its_folder_and_its_start_is_the_files_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    suite, out = place(tmp_path / "suites"), tmp_path / "out"
    first = campaign(suite, out)
    assert {r.status for r in first.records} == {"ok"}, [r.reason for r in first.records]
    record = first.records[0]
    assert record.dataset_args["path"] == "pets"
    assert record.model_args == {"checkpoint_path": "ck/a.safetensors"}
    assert record.start_digest is not None and record.val_chance == 0.5
    # from any other folder the commands work as they are shown, and a trial is trained again
    monkeypatch.chdir(tmp_path)
    base = str(tmp_path / "suites")
    page = (out / "site/entry-dense.html").read_text()
    assert f"cd {base} &amp;&amp; sparsebench train" in page
    assert [
        f.command for f in failures([record.model_copy(update={"status": "failed"})], (), base_of(out))
    ] == [f"cd {base} && {record.command}"]
    shutil.rmtree(out / "models")
    assert export(out, record.id, tmp_path / "again.safetensors", retrain=True).differs == []
    # the same content under another path is the same start
    (tmp_path / "suites/ck/a.safetensors").rename(tmp_path / "suites/ck/b.safetensors")
    suite.write_text(SUITE.replace("ck/a", "ck/b"))
    again = campaign(suite, out)
    assert [r.id for r in again.records] == [r.id for r in first.records]
    # another content under the same path is another start
    write_start(tmp_path / "suites/ck/b.safetensors", seed=2)
    with pytest.raises(SparsebenchError, match=r"starts.image_folder-test_resnet: .* choose another --out"):
        campaign(suite, out, trials=2, extend=True)
    assert len((out / "records.jsonl").read_text().splitlines()) == len(first.records)
    assert json.loads((out / "suite.json").read_text())["starts"]


def test_a_suite_without_a_file_is_continued_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = load_suite(place(tmp_path / "here"))
    monkeypatch.chdir(tmp_path / "here")
    options = RunOptions(out=tmp_path / "out")
    assert options.base(suite) == tmp_path / "here"
    with OutputFolder(tmp_path / "out", suite, {}, {}, str(options.base(suite))):
        pass
    monkeypatch.chdir(tmp_path)
    assert options.base(suite) == tmp_path / "here"
    (tmp_path / "here").rename(tmp_path / "gone")
    assert (base_of(tmp_path / "out"), options.base(suite)) == (None, tmp_path)


def test_a_command_looks_for_paths_where_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")

    def trained(start: str) -> Record:
        return train(
            "image_folder", "test_resnet", "dense", settings={"epochs": 1, "batch_size": 8, "lr": 0.001},
            device="cpu", data_args={"path": "pets"}, model_args={"checkpoint_path": start},
        )  # fmt: skip

    record = trained("ck/a.safetensors")
    assert record.dataset_args == {"path": "pets"} and "path=pets" in record.command
    (tmp_path / "here/ck/a.safetensors").rename(tmp_path / "here/moved.safetensors")
    moved = trained("moved.safetensors")
    assert (moved.id, moved.val_accuracy) == (record.id, record.val_accuracy)
    write_start(tmp_path / "here/moved.safetensors", seed=3)  # as on a machine that has another file
    with pytest.raises(SparsebenchError, match="is another one than the trial was made for"):
        trials.run(trial_of(moved))


def test_the_data_folder_is_looked_in_last_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(tmp_path / "root")
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    found = open_data("image_folder", tmp_path / "root", {"path": "pets"})
    assert any("'pets' is not in" in note and "taken from the data folder" in note for note in found.notes)
    with pytest.raises(SparsebenchError, match="cwd/cats' does not exist"):
        open_data("image_folder", tmp_path / "root", {"path": "cats"})
