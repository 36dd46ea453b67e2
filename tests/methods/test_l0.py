"""Hard-concrete gates: their probabilities, their end, their noise."""

import math

import pytest
import torch
from sparsebench.bench.config.lr_schedule import eta_sum, rate
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.training.clock import TrainingClock
from sparsebench.bench.training.optimizers import Optimizers
from sparsebench.methods.api import configure
from sparsebench.methods.l0 import final_gate, open_probability, sampled_gate
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan, Round
from torch import nn

PLAN = Plan(100, "sgd", 0.1, 0.9, 50.0)


def net_of(size: int = 40) -> Net:
    torch.manual_seed(0)
    return Net(nn.Linear(size, size), ["weight"], torch.Generator().manual_seed(3))


def clock(step: int) -> TrainingClock:
    made = TrainingClock(100, 0.9)
    made.step = step
    return made


@pytest.mark.parametrize("log_a", [-4.0, -1.0, 0.0, 2.0])
def test_gates_are_open_and_fully_open_as_often_as_their_distribution_says(log_a):
    """P(z≠0) = σ(log a - β·log(-γ/ζ)); by symmetry P(z=1) is P(z≠0) at -log a, turned round."""
    u = torch.rand(400_000, generator=torch.Generator().manual_seed(1))
    z = sampled_gate(torch.tensor(log_a), u)
    live = float(open_probability(torch.tensor(log_a)))
    assert float((z > 0).double().mean()) == pytest.approx(live, abs=3e-3)
    assert live == pytest.approx(1 / (1 + math.exp(-(log_a + 2 / 3 * math.log(11)))), rel=1e-6)
    full = 1 - float(open_probability(torch.tensor(-log_a)))
    assert float((z == 1).double().mean()) == pytest.approx(full, abs=3e-3)


def test_the_final_gate_is_zero_iff_log_a_is_at_most_minus_log_11():
    edge = -math.log(11)
    z = final_gate(torch.tensor([edge - 1e-4, edge + 1e-4, 0.0, -edge + 1e-4]))
    assert z[0] == 0
    assert 0 < z[1] < 1e-4
    assert z[2] == pytest.approx(0.5)
    assert z[3] == 1


def test_gates_start_where_delta_says():
    net = net_of(200)
    configure("l0", {"drop": 0.2}).attach(net, PLAN, probe=None)
    log_a = net.parameters("log_a")["weight"].detach()
    assert float(log_a.mean()) == pytest.approx(math.log(4), abs=1e-3)
    assert float(log_a.std()) == pytest.approx(0.01, rel=0.05)


def test_the_penalty_is_lambda_times_the_expected_count_and_its_gradient_reaches_the_gates():
    net, method = net_of(), configure("l0", {"lam": 0.25})
    method.attach(net, PLAN, probe=None)
    log_a = net.parameters("log_a")["weight"]
    value = method.penalty(net, clock(0))
    assert value.item() == pytest.approx(0.25 * float(open_probability(log_a.detach()).sum()), rel=1e-6)
    value.backward()
    p = open_probability(log_a.detach())
    assert torch.allclose(log_a.grad, 0.25 * p * (1 - p))


def test_noise_depends_on_the_seed_and_the_step_alone():
    """So a resumed run draws what a straight one draws."""
    weights = []
    for history in ([7], [0, 1, 7], [8]):
        net, method = net_of(), configure("l0", {})
        method.attach(net, PLAN, probe=None)
        for step in history:
            method.before_step(net, clock(step))
        net.push()
        weights.append(net.weight("weight").clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_gates_travel_their_reach_under_adam_of_their_own():
    """Without a loss each step moves log a by about its rate: together by `reach`, up to the clamp."""
    steps, lr, net = 300, 0.1, net_of(10)
    method = configure("l0", {"lam": 1.0, "reach": 3.0})
    plan = Plan(steps, "sgd", lr, 0.9, eta_sum("cosine", 0.05, lr, (Round(),), steps, 0.9))
    theta, gates, _ = method.attach(net, plan, probe=None)
    assert (theta.optimizer, gates.optimizer, gates.weight_decay) == (None, "adam", 0.0)
    optimizers = Optimizers([gates], Recipe(), 0.0)
    for step in range(steps):
        gates.params[0].grad = None
        method.penalty(net, clock(0)).backward()
        optimizers.step(rate("cosine", 0.05, lr, Round(), step, steps), lr)
    assert float(gates.params[0].detach().mean()) == pytest.approx(-3.0, rel=0.1)


def test_gates_are_clamped_and_the_end_is_the_final_gate_times_theta():
    net, method = net_of(2), configure("l0", {})
    method.attach(net, PLAN, probe=None)
    log_a, theta = net.parameters("log_a")["weight"], net.parameters("theta")["weight"]
    with torch.no_grad():
        log_a.copy_(torch.tensor([[-50.0, 50.0], [0.0, -2.5]]))
        theta.fill_(2.0)
    net.push()
    assert torch.allclose(log_a.detach(), torch.tensor([[-math.log(100), math.log(100)], [0.0, -2.5]]))
    method.finalize(net)
    assert net.weight("weight").tolist() == [[0.0, 2.0], [pytest.approx(1.0), 0.0]]
    assert method.diagnostics(net)["final_compression"] == 2
