"""Exported models: the printed lines are run as a reader would, and reach what the record says."""

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from sparsebench import SparsebenchError, export, load_records
from sparsebench.bench.campaign.kept_models import board_models
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.export import formats
from sparsebench.bench.export.load_snippet import input_description, load_lines
from sparsebench.bench.models.factory import create
from sparsebench.bench.models.model_file import ModelCard, read_card
from sparsebench.bench.models.networks import OURS
from sparsebench.bench.output_folder.layout import MODELS, model_files
from sparsebench.bench.training import trial as trials
from sparsebench.records.record import Record

Cli = Callable[..., Any]
ARGUMENTS = {"n": 320, "valid": 64, "size": 16}
MODELS_TRIED = ("lenet_300_100", "test_resnet")

EVALUATE = """
import json, sys
import numpy
with numpy.load("data.npz") as data:
    images, labels = data["images"], data["labels"]
found = {}
for name in sys.argv[1:]:
    there = {"images": images}
    exec(open(name + ".lines").read(), there)
    if "logits" in there:
        logits = there["logits"]
    else:
        import torch
        assert not there["model"].training or name.endswith(".pt2"), "a program has one mode"
        with torch.no_grad():
            logits = there["model"](torch.from_numpy(images)).numpy()
    found[name] = float((logits.argmax(1) == labels).mean())
print(json.dumps([found, "sparsebench" in sys.modules]))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Record]]:
    """Two networks, trained a little and saved."""
    folder, found = tmp_path_factory.mktemp("trained"), {}
    for model in MODELS_TRIED:
        trial = Trial(
            suite="single", entry="dwf-3", dataset="planted", dataset_args=ARGUMENTS, data_digest="",
            model=model, recipe={"epochs": 2, "batch_size": 32, "lr": 0.1, "weight_decay": 0.0},
            method="dwf", knobs={"lam": 3e-2, "depth": 3}, phase="single",
        )  # fmt: skip
        file = folder / f"{model}.safetensors"
        found[model] = (file, trials.run(trial, save=file))
    return found


def test_the_printed_lines_reach_the_records_accuracy_in_a_fresh_interpreter(
    cli: Cli, trained: dict[str, tuple[Path, Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy

    monkeypatch.chdir(tmp_path)
    expected = {}
    for model, (file, record) in trained.items():
        for suffix, options in itertools.product(formats.SUFFIXES, ([], ["--compact"])):
            if model == "lenet_300_100" and (suffix, bool(options)) in ((".onnx", True), (".pt2", False)):
                continue  # the other network has it
            out = f"{model}{''.join(options)}{suffix}"
            answer = cli("export", file, "--out", out, *options)
            if options and model == "test_resnet" and suffix in formats.STATES:
                assert "compacted, this model is no plain sequence of layers" in answer.err
                continue
            assert answer.code == 0, answer.err
            assert ("compacted: " in answer.err) == bool(options)
            assert len(answer.out.splitlines()) == 3
            assert f"test accuracy {100 * (record.test_accuracy_exact or 0):.2f} %" in answer.err
            Path(f"{out}.lines").write_text(answer.out)
            expected[out] = record.test_accuracy_exact
    test = trials.open_data("planted", None, ARGUMENTS).test
    batches = list(test.batches(1024, torch.device("cpu")))
    x, y = (torch.cat(parts).numpy() for parts in zip(*batches, strict=True))
    numpy.savez("data.npz", images=x, labels=y)
    command = [sys.executable, "-P", "-c", EVALUATE, *expected]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    reached, ours_loaded = json.loads(done.stdout)
    assert reached == expected
    assert not ours_loaded, "torch, timm and onnxruntime are enough"


# torch 2.11 reads its own programs into buffers that it then warns of.
@pytest.mark.filterwarnings("ignore:The given buffer is not writable:UserWarning")
@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_file_says_what_it_is(trained: dict[str, tuple[Path, Record]], tmp_path: Path, suffix: str) -> None:
    file, record = trained["lenet_300_100"]
    out = tmp_path / f"model{suffix}"
    export(file, out=out)
    if suffix == ".onnx":
        model = onnx.load(out)
        onnx.checker.check_model(model)
        said = {item.key: item.value for item in model.metadata_props}["sparsebench"]
    elif suffix == ".pt2":
        files = {"sparsebench": ""}
        torch.export.load(out, extra_files=files)
        said = files["sparsebench"]
    elif suffix == ".pt":
        state = torch.load(out, weights_only=True)
        assert all(isinstance(value, torch.Tensor) for value in state.values())
        said = json.dumps(state.sparsebench)
    else:
        with safe_open(out, framework="numpy") as opened:
            assert opened.metadata()["format"] == "pt"
            said = opened.metadata()["sparsebench"]
    card = ModelCard.model_validate_json(said)
    wanted = json.loads(record.to_json())
    del wanted["schema"]  # a card has a number of its own
    wanted |= {name: wanted[f"{name}_exact"] for name in ("compression", "val_accuracy", "test_accuracy")}
    wanted |= {"threshold": torch.finfo(torch.float32).eps, "speedup": None}
    shared = {name: value for name, value in json.loads(said).items() if name in wanted}
    assert shared == {name: wanted[name] for name in shared}
    assert {
        "id",
        "method",
        "knobs",
        "test_accuracy",
        "compression",
        "model_args",
        "versions",
    } <= shared.keys()
    assert card.shape == (1, 16, 16)
    assert card.prunable == tuple(layer.name for layer in record.layers)
    assert (card.mean, card.std) == ((0.0,), (1.0,))
    assert input_description(card) == "images: float32 (N, 1, 16, 16), as they are stored"


def test_onnx_takes_any_number_of_images_and_gives_torchs_logits(
    trained: dict[str, tuple[Path, Record]], tmp_path: Path
) -> None:
    import onnxruntime

    file, _ = trained["test_resnet"]
    export(file, out=tmp_path / "model.onnx")
    export(file, out=tmp_path / "model.pt")
    model = create("test_resnet", (1, 16, 16), 10).eval()
    model.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for count in (1, 7):
        x = torch.randn(count, 1, 16, 16)
        with torch.no_grad():
            expected = model(x)
        (logits,) = session.run(None, {"images": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [*OURS, "test_vit"])
def test_the_lines_build_the_same_network(
    name: str, trained: dict[str, tuple[Path, Record]], tmp_path: Path
) -> None:
    shape, arguments = (3, 16, 16), {"patch_size": 4} if name == "test_vit" else {}
    if name.startswith("vgg"):
        shape = (3, 32, 32)
    model = create(name, shape, 4, **arguments)
    old = read_card(trained["lenet_300_100"][0])
    card = old.model_copy(
        update={"model": name, "shape": shape, "classes": 4, "model_args": {**arguments, "pretrained": True}}
    )
    path = tmp_path / "a 'quoted' name.pt"
    torch.save(model.state_dict(), path)
    there: dict[str, Any] = {}
    exec("\n".join(load_lines(card, path)), there)
    x = torch.randn(2, *shape)
    with torch.no_grad():
        torch.testing.assert_close(there["model"](x), model.eval()(x), rtol=0, atol=0)


# From a run's folder


def test_a_folder_lists_the_models_of_its_boards_and_exports_one(
    cli: Cli, finished: Path, tmp_path: Path
) -> None:
    listed = cli("export", finished)
    assert listed.code == 0
    by_id = {record.id: record for record in load_records(finished)}
    models = board_models(finished, list(by_id.values()))
    assert models
    assert all(identity in listed.out for identity in models)
    identity = next(iter(models))
    done = export(finished, identity[:12], tmp_path / "one.safetensors")
    assert done.differs is None
    assert done.card.id == identity
    assert done.card.test_accuracy == by_id[identity].test_accuracy_exact
    assert (tmp_path / "one.safetensors").stat().st_mode & 0o044, "others may read it"


def test_a_trial_off_the_boards_is_trained_again_bit_for_bit(
    cli: Cli, finished: Path, tmp_path: Path
) -> None:
    records = load_records(finished)
    models = model_files(finished / MODELS)
    record = next(r for r in records if r.entry == "dwf-3" and r.phase == "confirm" and r.id not in models)
    refused = cli("export", finished, record.id, "--out", tmp_path / "x.pt")
    assert refused.code == 2
    assert "--retrain trains it again" in refused.err
    done = cli("export", finished, record.id, "--out", tmp_path / "x.pt", "--retrain")
    assert done.code == 0, done.err
    assert "trained again, with the accuracies and compression of its record" in done.err
    state = torch.load(tmp_path / "x.pt", weights_only=True)
    assert state.sparsebench["test_accuracy"] == record.test_accuracy_exact
    above = {layer.name: int((state[layer.name].abs() >= record.threshold).sum()) for layer in record.layers}
    assert above == {layer.name: layer.nonzeros for layer in record.layers}


def test_a_record_that_is_not_reached_again_is_told(cli: Cli, finished: Path, tmp_path: Path) -> None:
    record = next(r for r in load_records(finished) if r.phase == "search" and r.dataset == "planted")
    false = record.model_copy(update={"val_accuracy": 0.123, "threshold": 0.5})
    (tmp_path / "records.jsonl").write_text(false.to_json() + "\n")
    done = cli("export", tmp_path, record.id[:6], "--out", tmp_path / "x.safetensors", "--retrain")
    assert done.code == 0, done.err
    assert "it differs from its record in val_accuracy, threshold" in done.err
    assert read_card(tmp_path / "x.safetensors").val_accuracy == record.val_accuracy_exact


def test_what_cannot_be_exported_is_one_sentence(
    finished: Path, trained: dict[str, tuple[Path, Record]], make_record: Callable[..., Record],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    file = trained["lenet_300_100"][0]
    foreign, broken = tmp_path / "foreign.safetensors", tmp_path / "broken.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    broken.write_bytes(b"nothing of the kind")
    folder = tmp_path / "run"
    folder.mkdir()
    written = [make_record(n, id=f"abc{n:013x}", status="failed" if n else "ok") for n in range(2)]
    (folder / "records.jsonl").write_text("".join(r.to_json() + "\n" for r in written))
    monkeypatch.chdir(tmp_path)
    cases: list[tuple[Any, Any, str, str]] = [
        (file, None, "x.pkl", "the name must end in .safetensors, .pt, .pt2 or .onnx"),
        (file, "abc", "x.pt", "is a model file"),
        (tmp_path / "none.safetensors", None, "x.pt", "there is no file"),
        (foreign, None, "x.pt", "sparsebench did not write it"),
        (broken, None, "x.pt", "is no safetensors file"),
        (folder, None, "x.pt", "give the label of an entry or the id of a trial"),
        (folder, "zzz", "x.pt", "no trial in"),
        (folder, "abc", "x.pt", "2 trials have an id that begins with 'abc'"),
        (folder, f"abc{1:013x}", "x.pt", f"trial abc{1:013x} failed: it has no model"),
    ]
    for source, trial, out, message in cases:
        with pytest.raises(SparsebenchError) as caught:
            export(source, trial, out)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(SparsebenchError, match=r"pip install -e '\.\[onnx\]'"):
        export(file, out="x.onnx")
    copied = folder / MODELS
    copied.mkdir()
    shutil.copy(file, copied / f"{written[0].id}.safetensors")
    with pytest.raises(SparsebenchError, match="is the model of another trial"):
        export(folder, written[0].id, "x.pt")
    assert not Path("x.pt").exists()
