"""The same trial gives the same record; a stopped training goes on bit for bit."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sparsebench.bench.config.trial_spec import Recipe, Trial
from sparsebench.bench.training import trial as trials
from sparsebench.bench.training.batches import BatchStream
from sparsebench.bench.training.checkpointing import load_state, state_of
from sparsebench.bench.training.loop import Training
from sparsebench.datasets.api import Data, open_dataset
from sparsebench.methods.api import configure
from sparsebench.records.record import Record
from torch import nn

CPU = torch.device("cpu")
METHODS: list[tuple[str, dict[str, Any]]] = [
    ("dense", {}),
    ("random", {"sparsity": 0.9}),
    ("magnitude", {"sparsity": 0.8, "finetune": 0.4}),
    ("l1", {"lam": 1e-3}),
    ("l1_prox", {"lam": 1e-2}),
    ("dwf", {"lam": 1e-2, "depth": 3}),
]


@pytest.fixture(scope="module")
def planted() -> Data:
    return open_dataset("planted", n=320, valid=64)


def net() -> nn.Sequential:
    """With what a checkpoint could forget: running statistics and random numbers in the forward pass."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(),
        nn.Linear(54, 10),
    )  # fmt: skip


def training(data: Data, method: str, knobs: dict[str, Any], optimizer: str) -> Training:
    recipe = Recipe(
        epochs=4,
        batch_size=60,
        lr=0.01,
        weight_decay=1e-3,
        optimizer=optimizer,
        augment="crop_flip",
        warmup=0.1,
    )
    return Training(net(), configure(method, knobs), data, recipe, seed=3, device=CPU)


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)  # type: ignore[no-any-return]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize(("method", "knobs"), METHODS, ids=[name for name, _ in METHODS])
def test_a_stopped_training_goes_on_bit_for_bit(
    planted: Data, method: str, knobs: dict[str, Any], optimizer: str
) -> None:
    if optimizer not in type(configure(method, knobs)).optimizers:
        optimizer = "sgd"
    straight = training(planted, method, knobs, optimizer)
    expected = straight.run()
    assert expected.steps == 16
    for stop in (1, 7, 10, 15):  # inside an epoch, at a round's boundary, before the last step
        first = training(planted, method, knobs, optimizer)
        first.run(stop_at=stop)
        saved = through_a_file(state_of(first))
        torch.manual_seed(99)
        again = training(planted, method, knobs, optimizer)
        again.net.generator.manual_seed(99)
        load_state(again, saved)
        assert again.run() == expected
        for (key, one), other in zip(
            straight.model.state_dict().items(), again.model.state_dict().values(), strict=True
        ):
            assert torch.equal(one, other), f"{key} after a stop at step {stop}"


def test_stopping_and_going_on_in_the_same_process_changes_nothing(planted: Data) -> None:
    straight, halting = (training(planted, "magnitude", {"sparsity": 0.8}, "sgd") for _ in range(2))
    torch.manual_seed(1)
    expected = straight.run()
    torch.manual_seed(1)
    for stop in (3, 9, 16):
        outcome = halting.run(stop_at=stop)
    assert outcome == expected


def told(record: Record) -> dict[str, Any]:
    """A record without its times."""
    return {**json.loads(record.to_json()), "seconds": 0, "peak_memory_bytes": 0}


@pytest.mark.parametrize(("method", "knobs"), METHODS, ids=[name for name, _ in METHODS])
def test_the_same_trial_gives_the_same_record(
    make_trial: Callable[..., Trial], method: str, knobs: dict[str, Any]
) -> None:
    trial = make_trial(method=method, knobs=knobs, recipe={"augment": "crop_flip", "epochs": 2})
    first = trials.run(trial)
    trials.run(make_trial(seed=7))  # a warm worker has run something else in between
    torch.manual_seed(1234)
    assert told(trials.run(trial)) == told(first)


def test_another_seed_is_another_initialisation(make_trial: Callable[..., Trial], tmp_path: Any) -> None:
    for seed in (0, 1):  # with a rate that hardly moves the weights
        trial = make_trial(seed=seed, recipe={"lr": 1e-8, "batch_size": 256})
        trials.run(trial, save=tmp_path / f"{seed}.safetensors")
    one, other = (load_file(tmp_path / f"{seed}.safetensors") for seed in (0, 1))
    assert float((one["1.weight"] - other["1.weight"]).abs().mean()) > 0.01


def test_another_seed_is_another_order_and_each_epoch_has_its_own(planted: Data) -> None:
    def epochs(seed: int) -> list[list[int]]:
        stream = BatchStream(planted.train, Recipe(batch_size=256), seed, CPU)
        return [next(stream)[1].tolist() for _ in range(2)]

    first, second = epochs(0)
    other, _ = epochs(1)
    assert epochs(0) == [first, second]
    assert first != second
    assert first != other
    assert sorted(first) == sorted(second) == sorted(other)


def test_a_stream_goes_to_any_place_as_if_all_before_had_been_drawn(planted: Data) -> None:
    recipe = Recipe(batch_size=60, augment="crop_flip")
    straight = BatchStream(planted.train, recipe, 5, CPU)
    batches = [next(straight) for _ in range(10)]
    for index in (0, 3, 4, 5, 9):
        other = BatchStream(planted.train, recipe, 5, CPU)
        other.go_to(index // 4, index % 4)
        x, y = next(other)
        assert torch.equal(x, batches[index][0])
        assert torch.equal(y, batches[index][1])


def test_random_methods_draw_from_the_trials_seed(make_trial: Callable[..., Trial]) -> None:
    layers = [trials.run(make_trial(method="random", seed=seed)).curve for seed in (0, 0, 1)]
    assert layers[0] == layers[1]
    assert layers[0] != layers[2]
