"""With its strength or its sparsity at nothing, a method is dense training bit for bit, where it can be."""

import pytest
import torch
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.conformance import training
from sparsebench.bench.training.loop import Training


def trained(method: str, knobs: dict[str, float], kind: str, **recipe: float) -> dict[str, torch.Tensor]:
    """The finished state of a method, with lr and weight decay as given and all else as in the suite."""
    fresh, _ = training(method, knobs, kind)
    changed = Recipe(**{**fresh.recipe.model_dump(), **recipe})
    build, _ = training("dense", {}, kind)
    made = Training(build.model, fresh.method, fresh.data, changed, seed=3, device=torch.device("cpu"))
    assert made.run().status == "ok"
    return made.model.state_dict()


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize(
    ("method", "knobs", "weight_decay"),
    [
        ("l1", {"lam": 0.0}, 0.0),
        ("l1_prox", {"lam": 0.0}, 0.0),
        ("random", {"sparsity": 0.0}, 1e-3),
        ("magnitude", {"sparsity": 0.0, "finetune": 0.0}, 1e-3),
        ("gmp", {"sparsity": 0.0}, 1e-3),
        ("set", {"sparsity": 0.0}, 1e-3),
    ],
)
def test_nothing_asked_is_dense_training(method, knobs, weight_decay, kind):
    dense = trained("dense", {}, kind, lr=0.05, weight_decay=weight_decay)
    found = trained(method, knobs, kind, lr=0.05, weight_decay=weight_decay)
    for key, value in dense.items():
        assert torch.equal(value, found[key]), key


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize(
    ("method", "knobs"),
    [("spred", {"init": "dense"}), ("powerprop", {}), ("cs", {}), ("dense", {})],
)
def test_the_initial_function_is_the_dense_one(method, knobs, kind):
    """Of the reparametrisations that promise it, up to rounding of the composed weights."""
    reference = training("dense", {}, kind)[0]
    made = training(method, knobs, kind)[0]
    for name in made.net.names:
        assert torch.allclose(made.net.weight(name), reference.net.weight(name), rtol=1e-5, atol=1e-7), name
