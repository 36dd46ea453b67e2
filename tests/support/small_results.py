"""Results with models in a moment: entries on planted data, searched once and confirmed with two seeds."""

import json
import tomllib
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from sparsebench.bench.config.suite import Suite
from sparsebench.bench.config.trial_spec import Recipe, Trial, trial_of
from sparsebench.bench.exchange.pack import PackedModels, pack
from sparsebench.bench.models.model_file import read_model, write_model
from sparsebench.bench.output_folder.layout import MODELS, model_files, model_path
from sparsebench.bench.training.trial import run
from sparsebench.datasets.api import open_dataset
from sparsebench.records.fields import CompressionPoint
from sparsebench.records.record import Record
from sparsebench.records.store import FILE, load_records

DATA = {"planted": {"n": 320, "valid": 64}, "digits": {"valid": 64}}
MODEL = "lenet_300_100"
COMPRESSIONS = (4.0, 16.0)
TASK = f"planted-{MODEL}"
METHODS = {"dense": {}, "magnitude": {"sparsity": 0.5}}
ENTRIES = tuple(METHODS)


def suite_toml(*datasets: str) -> str:
    """The suite that the results are of, as a user writes it."""
    tasks = [
        f"""
[[tasks]]
dataset = "{name}"
model = "{MODEL}"
data_args = {{ {", ".join(f"{key} = {value}" for key, value in DATA[name].items())} }}
recipe = {{ epochs = 2, batch_size = 32 }}
"""
        for name in datasets or ("planted",)
    ]
    budget = f"budget = {{ trials = 1, seeds = 2, compressions = {list(COMPRESSIONS)} }}\n"
    entries = [f'[[entries]]\nmethod = "{entry}"\n' for entry in ENTRIES]
    return 'name = "small"\n' + budget + "".join([*tasks, *entries])


def results(folder: Path, seeds: Sequence[int] = (1, 2), datasets: Sequence[str] = ("planted",)) -> Path:
    """An output folder of all entries, as a campaign leaves it: the model of each training's first seed."""
    made = Suite.model_validate(tomllib.loads(suite_toml(*datasets)))
    digests = {f"{name}-{MODEL}": open_dataset(name, **DATA[name]).digest for name in datasets}
    (folder / MODELS).mkdir(parents=True)
    lines = []
    for task, entry in product(made.tasks, made.entries):
        base: dict[str, Any] = {
            "suite": made.name, "entry": entry.label, "dataset": task.dataset, "dataset_args": task.data_args,
            "data_digest": digests[task.name], "model": task.model, "method": entry.method,
            "knobs": METHODS[entry.method], "compressions": COMPRESSIONS, "aim": 4.0,
            "recipe": Recipe(**{**task.recipe.model_dump(), "lr": 0.1, "weight_decay": 0.0}),
        }  # fmt: skip
        found = run(Trial(**base, phase="search", seed=0, number=0))
        lines.append(found)
        for seed in seeds:
            again = Trial(**base, phase="confirm", confirms=found.id, seed=seed)
            lines.append(run(again, save=model_path(folder / MODELS, again.id) if seed == seeds[0] else None))
    write_records(folder, lines)
    identity = {
        "suite": made.model_dump(mode="json", exclude={"summary"}),
        "data": digests,
        "methods": {record.method: record.method_version for record in lines},
    }
    (folder / "suite.json").write_text(json.dumps(identity))
    return folder


def write_records(folder: Path, records: Iterable[Record]) -> None:
    """Writes the records of a folder anew, with a valid seal each."""
    (folder / FILE).write_text("".join(record.to_json() + "\n" for record in records))


def edited(folder: Path, change: Callable[[Record], dict[str, Any]]) -> Path:
    """Changes the records of a folder and seals them again; identities follow, and so do the models."""
    names: dict[str, str] = {}
    found = []
    for record in load_records(folder):
        new = record.model_copy(update=change(record))
        if new.confirms in names:
            new = new.model_copy(update={"confirms": names[new.confirms]})
        trial = trial_of(new)
        names[record.id] = trial.id
        update = {"id": trial.id, "config": trial.config, "command": trial.command_on(new.threads)}
        found.append(new.model_copy(update=update))
    write_records(folder, found)
    for identity, path in model_files(folder / MODELS).items():
        if names[identity] != identity:
            state, card = read_model(path)
            path.unlink()
            card = card.model_copy(update={"id": names[identity]})
            write_model(state, card, model_path(folder / MODELS, names[identity]))
    return folder


def raised(record: Record, by: float = 0.2) -> dict[str, Any]:
    """What a forger changes: the test accuracies of a confirmed training."""
    if record.phase != "confirm":
        return {}

    def more(value: float | None) -> float:
        return min(1.0, (value or 0.0) + by)

    points = [
        CompressionPoint(p.at, p.val_accuracy, p.nonzeros, p.cut, more(p.test_accuracy))
        for p in record.at_compressions
    ]
    return {
        "test_accuracy": more(record.test_accuracy),
        "test_accuracy_exact": more(record.test_accuracy_exact),
        "test_balanced_accuracy": more(record.test_balanced_accuracy),
        "at_compressions": points,
    }


def packed(folder: Path, out: Path, **more: Any) -> Path:
    """The archive of a folder with all of its models."""
    return pack(folder, out, models=PackedModels(model_files(folder / MODELS)), **more).path
