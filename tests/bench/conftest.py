"""What the tests of the harness share: small trials and records, the command line in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sparsebench.bench.records import Layer, Record

SIZE = {"n": 320, "valid": 64}
"""A planted set of 256 training examples: two steps of 128."""


@pytest.fixture
def make_trial() -> Callable[..., Any]:
    """A trial on a small planted set; any field can be given, recipe fields as `recipe={...}`."""
    from sparsebench.bench.spec import Recipe, Trial

    def make(**fields: Any) -> Trial:
        recipe = {"epochs": 1, "lr": 0.05, "weight_decay": 0.0, **fields.pop("recipe", {})}
        base: dict[str, Any] = {
            "suite": "suite", "entry": "entry", "dataset": "planted", "dataset_args": SIZE, "data_digest": "",
            "model": "lenet_300_100", "method": "dense", "phase": "search",
        }  # fmt: skip
        return Trial(**{**base, "recipe": Recipe(**recipe), **fields})

    return make


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """A valid record; any field can be given."""

    def make(number: int = 0, **fields: Any) -> Record:
        base: dict[str, Any] = {
            "id": f"id-{number}", "config": f"config-{number}", "suite": "suite", "entry": "dense",
            "dataset": "digits", "model": "lenet_300_100", "method": "dense", "knobs": {}, "trial": number,
            "seed": 0, "phase": "search", "status": "ok", "classes": 10, "val_accuracy": 0.9,
            "compression": 4.0, "layers": [Layer(name="1.weight", shape=(4, 4), nonzeros=4)],
            "command": "sparsebench train", "data_digest": "d", "device": "cpu",
        }  # fmt: skip
        return Record(**{**base, **fields})

    return make


@dataclass
class Answer:
    """What a command left: exit status and both streams."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The real entry point, in this process: `cli("list", "methods").out`."""
    from sparsebench.bench.cli import main

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["sparsebench", *map(str, words)])
        capfd.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        out, err = capfd.readouterr()
        return Answer(int(code), out, err)

    return call
