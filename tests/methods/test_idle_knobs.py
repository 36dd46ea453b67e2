"""Knobs that are said to do nothing beside a value of another: they do nothing there and are not searched."""

from typing import Any

import pytest
import torch
from sparsebench.bench.config.search_space import free_knobs
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.conformance import training
from sparsebench.methods.api import knobs_of, registry
from torch import Tensor

CASES = [
    (method, name, other, value)
    for method, cls in registry.items()
    for name, knob in knobs_of(cls).items()
    for other, values in knob.idle.items()
    for value in values
]


def weights(method: str, knobs: dict[str, Any]) -> list[Tensor]:
    made, _ = training(method, knobs, "conv", "sgd")
    assert made.run().status == "ok"
    return [p.detach().clone() for p in made.model.parameters()]


@pytest.mark.parametrize(("method", "name", "other", "value"), CASES)
def test_an_idle_knob_changes_nothing_and_is_not_searched(
    method: str, name: str, other: str, value: Any
) -> None:
    knob = knobs_of(registry[method])[name]
    ends = knob.choices or (knob.low, knob.high)
    if knob.low is None and not knob.choices:  # not searched by itself
        ends = (knob.default, type(knob.default)(knob.default / 2 + 1 / 8))
    first, second = (weights(method, {other: value, name: ends[i]}) for i in (0, -1))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert name not in free_knobs(Recipe(), registry[method], {other: value})
