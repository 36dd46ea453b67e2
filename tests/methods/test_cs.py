"""Continuous sparsification: the dense function at the start, β over the budget, hard masks at the end."""

import math
from itertools import pairwise

import pytest
import torch
from sparsebench.bench.training.clock import TrainingClock
from sparsebench.methods.api import configure
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan
from torch import nn

PLAN = Plan(11, "sgd", 0.1, 0.9, 10.0)


def attached(**knobs):
    torch.manual_seed(0)
    net, method = Net(nn.Linear(5, 4), ["weight"], torch.Generator()), configure("cs", knobs)
    dense = net.weight("weight").clone()
    return net, method, dense, method.attach(net, PLAN, probe=None)


def clock(step: int) -> TrainingClock:
    made = TrainingClock(11, 0.9)
    made.step = step
    return made


@pytest.mark.parametrize("s0", [-0.3, 0.0, 0.2])
def test_it_starts_from_the_dense_function(s0):
    net, _, dense, _ = attached(s0=s0)
    assert torch.allclose(net.weight("weight"), dense, rtol=1e-6)


def test_beta_grows_geometrically_from_one_to_its_end():
    """β at the weights of step t is β_end^(t/(T-1)): its root half of the way."""
    net, method, _, _ = attached(beta_end=100.0)
    seen = [method.state["beta"]]
    for step in range(11):
        method.before_step(net, clock(step))
        seen.append(method.state["beta"])
    assert seen[0] == 1.0
    assert seen[5] == pytest.approx(10.0)
    assert seen[10] == pytest.approx(100.0)
    assert seen[11] == 100.0
    ratios = [b / a for a, b in pairwise(seen[:11])]
    assert ratios == [pytest.approx(100 ** (1 / 10))] * 10


def test_the_weight_and_its_penalty_follow_beta():
    net, method, dense, _ = attached(s0=-0.1, lam=0.5)
    method.before_step(net, clock(4))
    net.push()
    beta, scale = method.state["beta"], 1 + math.exp(0.1)
    gate = 1 / (1 + math.exp(0.1 * beta))
    assert torch.allclose(net.weight("weight"), dense * scale * gate)
    assert method.penalty(net, clock(5)).item() == pytest.approx(0.5 * 20 * scale * gate, rel=1e-5)
    assert configure("cs", {"lam": 0.0}).penalty(net, clock(5)) == 0.0


def test_it_ends_at_hard_masks_which_a_late_beta_approaches():
    net, method, dense, _ = attached(s0=-0.1, beta_end=200.0)
    s = net.parameters("s")["weight"]
    with torch.no_grad():
        s[0, 0], s[1, 2], s[2, 0] = 0.2, 0.1, 0.0
    method.before_step(net, clock(10))
    net.push()
    soft = net.weight("weight").clone()
    method.finalize(net)
    hard = net.weight("weight")
    assert hard.nonzero().tolist() == [[0, 0], [1, 2]]  # s > 0, not s ≥ 0
    assert float(hard[0, 0]) == pytest.approx(float(dense[0, 0]) * (1 + math.exp(0.1)))
    soft[2, 0] = 0.0  # which stood on the edge
    assert torch.allclose(soft, hard, atol=1e-6)


def test_masks_take_no_decay_and_their_own_rate():
    theta, s, _ = attached(mask_rate=5.0)[3]
    assert (theta.weight_decay, s.weight_decay) == (None, 0.0)
    assert (theta.lr_scale, s.lr_scale) == (1.0, 5.0)
