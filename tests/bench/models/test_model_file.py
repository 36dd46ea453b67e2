"""The nonzeros of a record are those of the plain timm model that the saved file holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.measurement.accuracy import accuracy
from sparsebench.bench.models.timm_registry import maker
from sparsebench.bench.training import trial as trials
from torch import nn

CONFIGURED: list[tuple[str, dict[str, Any]]] = [
    ("dense", {}),
    ("random", {"sparsity": 0.9}),
    ("magnitude", {"sparsity": 0.8}),
    ("l1", {"lam": 1e-2}),
    ("l1_prox", {"lam": 1e-2}),
    ("spred", {"lam": 1e-2}),
    ("dwf", {"lam": 3e-2, "depth": 3}),
]
MODELS: dict[str, dict[str, Any]] = {
    "lenet_300_100": {},
    "test_resnet": {},
    "test_vit": {"patch_size": 4},
}


def plain(trial: Trial, size: int) -> nn.Module:
    """The model as timm alone makes it."""
    args = {"img_size": size} if trial.model != "test_resnet" else {}
    return maker(trial.model)(num_classes=10, in_chans=1, **args, **trial.model_args)


PAIRS = [(method, knobs, "lenet_300_100") for method, knobs in CONFIGURED] + [
    (method, knobs, model)
    for method, knobs in CONFIGURED
    for model in ("test_resnet", "test_vit")
    if method in ("magnitude", "dwf")
]


@pytest.mark.parametrize(("method", "knobs", "model"), PAIRS, ids=[f"{m}-{model}" for m, _, model in PAIRS])
def test_the_saved_model_is_plain_and_its_largest_weights_are_the_records(
    make_trial: Callable[..., Trial], tmp_path: Path, method: str, knobs: dict[str, Any], model: str
) -> None:
    arguments = {"n": 320, "valid": 64, "size": 16}
    trial = make_trial(
        method=method, knobs=knobs, model=model, model_args=MODELS[model], dataset_args=arguments,
        recipe={"epochs": 3, "batch_size": 32, "lr": 0.1}, phase="single",
    )  # fmt: skip
    file = tmp_path / "deep" / "model.safetensors"
    record = trials.run(trial, save=file)
    assert record.status == "ok"
    saved = load_file(file)
    fresh = plain(trial, 16)
    assert list(fresh.state_dict()) == [key for key in fresh.state_dict() if key in saved]
    fresh.load_state_dict(saved, strict=True)
    parameters = dict(fresh.named_parameters())
    weights = {layer.name: parameters[layer.name].detach() for layer in record.layers}
    assert {layer.name: layer.shape for layer in record.layers} == {
        name: tuple(w.shape) for name, w in weights.items()
    }
    size = sum(w.numel() for w in weights.values())
    exact = sum(int(w.count_nonzero()) for w in weights.values())
    assert record.compression_exact == pytest.approx(size / max(1, exact))
    # The record's model has those that the validated threshold leaves: the largest ones.
    left = sum(layer.nonzeros for layer in record.layers)
    assert record.compression == pytest.approx(size / max(1, left))
    magnitudes = torch.cat([w.abs().flatten() for w in weights.values()])
    smallest = magnitudes.sort(descending=True).values[left - 1]
    for layer in record.layers:
        weights[layer.name][weights[layer.name].abs() < smallest] = 0.0
        assert int(weights[layer.name].count_nonzero()) == layer.nonzeros
    data = trials.open_data("planted", None, arguments)
    assert record.test_accuracy == accuracy(fresh, data.test, torch.device("cpu"))
    assert record.val_accuracy == accuracy(fresh, data.valid, torch.device("cpu"))
