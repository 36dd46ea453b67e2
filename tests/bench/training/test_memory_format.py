"""Convolutions laid out as their kernels want them: no method may depend on the order in memory."""

import pytest
import torch
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.conformance import CPU, build, on_target, training
from sparsebench.bench.training import loop as train
from sparsebench.bench.training.checkpointing import load_state, state_of
from sparsebench.bench.training.loop import Training
from sparsebench.bench.training.memory_format import memory_format, set_memory_format
from sparsebench.methods.api import registry
from torch import nn

GPU = torch.device("cuda", 0)
LAST, FIRST = torch.channels_last, torch.contiguous_format


def deep(method: str, device: torch.device = CPU, precision: str = "float32") -> Training:
    return training(method, {}, "deep", device=device, precision=precision)[0]


def order(model: nn.Module) -> torch.memory_format:
    weight = model[3].weight  # type: ignore[index]
    assert weight.is_contiguous(memory_format=LAST) != weight.is_contiguous()
    return FIRST if weight.is_contiguous() else LAST


def test_channels_come_last_where_that_is_faster() -> None:
    half, full = Recipe(precision="bfloat16"), Recipe()
    assert [memory_format(half, GPU), memory_format(full, GPU)] == [LAST, FIRST]
    assert [memory_format(half, CPU), memory_format(full, CPU)] == [LAST, LAST]


def test_a_model_computes_the_same_in_either_order() -> None:
    one, other = build("deep").eval(), build("deep").eval()
    set_memory_format(other, LAST)
    assert [order(one), order(other)] == [FIRST, LAST]
    x = torch.randn(5, 1, 6, 6)
    assert torch.allclose(one(x), other(x), atol=1e-6)


@pytest.mark.parametrize("method", ["magnitude", "dwf", "powerprop", "l0"])  # each way to store weights
def test_a_training_resumes_in_that_order(method: str) -> None:
    straight, first, second = (deep(method) for _ in range(3))
    straight.run()
    first.run(stop_at=straight.clock.steps // 2)
    assert order(first.model) == LAST, "it was kept through the hooks"
    load_state(second, state_of(first))
    second.run()
    assert order(second.model) == FIRST, "the finished model is plain"
    for p, q in zip(straight.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(p, q)
    assert on_target(straight)


DEVICES = [CPU, pytest.param(GPU, marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("method", registry)
def test_every_method_trains_in_bfloat16(method: str, device: torch.device) -> None:
    made = deep(method, device, "bfloat16")
    made.run(stop_at=5)
    assert order(made.model) == memory_format(made.recipe, device)
    assert made.run().status == "ok"
    assert on_target(made)
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in made.model.parameters())


@pytest.mark.parametrize("method", sorted(set(registry) - {"l0"}))  # whose noise falls in memory's order
def test_a_step_is_the_same_but_for_rounding(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    last = deep(method)
    last.run(stop_at=1)
    monkeypatch.setattr(train, "memory_format", lambda recipe, device: FIRST)
    plain = deep(method)
    plain.run(stop_at=1)
    assert [order(plain.model), order(last.model)] == [FIRST, LAST]
    for name in plain.prunable:  # BatchNorm enlarges the rounding of a bias whose channel is masked
        assert torch.allclose(plain.net.weight(name), last.net.weight(name), atol=1e-5), name
