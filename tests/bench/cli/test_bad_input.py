# ruff: noqa: E501 (a table is read by its rows)
"""What a person can get wrong: one clear sentence, exit status 2, no traceback, nothing written is lost."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

IMAGE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63600000000200015d0bb3cd0000000049454e44ae426082"
)
"""A grey PNG of one pixel."""

TASK = '[[tasks]]\ndataset = "planted"\nmodel = "lenet_300_100"\n'
ENTRY = '[[entries]]\nmethod = "dwf"\n'
TRAIN = ["train", "--dataset", "planted", "--model", "lenet_300_100", "--method", "dwf", "--epochs", "1"]
RUN = ["run", "suite.toml", "--out", "out", "--devices", "cpu:1"]


@dataclass
class Bad:
    """Words after `sparsebench`, what must be in the message, and the files that are there before."""

    words: list[str]
    message: str
    files: dict[str, str | bytes] = field(default_factory=dict)


def train(message: str, *words: str, **files: str | bytes) -> Bad:
    return Bad([*TRAIN, *words], message, files)


def data(message: str, files: dict[str, str | bytes], dataset: str = "image_folder") -> Bad:
    words = ["train", "--dataset", dataset, "--model", "lenet5", "--method", "dense", "--data", "data"]
    return Bad([*words, *(["--data-arg", "path=mine"] if dataset == "image_folder" else [])], message, files)


def suite(message: str, text: str, *words: str, name: str = 'name = "s"\n') -> Bad:
    return Bad([*RUN, *words], message, {"suite.toml": name + text})


def folder(message: str, **files: str | bytes) -> Bad:
    there = {f"out/{name.replace('_', '.')}": text for name, text in files.items()}
    return Bad(RUN, message, {"suite.toml": f'name = "s"\n{TASK}{ENTRY}', **there})


MNIST = [f"data/MNIST/raw/{part}-ubyte" for part in (
    "train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"
)]  # fmt: skip

BAD: dict[str, Bad] = {
    # names
    "unknown suite": Bad(["run", "quickstrat"], "unknown suite 'quickstrat': did you mean 'quickstart' or "),
    "suite file missing": Bad(["run", "no/such.toml"], "suite file 'no/such.toml' does not exist"),
    "suite is a folder": Bad(["run", "dir/sub"], "suite file 'dir/sub' is no file", {"dir/sub/x": ""}),
    "unknown method": train("unknown method 'dfw': did you mean 'dwf'?", "--method", "dfw"),
    "unknown dataset": train("unknown dataset 'digit': did you mean 'digits'?", "--dataset", "digit"),
    "unknown model": train("unknown model 'lenet_300_10': did you mean 'lenet_300_100'", "--model", "lenet_300_10"),
    "unknown knob": train("'dpth': did you mean 'depth'?", "--set", "dpth=3"),
    "no entry": Bad(["run", "--methods", ""], "--methods '' has an empty name: write them as a,b"),
    "empty entry": Bad(["run", "--methods", "dense,,dwf"], "--methods 'dense,,dwf' has an empty name"),
    "unknown entry": Bad(["run", "--methods", "dense,dfw-3"], "'dfw-3': did you mean 'dwf-3'"),
    "unknown list": Bad(["list", "datasts"], "'datasts': did you mean 'datasets'?"),
    "unknown to show": Bad(["show", "bagging"], "unknown method 'bagging': known are "),
    "unknown data argument": train("takes no argument 'vald'; known: ", "--data-arg", "vald=3"),
    "unknown layer": train("no layer '7'; known are 1, 3, 5", "--keep-dense", "7"),
    "unknown model argument": train("takes no argument 'width'", "--model-arg", "width=3"),
    # values
    "no equals sign": train("--set 'depth': write name=value", "--set", "depth"),
    "knob too large": train("dwf: depth = 99 is out of range: 2 to 16", "--set", "depth=99"),
    "knob no number": train("dwf: lam = 'much' is not a number", "--set", "lam=much"),
    "knob not whole": train("dwf: depth = '2.5' is not a whole number", "--set", "depth=2.5"),
    "knob nan": train("lam = 'nan' is not a number", "--set", "lam=nan"),
    "knob not on offer": train(
        "scope = 'local' is not one of global, layerwise", "--method", "magnitude", "--set", "scope=local"
    ),
    "knob not left to the recipe": train("weight_decay = 0.1 is out of range", "--set", "weight_decay=0.1"),
    "optimizer the method lacks": train(
        "'l1_prox' supports only the optimizer sgd", "--method", "l1_prox", "--set", "optimizer=adam"
    ),
    "rate out of range": train("lr = 1000000.0 is out of range", "--method", "dense", "--set", "lr=1e6"),
    "zero epochs": train("epochs: input should be greater than or equal to 1, not '0'", "--epochs", "0"),
    "negative epochs": train("epochs: input should be greater than or equal to 1, not '-3'", "--epochs=-3"),
    "zero batch": train("batch_size: input should be greater than", "--set", "batch_size=0"),
    "batch of one image": train(
        "batch_size = 1: the model's BatchNorm needs more", "--method", "dense", "--model", "resnet18", "--set", "batch_size=1"
    ),
    "unknown schedule": train("schedule: input should be 'cosine', 'linear'", "--set", "schedule=cosinus"),
    "seed out of range": train("seed = -1 is out of range", "--seed=-1"),
    "seed too large": train("is out of range", "--seed", "99999999999999999999"),
    "argument of a wrong type": train("size = 'big' is not a whole number", "--data-arg", "size=big"),
    "argument that is a list": train("size = [1] is not a whole number", "--data-arg", "size=[1]"),
    "argument that is nan": train("--model-arg NaN: a number is not finite", "--model-arg", "x=NaN"),
    "rounds without steps": train(
        "2 rounds do not fit into 1 steps", "--method", "magnitude", "--set", "batch_size=4096"
    ),
    # devices and places
    "device not there": train("device 'cuda:99' is not there; this machine has cpu", "--device", "cuda:99"),
    "no device at all": train("'gpu' is no device: write cpu, cuda:0", "--device", "gpu"),
    "slots of nothing": Bad(["run", "--devices", "cpu:0"], "'cpu:0' is no device: cpu:4 means four CPU slots"),
    "no trial per device": Bad(["run", "--per-device", "0"], "per-device = 0"),
    "save to a folder": train("cannot save to 'dir': it is a folder", "--save", "dir", **{"dir/x": ""}),
    "save below a file": train("cannot save to 'file/model'", "--save", "file/model", file="mine"),
    "plugin missing": train("plugin file 'no.py' does not exist", "--plugin", "no.py"),
    "plugin is a folder": train("plugin 'dir' is a folder: name a Python file in it", "--plugin", "dir", **{"dir/x": ""}),
    "plugin leaves": train("plugin file 'p.py' fails to import at line 1: SystemExit: 3", "--plugin", "p.py", **{"p.py": "raise SystemExit(3)"}),
    "plugin broken": train(
        "plugin file 'p.py' fails to import at line 2: ZeroDivisionError", "--plugin", "p.py", **{"p.py": "\n1/0"}
    ),
    "plugin no Python": train("fails to import at line 1", "--plugin", "p.py", **{"p.py": "not python"}),
    "plugin takes a name": train(
        "method 'dwf' is registered already", "--plugin", "p.py",
        **{"p.py": "from sparsebench import *\n@register('dwf')\nclass M(Sparsifier): ..."},
    ),
    # models and data
    "image too small": train("lenet5 needs images of 16 pixels or more, not 8", "--model", "lenet5"),
    "image too small for timm": train(
        "'vit_tiny_patch16_224' cannot take images of 1×8×8", "--model", "vit_tiny_patch16_224"
    ),
    "no such data folder": data("dataset 'image_folder': ", {"data/other": ""}),
    "data folder empty": data("dataset 'image_folder': ", {"data/mine/train/": ""}),
    "class without images": data("dataset 'image_folder': ", {"data/mine/train/a/": "", "data/mine/train/b/": ""}),
    "image truncated": data(
        "dataset 'image_folder': ",
        {f"data/mine/train/{c}/{i}.png": IMAGE[: 40 if i == 7 else None] for c in "ab" for i in range(20)},
    ),
    "data truncated": data("dataset 'mnist': ", dict.fromkeys(MNIST, b"\x00\x00\x08\x03\x00"), "mnist"),
    # suites
    "no TOML": suite("suite.toml: is not TOML: ", "[[tasks]\n"),
    "not UTF-8": Bad(RUN, "suite.toml: cannot be read", {"suite.toml": b"name = '\xff'"}),
    "empty file": suite("suite.toml: the key 'name' is missing", "", name=""),
    "no tasks": suite("the key 'tasks' is missing", ENTRY),
    "no entries": suite("the key 'entries' is missing", TASK),
    "entries empty": suite("entries: list should have at least 1 item", f"entries = []\n{TASK}"),
    "unknown key": suite("unknown key 'buget': did you mean 'budget'?", f"[buget]\n{TASK}{ENTRY}"),
    "unknown key in a table": suite(
        "unknown key 'budget.trails': did you mean 'trials'?", f"budget.trails = 3\n{TASK}{ENTRY}"
    ),
    "unknown key in a list": suite(
        "unknown key 'tasks.0.recipe.epoch': did you mean 'epochs'?", f"{TASK}recipe.epoch = 3\n{ENTRY}"
    ),
    "key of a wrong type": suite("tasks: input should be a valid list", f"tasks = 3\n{ENTRY}"),
    "number of a wrong type": suite("budget.trials: input should be a valid integer", f"budget.trials = 'x'\n{TASK}{ENTRY}"),
    "number as a text": suite("budget.seeds: input should be a valid integer", f"budget.seeds = '2'\n{TASK}{ENTRY}"),
    "yes for a number": suite("budget.trials: input should be a valid integer", f"budget.trials = true\n{TASK}{ENTRY}"),
    "compression as a text": suite("input should be a valid number", f"budget.compressions = ['4']\n{TASK}{ENTRY}"),
    "odd name": suite("name: string should match pattern", TASK + ENTRY, name='name = "a/b"\n'),
    "zero trials": suite("budget.trials: input should be greater than or equal to 1, not 0", f"budget.trials = 0\n{TASK}{ENTRY}"),
    "zero trials asked": suite("budget.trials: input should be greater", TASK + ENTRY, "--trials", "0"),
    "negative epochs asked": suite("recipe.epochs: input should be greater", TASK + ENTRY, "--epochs=-1"),
    "zero seeds asked": suite("budget.seeds: input should be greater", TASK + ENTRY, "--seeds", "0"),
    "two labels alike": suite("two entries have the same label, 'dwf'", TASK + ENTRY + ENTRY),
    "two tasks alike": suite("two tasks have the same dataset and model", TASK + TASK + ENTRY),
    "entry without method": suite("the key 'entries.0.method' is missing", f"{TASK}[[entries]]\nlabel = 'x'\n"),
    "entry's method unknown": suite("unknown method 'dfw': did you mean 'dwf'?", f"{TASK}[[entries]]\nmethod = 'dfw'\n"),
    "entry's knob unknown": suite("entries.0 (dwf): unknown knob of method 'dwf' 'dpth'", f"{TASK}{ENTRY}dpth = 3\n"),
    "entry's knob of the recipe": suite("unknown knob of method 'dwf' 'epochs'", f"{TASK}{ENTRY}epochs = 3\n"),
    "entry's knob out of range": suite("dwf: depth = 1 is out of range: 2 to 16", f"{TASK}{ENTRY}depth = 1\n"),
    "task's dataset unknown": suite("tasks.0: unknown dataset 'plantd'", TASK.replace("planted", "plantd") + ENTRY),
    "task's model unknown": suite("unknown model 'lenet_30", TASK.replace("300_100", "30") + ENTRY),
    "task's argument unknown": suite("did you mean 'valid'?", f"{TASK}data_args.vald = 3\n{ENTRY}"),
    "task's argument no JSON": suite("tasks.0.model_args.x: a number is not finite", f"{TASK}model_args.x = nan\n{ENTRY}"),
    "range half": suite("dwf: lam: a range is written { low = …, high = … }", f"{TASK}{ENTRY}lam = {{ low = 0.1 }}\n"),
    "range empty": suite("dwf: lam: the range from 0.2 to 0.1 is empty", f"{TASK}{ENTRY}lam = {{ low = 0.2, high = 0.1 }}\n"),
    "range from zero": suite("a logarithmic range starts above 0", f"{TASK}{ENTRY}lam = {{ low = 0, high = 0.1 }}\n"),
    "range of words": suite("lam.low = 'a' is not a number", f"{TASK}{ENTRY}lam = {{ low = 'a', high = 0.1 }}\n"),
    "storage unknown": suite("Optuna cannot open the storage 'no://x'", TASK + ENTRY, "--storage", "no://x"),
    # output folders
    "another suite's records": folder(
        "holds records of another suite (suite.entries.dwf is new; suite.tasks", suite_json='{"suite": {}, "data": {}, "methods": {}}', records_jsonl="{}\n"
    ),
    "records of unknown origin": folder("records.jsonl, line 1: suite: Field required", records_jsonl="{}\n"),
    "suite file damaged": folder("line 1: suite: Field required", suite_json="{", records_jsonl="{}\n"),
    "folder is a file": Bad(
        RUN, "cannot write to the output folder 'out': File exists", {"suite.toml": f'name = "s"\n{TASK}{ENTRY}', "out": "mine"}
    ),
    "report on nothing": Bad(["report", "nowhere"], "no records in 'nowhere': records.jsonl is not there"),
    "report on no records": Bad(["report", "out"], "no records in 'out' yet", {"out/records.jsonl": ""}),
    "report on a damaged line": Bad(["report", "out"], "records.jsonl, line 1: the line", {"out/records.jsonl": "x\n"}),
    "report on a damaged suite": Bad(["report", "out"], "no records", {"out/suite.json": "{"}),
    "track on nothing": Bad(["track", "nowhere"], "no records in 'nowhere'"),
}  # fmt: skip


def write(files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = Path(name)
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def is_one_sentence(answer: Any, message: str) -> None:
    assert answer.code == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err
    *notes, line = answer.err.splitlines()
    assert not any(note.startswith("error: ") for note in notes), notes
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(
    name: str, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = BAD[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write(bad.files)
    is_one_sentence(cli(*bad.words), bad.message)
    for file, content in bad.files.items():
        if not file.endswith("/"):
            assert Path(file).read_bytes() == (content.encode() if isinstance(content, str) else content)


def test_a_corrupt_line_stops_a_campaign_before_it_writes(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_record: Callable[..., Any]
) -> None:
    """A half-written last line is mended (test_store.py, test_driver.py); a whole one that is wrong is not."""
    from sparsebench.bench.campaign.options import RunOptions
    from sparsebench.bench.output_folder.folder import OutputFolder
    from sparsebench.bench.training.trial import open_data

    monkeypatch.chdir(tmp_path)
    write({"suite.toml": f'name = "s"\n{TASK}{ENTRY}'})
    plan = RunOptions().resolve("suite.toml")
    planted = open_data(plan.tasks[0].dataset, None, plan.tasks[0].data_args).digest
    with OutputFolder("out", plan, {plan.tasks[0].name: planted}):
        lines = f"{make_record(0).to_json()}\n{make_record(1).to_json()[:-9]}\n"
        Path("out/records.jsonl").write_text(lines)
    is_one_sentence(cli(*RUN), "records.jsonl, line 2: the line: Invalid JSON")
    assert Path("out/records.jsonl").read_text() == lines


def test_a_file_that_may_not_be_read_is_one_sentence(cli: Callable[..., Any]) -> None:
    """Met as a user whom file permissions hold: root may read everything."""
    mine = os.geteuid()
    with TemporaryDirectory() as outer:
        words = data("", {}).words
        words[words.index("data")] = outer
        Path(outer).chmod(0o755)
        for file in [
            Path(outer, p, "train", c, f"{i}.png") for p in ("mine", "warm") for c in "ab" for i in range(20)
        ]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(IMAGE)
        is_one_sentence(
            cli(*words[:-1], "path=warm"), "lenet5 needs images"
        )  # and all that it takes is imported
        Path(outer, "mine", "train", "a", "7.png").chmod(0)
        if mine == 0:
            os.seteuid(65534)
        try:
            answer = cli(*words)
        finally:
            os.seteuid(mine)
    is_one_sentence(answer, "7.png")
