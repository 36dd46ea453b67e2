"""Dynamic sparse training: what drops, what grows, when, and what is kept of it."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sparsebench.bench.training.clock import TrainingClock
from sparsebench.methods.api import configure
from sparsebench.methods.dynamic import moved
from sparsebench.methods.masks import erk_densities
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan
from torch import nn

PLAN = Plan(100, "sgd", 0.1, 0.9, 1e9)


def mlp(*widths: int) -> Net:
    torch.manual_seed(0)
    layers = [nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(widths)]
    names = [f"{i}.weight" for i in range(len(layers))]
    return Net(nn.Sequential(*layers), names, torch.Generator().manual_seed(0))


def at(step: int, steps: int = 1000) -> TrainingClock:
    return TrainingClock(steps, 0.9, step=step)


def test_an_update_by_hand():
    """Six living weights, a third moves: -1 and 2 drop; 2 and a new one grow."""
    weight = torch.tensor([[5.0, -1.0, 2.0, 6.0], [0.0, 0.0, -4.0, 3.0]])
    mask = weight != 0
    growth = torch.tensor([[9.0, 0.1, 0.8, 9.0], [0.7, 0.9, 9.0, 9.0]])
    found = moved(weight, mask, growth, 0.34)
    assert found.tolist() == [[True, False, True, True], [False, True, True, True]]


def test_where_nothing_calls_for_growth_the_dropped_stay():
    """All scores 0, as gradients at a dead neuron are: a new weight could not leave 0."""
    weight = torch.tensor([0.0, 0.0, 3.0, 1.0, 2.0])
    mask = weight != 0
    assert torch.equal(moved(weight, mask, torch.zeros(5), 0.7), mask)


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0, 1), st.integers(0, 100))
def test_the_number_of_living_weights_never_changes(size, density, share, seed):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(size, generator=generator) < density
    weight = torch.randn(size, generator=generator) * mask
    found = moved(weight, mask, torch.rand(size, generator=generator).round(decimals=1), share)
    live = int(mask.sum())
    assert int(found.sum()) == live
    assert int((mask & ~found).sum()) <= int(share * live)


@pytest.mark.parametrize("method", ["set", "rigl"])
def test_the_share_decays_by_a_cosine_and_is_zero_between_updates(method):
    """f(0) = α, f(T_end/2) = α/2, f(T_end) = 0 with T_end = 750 steps, ΔT = 15."""
    made = configure(method, {"alpha": 0.3, "updates": 50})
    for step in range(1000):
        expected = 0.15 * (1 + math.cos(math.pi * step / 750)) if 0 < step < 750 and step % 15 == 0 else 0.0
        assert made.share(at(step)) == pytest.approx(expected)
    assert made.share(at(15)) == pytest.approx(0.3, abs=1e-3)
    assert made.share(at(375)) == pytest.approx(0.15)
    assert made.share(at(735)) < 1e-3


@pytest.mark.parametrize(("method", "updates"), [("rigl", 14), ("set", 37)])
def test_a_short_training_keeps_most_of_its_gradient_steps(method, updates):
    """T_end = 150 steps: every tenth of RigL's is an update, every fourth of SET's, which costs no step."""
    made = configure(method, {"updates": 50})
    assert sum(made.share(at(step, 200)) > 0 for step in range(200)) == updates


@pytest.mark.parametrize("method", ["set", "rigl"])
def test_layers_start_at_erk_and_keep_their_counts(method):
    net, made = mlp(60, 40, 30, 4), configure(method, {"sparsity": 0.9, "updates": 50})
    made.attach(net, PLAN, probe=None)
    before = {name: int(net.masks[name].sum()) for name in net.names}
    densities = erk_densities({name: tuple(net.weight(name).shape) for name in net.names}, 0.1)
    for name in net.names:
        assert before[name] == pytest.approx(densities[name] * net.weight(name).numel(), abs=1)
    masks = dict(net.masks)
    for step in range(1, 700):
        for name in net.names:
            net.grad(name).normal_()
        if made.before_step(net, at(step)):
            made.after_step(net, at(step))
        for name in net.names:
            net.weight(name).add_(0.01 * torch.randn_like(net.weight(name)))
        net.push()
    assert {name: int(net.masks[name].sum()) for name in net.names} == before
    assert any(not torch.equal(masks[name], net.masks[name]) for name in net.names)
    assert sum(int(net.weight(name).count_nonzero()) for name in net.names) == sum(before.values())


def test_rigl_moves_its_mask_instead_of_a_step_and_set_after_one():
    net, rigl = mlp(20, 10), configure("rigl", {"sparsity": 0.8, "updates": 50})
    rigl.attach(net, PLAN, probe=None)
    net.grad("0.weight").normal_()
    assert [rigl.before_step(net, at(step)) for step in (0, 14, 15, 16, 30, 750)] == [
        True, True, False, True, False, True,
    ]  # fmt: skip
    net, made = mlp(20, 10), configure("set", {"sparsity": 0.8, "updates": 50})
    made.attach(net, PLAN, probe=None)
    mask = net.masks["0.weight"]
    assert made.before_step(net, at(15))
    assert torch.equal(net.masks["0.weight"], mask)
    made.after_step(net, at(15))
    assert not torch.equal(net.masks["0.weight"], mask)


def test_rigl_grows_at_the_largest_gradients_from_zero_and_without_momentum():
    net, made = mlp(20, 10), configure("rigl", {"sparsity": 0.8, "alpha": 0.5, "updates": 50})
    made.attach(net, PLAN, probe=None)
    sgd = torch.optim.SGD(net.model.parameters(), lr=0.1, momentum=0.9)
    net.optimizers = [sgd]
    net.grad("0.weight").normal_()
    net.pull()
    sgd.step()
    net.push()
    old, mask = net.weight("0.weight").clone(), net.masks["0.weight"].clone()
    gradient = torch.randn(10, 20)
    net.grad("0.weight").copy_(gradient)
    buffer = sgd.state[net.weights_by_name["0.weight"]]["momentum_buffer"]
    momentum = buffer.clone()
    assert not made.before_step(net, at(15))
    new = net.masks["0.weight"]
    k = int(made.share(at(15)) * 40)
    smallest = old.abs().masked_fill(~mask, math.inf).flatten().argsort()[:k]
    kept = mask.clone()
    kept.view(-1)[smallest] = False
    best = gradient.abs().masked_fill(kept, -1).flatten().argsort(descending=True)[:k]
    expected = kept.clone()
    expected.view(-1)[best] = True
    assert torch.equal(new, expected)
    assert torch.equal(net.weight("0.weight"), old * (mask & new))  # regrown ones keep their value
    assert torch.equal(buffer, momentum * (mask & new))


def test_set_grows_near_zero_and_keeps_the_rest():
    net, made = mlp(20, 10), configure("set", {"sparsity": 0.8, "updates": 50})
    made.attach(net, PLAN, probe=None)
    old, mask = net.weight("0.weight").clone(), net.masks["0.weight"].clone()
    made.after_step(net, at(15))
    new, w = net.masks["0.weight"], net.weight("0.weight")
    assert torch.equal(w[mask & new], old[mask & new])
    grown = w[new & ~mask].abs()
    assert (
        len(grown) > 0
        and float(grown.min()) > 0
        and float(grown.max()) < 0.01 * float(old[mask].abs().mean())
    )
    assert int(w[~new].count_nonzero()) == 0


@given(st.integers(0, 5))
def test_set_follows_its_seed(seed):
    masks = []
    for _ in range(2):
        net, made = mlp(20, 10), configure("set", {"sparsity": 0.8, "updates": 50})
        net.generator.manual_seed(seed)
        made.attach(net, PLAN, probe=None)
        made.after_step(net, at(15))
        masks.append(net.masks["0.weight"])
    assert torch.equal(*masks)


@pytest.mark.parametrize("method", ["set", "rigl"])
def test_dense_layers_and_sparsity_zero_are_left_alone(method):
    net, made = mlp(30, 20, 2), configure(method, {"sparsity": 0.0})
    made.attach(net, PLAN, probe=None)
    before = {name: net.weight(name).clone() for name in net.names}
    for name in net.names:
        net.grad(name).normal_()
    for step in range(1, 40):
        made.before_step(net, at(step))
        made.after_step(net, at(step))
    assert all(torch.equal(net.weight(name), before[name]) for name in net.names)
