"""A trial's identity, and the command that repeats it."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparsebench.bench.cli.options import parse_pairs, parse_values
from sparsebench.bench.config.search_space import full_knobs, split_settings
from sparsebench.bench.config.suite import check, load_suite
from sparsebench.bench.config.trial_spec import Recipe, Trial
from sparsebench.bench.training import trial as trials
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import registry

Make = Callable[..., Trial]

RECIPE = {
    "epochs": 2, "batch_size": 64, "optimizer": "adam", "lr": 0.1, "weight_decay": 0.1, "momentum": 0.5,
    "nesterov": True, "schedule": "linear", "warmup": 0.1, "augment": "flip", "precision": "bfloat16",
    "metric": "balanced_accuracy",
}  # fmt: skip
DECIDING: dict[str, Any] = {
    "dataset": "digits", "dataset_args": {"seed": 1}, "data_digest": "other", "model": "lenet5",
    "model_args": {"x": 1}, "keep_dense": ("5",), "method": "random", "method_version": 2,
    "knobs": {"sparsity": 0.5}, "phase": "confirm", "start_digest": "other", "compressions": (4.0,),
    "granularity": "channels",
}  # fmt: skip
LABELS: dict[str, Any] = {
    "suite": "other", "entry": "other", "confirms": "0" * 16, "number": 7, "params": {"lr": 0.1},
    "base": "/elsewhere", "aim": 4.0, "replicate": 2,
}  # fmt: skip


OLD = {
    "search": ("0fabe7c32d46e2a5", "6b6356dc48fef343"),
    "confirm": ("522c2be8ec2670de", "29a8012699e88184"),
}


def test_every_field_is_known_to_these_tests() -> None:
    assert set(RECIPE) == set(Recipe.model_fields)
    assert {*DECIDING, *LABELS, "recipe", "seed"} == set(Trial.model_fields)


@pytest.mark.parametrize("field", DECIDING)
def test_what_decides_the_outcome_is_part_of_the_identity(make_trial: Make, field: str) -> None:
    one, other = make_trial(), make_trial(**{field: DECIDING[field]})
    assert one.id != other.id
    assert one.config != other.config


@pytest.mark.parametrize("field", RECIPE)
def test_every_part_of_the_recipe_is_part_of_the_identity(make_trial: Make, field: str) -> None:
    assert make_trial().config != make_trial(recipe={field: RECIPE[field]}).config


@pytest.mark.parametrize("field", LABELS)
def test_labels_are_no_part_of_the_identity(make_trial: Make, field: str) -> None:
    one, other = make_trial(), make_trial(**{field: LABELS[field]})
    assert (one.id, one.config) == (other.id, other.config)


def test_trials_keep_the_identities_that_they_had_before_there_were_common_compressions() -> None:
    trial = Trial(
        suite="single", entry="dwf", dataset="digits", data_digest="abc", model="lenet_300_100", method="dwf",
        recipe=Recipe(epochs=1, lr=0.3, weight_decay=0.0), knobs={"lam": 3e-4, "depth": 3, "eps": 0.1},
        seed=5,
    )  # fmt: skip
    for compressions in ((), (4.0, 64.0)):
        one = trial.model_copy(update={"compressions": compressions})
        assert (one.id, one.config) == ("d7ec1813ac7c30bc", "7b769c56aa450e9a")  # as version 0.2 gave them
    for phase, before in OLD.items():
        old = trial.model_copy(update={"phase": phase})
        assert (old.id, old.config) == before  # of an earlier version, without common compressions
        assert old.model_copy(update={"compressions": (4.0,)}).id != old.id
    exact = trial.model_copy(update={"compressions": (4.0, 10 / 3, 1e6)})
    assert "--compressions 4,3.3333333333333335,1000000 " in exact.command  # which repeats the trial


def test_seeds_share_the_config_and_nothing_else(make_trial: Make) -> None:
    seeds = [make_trial(seed=seed) for seed in range(3)]
    assert len({trial.config for trial in seeds}) == 1
    assert len({trial.id for trial in seeds} | {seeds[0].config}) == 4


def test_library_versions_are_recorded_and_decide_nothing(
    make_trial: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trials.failed(make_trial(), "", device="cpu")
    monkeypatch.setattr(trials, "versions", lambda: {"torch": "0.0"})
    after = trials.failed(make_trial(), "", device="cpu")
    assert before.versions != after.versions
    assert (before.id, before.config) == (after.id, after.config)


def test_the_order_and_the_spelling_of_settings_do_not_matter(make_trial: Make) -> None:
    one = make_trial(knobs=full_knobs("dwf", {"lam": 1, "depth": "3"}), recipe={"lr": 1, "epochs": 2})
    two = make_trial(knobs=full_knobs("dwf", {"depth": 3, "lam": "1.0"}), recipe={"epochs": "2", "lr": "1.0"})
    assert one.id == two.id
    assert make_trial(model_args={"a": 1, "b": 2}).id == make_trial(model_args={"b": 2, "a": 1}).id


def words_after(command: str, flag: str) -> list[str]:
    words = shlex.split(command)
    return [word for before, word in pairwise(words) if before == flag]


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
)
anything = st.recursive(scalars | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=4)
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


@given(args=st.dictionaries(names, anything, max_size=4))
def test_arguments_read_back_from_the_command_as_they_were(args: dict[str, Any]) -> None:
    trial = Trial(
        suite="s", entry="e", dataset="digits", dataset_args=args, data_digest="", model="lenet5",
        model_args=args, recipe=Recipe(), method="dense",
    )  # fmt: skip
    for flag in ("--data-arg", "--model-arg"):
        back = parse_values(words_after(trial.command, flag), flag)
        assert back == args
        assert {key: type(value) for key, value in back.items()} == {k: type(v) for k, v in args.items()}


@given(lam=st.floats(0, 1e3), depth=st.integers(2, 16), lr=st.floats(1e-8, 1e3), nesterov=st.booleans())
def test_knobs_and_recipe_read_back_from_the_command_as_they_were(
    lam: float, depth: int, lr: float, nesterov: bool
) -> None:
    knobs = full_knobs("dwf", {"lam": lam, "depth": depth})
    recipe = Recipe(lr=lr, weight_decay=0.0, nesterov=nesterov, batch_size=7)
    trial = Trial(
        suite="s", entry="e", dataset="digits", data_digest="", model="lenet5", recipe=recipe, method="dwf",
        knobs=knobs,
    )  # fmt: skip
    given, rest = split_settings(registry["dwf"], parse_pairs(words_after(trial.command, "--set"), "--set"))
    assert full_knobs("dwf", given) == knobs
    assert Recipe(**rest) == recipe  # type: ignore[arg-type]


def test_the_command_of_a_record_repeats_it_bit_for_bit(make_trial: Make, tmp_path: Path) -> None:
    trial = make_trial(
        method="dwf", knobs=full_knobs("dwf", {"depth": 3, "lam": 1 / 3000}), seed=5, keep_dense=("5",),
        recipe={"lr": 0.3, "warmup": 0.1, "augment": "crop_flip", "nesterov": True}, phase="confirm",
    )  # fmt: skip
    record = json.loads(trials.run(trial).to_json())
    program = "from sparsebench.bench.cli.app import main; main()"
    command = [sys.executable, "-c", program, *shlex.split(record["command"])[1:], "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    labels = {"id", "config", "phase", "suite", "entry", "seal", "seconds", "peak_memory_bytes"}
    assert {key for key in record if record[key] != again[key]} == labels


@pytest.mark.parametrize("label", ["", "a\x1bb", "=1+1", "x" * 201])
def test_a_label_that_pack_refuses_is_refused_before_training(label: str) -> None:
    suite = load_suite("quickstart")
    named = suite.model_copy(update={"entries": (suite.entries[0].model_copy(update={"label": label}),)})
    with pytest.raises(SparsebenchError, match=r"my\.toml: .*name"):
        check(named, "my.toml")
