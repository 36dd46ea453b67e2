"""What a seal can not find: models that do not show what their records say, or are no models."""

import json
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from small_results import TASK, edited, packed, raised, results
from sparsebench.bench.exchange.archive_writer import write_archive
from sparsebench.bench.exchange.manifest import MOST_MODEL
from sparsebench.bench.models.factory import create
from sparsebench.bench.models.model_file import KEY, read_model, write_model
from sparsebench.bench.output_folder.layout import MODELS, model_files
from sparsebench.bench.verification.verify import Verification, verify
from sparsebench.records.fields import Layer
from sparsebench.records.record import Record
from sparsebench.records.store import load_records


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results(tmp_path_factory.mktemp("honest") / "run")


@pytest.fixture
def mine(honest: Path, tmp_path: Path) -> Path:
    """A copy of the honest folder, to be forged."""
    return Path(shutil.copytree(honest, tmp_path / "mine"))


def both(folder: Path) -> list[Verification]:
    """What comes of a folder, and of its archive."""
    return [verify(folder), verify(packed(folder, folder.with_suffix(".zip")))]


def test_honest_results_are_verified(honest: Path) -> None:
    for found in both(honest):
        assert found.problems == []
        assert found.states == {TASK: {"dense": "weights verified", "magnitude": "weights verified"}}
        assert len(found.checks) == 2


def test_an_entry_with_a_training_without_a_model_is_of_records_only(mine: Path) -> None:
    next(iter(model_files(mine / MODELS).values())).unlink()
    for found in both(mine):
        assert found.ok and sorted(found.states[TASK].values()) == ["records only", "weights verified"]


def test_one_example_is_the_margin(mine: Path) -> None:
    edited(mine, lambda record: raised(record, 1 / 64 - 1e-9))
    assert all(found.ok for found in both(mine))
    edited(mine, lambda record: raised(record, 1 / 64))
    assert not any(found.ok for found in both(mine))


def sparser(record: Record) -> dict[str, Any]:
    """Three quarters of the nonzeros of each layer, and the compression that follows."""
    layers = [Layer(name=n.name, shape=n.shape, nonzeros=3 * n.nonzeros // 4) for n in record.layers]
    ratio = sum(layer.size for layer in layers) / sum(layer.nonzeros for layer in layers)
    point = record.at_compressions[0]
    whole = type(point)(1.0, point.val_accuracy, sum(n.nonzeros for n in layers), False, point.test_accuracy)
    after = {"at_compressions": [whole, *record.at_compressions[1:]]}
    return {"layers": layers, "compression": ratio, "compression_exact": ratio, **after}


RECORDS: dict[str, tuple[Callable[[Record], dict[str, Any]], str]] = {
    "test accuracy": (raised, r"its test_accuracy is .*, that of the model is"),
    "validation accuracy": (
        lambda r: {"val_accuracy": 1.0, "val_accuracy_exact": 1.0},
        "its val_accuracy is",
    ),
    "chance": (lambda r: {"test_chance": 0.01} if r.phase == "confirm" else {}, "its test_chance is"),
    "compression": (sparser, "its nonzeros of 3 layers"),
    "data": (lambda r: {"data_digest": "0" * 64}, "its data have the digest '000000000000'"),
    "a bomb of a model": (lambda r: {"model_args": {"depth": 10**12}}, "a number above 1,000,000"),
    "a bomb of a dataset": (lambda r: {"dataset_args": {"n": 10**12}}, "a number above 1,000,000"),
}


@pytest.mark.parametrize("what", RECORDS)
def test_forged_records_fail_with_their_reason(mine: Path, what: str) -> None:
    change, said = RECORDS[what]
    (mine / "suite.json").unlink()
    edited(mine, change)
    for found in both(mine):
        assert not found.ok and found.states == {}
        [*_, line] = found.problems
        assert re.search(said, "\n".join(found.problems)), found.problems
        assert TASK in line and "\n" not in line


def swap(folder: Path) -> None:
    first, second = model_files(folder / MODELS).values()
    first.rename(folder / "kept")
    second.rename(first)
    (folder / "kept").rename(second)


def swap_with_cards(folder: Path) -> None:
    (_, first), (_, second) = model_files(folder / MODELS).items()
    (one, card), (other, its_card) = read_model(first), read_model(second)
    write_model(other, card, first)
    write_model(one, its_card, second)


def other_layers(folder: Path) -> None:
    path = next(iter(model_files(folder / MODELS).values()))
    write_model(create("lenet5", (1, 28, 28), 10).state_dict(), read_model(path)[1], path)


def first_of(folder: Path) -> Path:
    return next(iter(model_files(folder / MODELS).values()))


def pickle(folder: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2)}, first_of(folder))


def old_pickle(folder: Path) -> None:
    first_of(folder).write_bytes(b"cos\nsystem\n(S'touch /tmp/executed'\ntR.")


def with_header(folder: Path, declared: int, header: bytes) -> None:
    first_of(folder).write_bytes(struct.pack("<Q", declared) + header)


def ten_gigabytes(folder: Path) -> None:
    size = 10_000_000_000
    header = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    with_header(folder, len(header), header)


def truncated(folder: Path) -> None:
    path = first_of(folder)
    path.write_bytes(path.read_bytes()[:-1000])


def zeros(folder: Path) -> None:
    first_of(folder).write_bytes(bytes(40 << 20))


def not_finite(folder: Path) -> None:
    path = first_of(folder)
    state, card = read_model(path)
    state["3.weight"][0, 0] = float("nan")
    write_model(state, card, path)


def half(folder: Path) -> None:
    path = first_of(folder)
    state, card = read_model(path)
    write_model({name: tensor.half() for name, tensor in state.items()}, card, path)


def no_card(folder: Path) -> None:
    path = first_of(folder)
    save_file(read_model(path)[0], path)


def bad_card(folder: Path) -> None:
    path = first_of(folder)
    save_file(read_model(path)[0], path, metadata={KEY: "[" * 100_000})


MODEL_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "swapped": (swap, "it is the model of another trial"),
    "swapped, with their cards": (swap_with_cards, "its nonzeros of"),
    "other layers": (other_layers, "its layers are not those of the network: it has no '1.bias'"),
    "a pickle": (pickle, "a pickle, which could run code: it is not opened"),
    "an old pickle": (old_pickle, "a pickle, which could run code: it is not opened"),
    "10 GB in the header": (ten_gigabytes, "no intact safetensors file"),
    "a header of 10 GB": (lambda f: with_header(f, 10_000_000_000, b"{}"), "10,000,000,000 bytes, more than"),
    "truncated": (truncated, "no intact safetensors file"),
    "more zeros than the model has": (zeros, "larger than the"),
    "empty": (lambda f: first_of(f).write_bytes(b""), "no safetensors file"),
    "not finite": (not_finite, "a weight in '3.weight' is not finite"),
    "half precision": (half, "is F16, not F32"),
    "without a card": (no_card, "no model card"),
    "a nested card": (bad_card, "card is damaged"),
}


@pytest.mark.parametrize("what", MODEL_FILES)
def test_forged_models_fail_with_their_reason(mine: Path, what: str) -> None:
    forge, said = MODEL_FILES[what]
    forge(mine)
    for found in both(mine):
        assert found.states == {}
        assert said in "\n".join(found.problems), found.problems
    assert not Path("/tmp/executed").exists()


def test_ten_gigabytes_in_the_table_of_contents_are_refused_unread(mine: Path) -> None:
    path = packed(mine, mine.with_suffix(".zip"))
    [info] = [i for i in zipfile.ZipFile(path).infolist() if i.filename.endswith(f"{first_of(mine).name}")]
    content = bytearray(path.read_bytes())
    at = content.rfind(info.filename.encode())
    for size, said in ((MOST_MODEL - 1, "its length differs"), (0xFFFFFFFE, "its length differs")):
        content[at - 46 + 24 : at - 46 + 28] = struct.pack("<I", size)
        path.write_bytes(content)
        assert said in "\n".join(verify(path).problems)


def test_ten_gigabytes_in_a_second_table_of_contents_are_refused_unread(mine: Path) -> None:
    path = packed(mine, mine.with_suffix(".zip"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.filelist[-1].file_size = 10_000_000_000
        archive._didModify = True  # type: ignore[attr-defined]
    assert "has more than 4,096 MiB" in "\n".join(verify(path).problems)


def test_a_model_of_no_record_and_another_test_set_are_found(mine: Path) -> None:
    model = first_of(mine).read_bytes()
    lines = (mine / "records.jsonl").read_bytes()
    extra = {"records.jsonl": lines, f"models/{'0' * 16}.safetensors": model}
    path = write_archive(mine.with_suffix(".zip"), extra, {})
    assert "which is no trial in it" in verify(path).problems[0]
    right = {"records.jsonl": lines, f"models/{first_of(mine).name}": model}
    path = write_archive(mine.with_suffix(".zip"), right, {}, {TASK: "0" * 64})
    assert "the test set here is not the one" in verify(path).problems[0]


def test_the_command_says_what_came_of_it(mine: Path, cli: Any) -> None:
    path = mine.with_suffix(".zip")
    cli("pack", mine, "--models", "--out", path)
    done = cli("verify", path, "--device", "cpu", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["ok"] and told["states"][TASK]["dense"] == "weights verified" and len(told["models"]) == 2
    alone = cli("pack", mine, "--models", "--entry", "magnitude", "--out", path)
    assert "3 records, 1 models" in alone.out
    assert len(load_records(mine)) == 6
    edited(mine, raised)
    done = cli("verify", mine, "--device", "cpu")
    assert done.code == 1 and "its test_accuracy is" in done.err and done.out.strip() == ""
