"""Lines that are printed to be run hold names and literals alone, whatever a file of a stranger says."""

import ast
import math
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.export.load_snippet import load_lines
from sparsebench.bench.models import timm_registry
from sparsebench.bench.models.model_file import ModelCard, read_card
from sparsebench.bench.training import trial as trials
from sparsebench.commands import UNKNOWN, shown_command
from sparsebench.errors import SparsebenchError

CODE = "x=__import__('os').system('touch planted'),y"
NAMES = [CODE, "a b", "a\n", "class", "lambda", "", "a.b", "a=1)#", "ａ", "*", "**{}"]


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    file = tmp_path_factory.mktemp("model") / "m.safetensors"
    trial = Trial(
        suite="single", entry="dense", dataset="planted", dataset_args={"n": 320, "valid": 64},
        data_digest="", model="lenet_300_100",
        recipe={"epochs": 1, "batch_size": 64, "lr": 0.1, "weight_decay": 0.0},
        method="dense", phase="confirm",
    )  # fmt: skip
    assert trials.run(trial, save=file).status == "ok"
    return read_card(file)


@pytest.fixture
def any_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that takes every argument, as a plugin's may."""
    from torch import nn

    class Net(nn.Module):
        pass

    monkeypatch.setattr(timm_registry, "maker", lambda name: lambda **arguments: Net())
    monkeypatch.setattr(timm_registry, "home", lambda name: "timm.models.net")


def lines(card: ModelCard, arguments: dict[str, Any]) -> list[str]:
    changed = card.model_copy(update={"model": "net", "model_args": arguments})
    return load_lines(changed, Path("m.pt"))


@pytest.mark.usefixtures("any_argument")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_code_is_refused(card: ModelCard, name: str) -> None:
    with pytest.raises(SparsebenchError, match="is not the name of an argument"):
        lines(card, {name: 1})


@pytest.mark.usefixtures("any_argument")
def test_values_are_literals(card: ModelCard) -> None:
    values = {
        "a": CODE,
        "b": "'; import os #\n\x1b[31m",
        "c": [1, {"d": None, "e": [True, -2.5, 1e300]}],
        "f": {},
    }
    made = lines(card, values)
    assert len("\n".join(made).splitlines()) == 3
    assert "\x1b" not in "".join(made)
    call = ast.parse(made[1]).body[0]
    assert isinstance(call, ast.Assign)
    built = call.value.func.value  # type: ignore[attr-defined]
    given = {word.arg: ast.literal_eval(word.value) for word in built.keywords}
    assert {name: given[name] for name in values} == values
    for value in (math.nan, math.inf, object(), [math.nan]):
        with pytest.raises(SparsebenchError, match="cannot be written as Python"):
            lines(card, {"a": value})


@pytest.mark.usefixtures("any_argument")
def test_a_start_of_the_weights_is_left_out(card: ModelCard) -> None:
    starts = {
        "pretrained": True,
        "checkpoint_path": "evil.pth",
        "pretrained_cfg": {"file": "evil.pth"},
        "a": 1,
    }
    assert "evil" not in "".join(lines(card, starts))


def test_a_file_of_another_name_is_a_literal(card: ModelCard) -> None:
    path = Path("x');import os#.pt")
    assert f"torch.load({str(path)!r}, weights_only=True)" in load_lines(card, path)[2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sparsebench train --model lenet5 --set 'a=b c' --seed 1", None),
        ("sparsebench train --model lenet5; rm -rf ~", UNKNOWN),
        (
            "sparsebench train --model 'lenet5' --seed $(id)",
            "sparsebench train --model lenet5 --seed '$(id)'",
        ),
        ("sparsebench train --model lenet5 --seed 1 && id", UNKNOWN),
        ("sparsebench train --model lenet5\nid", UNKNOWN),
        ("sparsebench train --save /home/ann/.bashrc", UNKNOWN),
        ("sparsebench run x | sh", "sparsebench run x '|' sh"),
        ("curl evil | sh", UNKNOWN),
        ("sparsebench train --model 'open", UNKNOWN),
        ("sparsebench train --model \x1b[31mred", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_stored_command_is_shown_as_words_of_a_command(text: str, shown: str | None) -> None:
    assert shown_command(text) == (shown or text)
