"""Soft threshold reparametrisation: the map, the law of its threshold, the range that is searched."""

import math

import pytest
import torch
from sparsebench.bench.config.lr_schedule import eta_sum, rate
from sparsebench.bench.config.search_space import with_range
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.search.optuna_search import Search, value_of
from sparsebench.bench.training.optimizers import Optimizers
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import configure, knobs_of, registry
from sparsebench.methods.knobs import Knob
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan, Round
from sparsebench.methods.str_ import soft_threshold
from torch import nn

LONG = Plan(4000, "sgd", 0.1, 0.9, 4000.0)
LOWER = Knob(-10.0, -3200.0, -5.0, "minus_log", operating=True)


def net_of() -> Net:
    torch.manual_seed(0)
    return Net(nn.Linear(6, 4), ["weight"], torch.Generator().manual_seed(0))


def test_the_map_shrinks_by_the_sigmoid_of_s():
    """σ(0) = ½: 0.7 → 0.2, and what lies within is 0."""
    w = soft_threshold(torch.tensor([0.7, -0.7, 0.4, -0.5, 0.0]), torch.tensor(0.0))
    assert torch.allclose(w, torch.tensor([0.2, -0.2, 0.0, 0.0, 0.0]))


def test_gradients_are_those_of_the_papers_formulas():
    """∂w/∂θ = 1[w≠0]; ∂w/∂s = -sign(θ)·σ'(s)·1[w≠0], summed over the layer."""
    net = net_of()
    configure("str", {"s0": -2.0}).attach(net, LONG, probe=None)
    theta, s = net.parameters("theta")["weight"], net.parameters("s")["weight"]
    g = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    net.grad("weight").copy_(g)
    net.pull()
    live = theta.detach().abs() > torch.sigmoid(torch.tensor(-2.0))
    assert 0 < int(live.sum()) < 24
    assert torch.equal(net.weight("weight") != 0, live)
    assert torch.allclose(theta.grad, g * live)
    slope = torch.sigmoid(s.detach()) * (1 - torch.sigmoid(s.detach()))
    assert torch.allclose(s.grad, -(theta.detach().sign() * g * live).sum() * slope)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_an_idle_threshold_follows_its_law(momentum):
    """s(t) = s₀·e^(-wd_s·Ση_eff); over the whole run the exponent is `decay`, whatever the budget."""
    steps, lr, decay, net = 1200, 0.01, 1.0, net_of()
    method = configure("str", {"s0": -3000.0, "decay": decay})
    total = eta_sum("cosine", 0.05, lr, (Round(),), steps, momentum)
    groups = method.attach(net, Plan(steps, "sgd", lr, momentum, total), probe=None)
    optimizers = Optimizers(groups, Recipe(momentum=momentum), 0.0)
    for step in range(steps):
        net.grad("weight").zero_()  # no loss at all
        net.pull()
        optimizers.step(rate("cosine", 0.05, lr, Round(), step, steps), lr)
        net.push()
    s = float(net.parameters("s")["weight"].detach())
    assert s == pytest.approx(-3000.0 * math.exp(-decay), rel=0.02)


@pytest.mark.parametrize("kind", ["cosine", "linear", "step"])
@pytest.mark.parametrize("decay", [4.0, 12.0])
def test_where_no_s0_is_given_s_reaches_minus_six_at_20_to_30_percent(kind, decay):
    steps, lr = 1000, 0.1
    rates = [rate(kind, 0.05, lr, Round(), step, steps) for step in range(steps)]
    method, net = configure("str", {"s0": 0.0, "decay": decay}), net_of()
    method.attach(net, Plan(steps, "sgd", lr, 0.0, sum(rates)), probe=None)
    s, wd = method.facts()["s0"], decay / sum(rates)
    assert float(net.parameters("s")["weight"].detach()) == pytest.approx(s)
    crossing = next(t for t in range(steps) if s * math.exp(-wd * sum(rates[:t])) >= -6.0)
    assert 0.2 <= crossing / steps <= 0.3


def idle(wd: float, lr: float, momentum: float, steps: int) -> list[float]:
    """s/s₀ under nothing but weight decay and momentum, at a constant rate."""
    s, velocity, found = 1.0, 0.0, []
    for _ in range(steps):
        velocity = momentum * velocity + wd * s
        s -= lr * velocity
        found.append(s)
    return found


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
def test_a_decay_too_fast_for_momentum_is_lowered_to_one_that_hardly_swings(momentum):
    """An oscillator of damping ratio 1/√2 overshoots by e^(-π), 4%; left as it is it would swing by more."""
    steps, lr = 150, 0.1
    plan = Plan(steps, "sgd", lr, momentum, steps * lr / (1 - momentum))
    method, net = configure("str", {"decay": 100.0, "s0": -10.0}), net_of()
    with pytest.warns(UserWarning, match="most that momentum lets s follow"):
        _, group, _ = method.attach(net, plan, probe=None)
    assert method.facts()["decay"] == pytest.approx((1 - momentum) / 2 * steps)
    assert group.weight_decay * lr == pytest.approx((1 - momentum) ** 2 / 2)
    swing = -min(idle(group.weight_decay, lr, momentum, 4000))
    assert swing < 0.06
    if momentum:
        assert -min(idle(4 * group.weight_decay, lr, momentum, 4000)) > 0.15


def test_a_decay_that_s_can_follow_is_left_alone(recwarn):
    method = configure("str", {"decay": 12.0, "s0": -10.0})
    method.attach(net_of(), LONG, probe=None)
    assert method.facts() == {"s0": -10.0, "decay": 12.0}
    assert configure("str", {}).s0 == 0  # by default it follows from the decay
    assert not recwarn.list


def test_a_far_threshold_keeps_the_function_bit_for_bit():
    net = net_of()
    before = net.weight("weight").clone()
    configure("str", {"s0": -3200.0}).attach(net, LONG, probe=None)
    assert torch.equal(net.weight("weight"), before)


def test_the_recipes_weight_decay_is_on_theta_and_on_request_on_s():
    theta, s, others = configure("str", {"decay": 8.0}).attach(net_of(), LONG, probe=None)
    assert (theta.weight_decay, s.weight_decay, others.weight_decay) == (None, 0.002, 0.0)
    theta, s, _ = configure("str", {"decay": 0.0, "s0": -10.0}).attach(net_of(), LONG, probe=None)
    assert (theta.weight_decay, s.weight_decay) == (None, None)
    with pytest.raises(SparsebenchError, match="s0 and decay are both 0"):
        configure("str", {"decay": 0.0, "s0": 0.0})


def test_a_range_below_zero_is_searched_by_the_logarithm():
    """Anchors at equal ratios; what is asked comes back as a negative number."""
    search = Search("task/str", {"s0": LOWER}, [4, 16, 64, 256], trials=8, generation=4, seed=0)
    asked = [values["s0"] for values in search.ask().values()]
    ratio = (3200 / 5) ** (1 / 4)
    expected = [
        -5 * ratio ** (i + 0.5) for i in (0, 2, 1, 3)
    ]  # the order of the compressions: 4, 64, 16, 256
    assert asked == [pytest.approx(value, rel=1e-3) for value in expected]
    assert value_of(LOWER, 123.456) == -123.5
    assert set(search.params(0)) == {"minus_s0"}
    for number in range(4):
        search.tell(number, dict.fromkeys((1, 4, 16, 64, 256), 0.5))
    assert all(-3200 <= values["s0"] <= -5 for values in search.ask().values())


def test_a_linear_operating_range_across_zero_is_spread_linearly():
    knob = Knob(-0.1, -0.3, 0.3, operating=True)
    asked = Search("task/cs", {"s0": knob}, [4, 16, 64], trials=6, generation=3, seed=0).ask()
    assert sorted(v["s0"] for v in asked.values()) == [pytest.approx(x) for x in (-0.2, 0.0, 0.2)]


def test_a_range_below_zero_must_end_below_zero():
    assert with_range("s0", LOWER, {"low": -100, "high": -10}).low == -100
    with pytest.raises(SparsebenchError, match="ends below 0"):
        with_range("s0", LOWER, {"low": -100, "high": 0})


@pytest.mark.parametrize("method", ["str", "cs", "l0", "powerprop"])
def test_every_default_lies_in_the_range_that_is_searched(method):
    """An anchor holds the other knobs at their defaults."""
    for name, knob in knobs_of(registry[method]).items():
        if knob.free and knob.low is not None:
            assert knob.low <= knob.default <= knob.high, name
