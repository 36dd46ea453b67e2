"""Powerpropagation: the same function at the start, larger steps for larger weights, then pruning."""

import pytest
import torch
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.training.clock import TrainingClock
from sparsebench.bench.training.optimizers import Optimizers
from sparsebench.methods.api import configure
from sparsebench.methods.gradual import cubic
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan, Round
from torch import nn

PLAN = Plan(100, "sgd", 0.1, 0.9, 100.0)


def attached(**knobs):
    torch.manual_seed(0)
    net, method = Net(nn.Linear(20, 10), ["weight"], torch.Generator()), configure("powerprop", knobs)
    dense = net.weight("weight").clone()
    return net, method, dense, method.attach(net, PLAN, probe=None)


def clock(**fields) -> TrainingClock:
    made = TrainingClock(100, 0.9)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0, 4.0])
def test_it_starts_from_the_dense_function(alpha):
    net, _, dense, _ = attached(alpha=alpha)
    assert torch.allclose(net.weight("weight"), dense, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("alpha", [1.5, 3.0])
def test_the_gradient_grows_with_the_weight_and_is_finite_at_zero(alpha):
    """∂L/∂θ = α|θ|^(α-1)·∂L/∂w, 0 at θ = 0."""
    net, _, _, _ = attached(alpha=alpha)
    theta = net.parameters("theta")["weight"]
    with torch.no_grad():
        theta[0, :5] = 0.0
    net.push()
    net.grad("weight").fill_(2.0)
    net.pull()
    assert torch.allclose(theta.grad, 2 * alpha * theta.detach().abs().pow(alpha - 1))
    assert theta.grad[0, :5].tolist() == [0.0] * 5


def test_alpha_one_is_plain_training():
    net, _, dense, groups = attached(alpha=1.0)
    optimizers = Optimizers(groups, Recipe(), 0.01)
    twin = nn.Parameter(dense.clone())
    sgd = torch.optim.SGD([twin], lr=0.1, momentum=0.9, weight_decay=0.01)
    for step in range(3):
        g = torch.randn(10, 20, generator=torch.Generator().manual_seed(step))
        net.weights_by_name["weight"].grad = g.clone()
        net.parameters("theta")["weight"].grad = None
        net.pull()
        optimizers.step(0.1, 0.1)
        net.push()
        twin.grad = g
        sgd.step()
    assert torch.allclose(net.weight("weight"), twin.detach(), atol=1e-6)


def test_one_shot_keeps_the_largest_weights_and_finetunes_out_of_the_budget():
    net, method, dense, _ = attached(sparsity=0.9, finetune=0.2)
    assert [r.share for r in method.rounds()] == [0.8, 0.2]
    method.start_round(net, clock(round=1))
    largest = dense.abs().flatten().topk(20).indices.sort().values
    assert torch.equal(net.masks["weight"].flatten().nonzero().squeeze(1), largest)


def test_gmp_prunes_along_the_cubic_schedule_in_one_round():
    net, method, _, _ = attached(sparsity=0.9, prune="gmp")
    assert method.rounds() == (Round(),)
    live = []
    for step in range(100):
        method.after_step(net, clock(step=step))
        live.append(int(net.weight("weight").count_nonzero()))
    assert live[13] == 200
    assert live[44] == round(200 * (1 - cubic(0.5, 0.9)))
    assert live[74] == live[99] == 20
    method.finalize(net)
    assert int(net.weight("weight").count_nonzero()) == 20


def test_imp_prunes_the_same_share_of_the_survivors_at_each_level():
    """At sparsity 0.875 and three levels: a half, a quarter and an eighth of 200, each within the last."""
    net, method, _, _ = attached(sparsity=0.875, prune="imp", levels=3)
    assert [(r.share, r.restart) for r in method.rounds()] == [
        (0.25, False), (0.25, True), (0.25, True), (0.25, True),
    ]  # fmt: skip
    before = None
    for level, live in enumerate([200, 100, 50, 25]):
        method.start_round(net, clock(round=level))
        assert int(net.weight("weight").count_nonzero()) == live
        mask = net.weight("weight") != 0
        assert before is None or not bool((mask & ~before).any())
        before = mask


def test_masked_weights_stay_zero_while_theta_decays():
    net, method, _, groups = attached(sparsity=0.5)
    optimizers = Optimizers(groups, Recipe(), 0.01)
    net.optimizers = optimizers.all
    method.start_round(net, clock(round=1))
    dead = ~net.masks["weight"]
    for _ in range(3):
        net.grad("weight").fill_(1.0)
        net.pull()
        optimizers.step(0.1, 0.1)
        net.push()
        assert int(net.weight("weight")[dead].count_nonzero()) == 0
