"""p-norm weight decay against the minimisers of ½(w-z)² + λ|w|^p."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.training.clock import TrainingClock
from sparsebench.bench.training.optimizers import Optimizers
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import configure
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan
from sparsebench.methods.pwd import PNormWeightDecay
from torch import Tensor, nn

LAM = 0.3
Z = torch.tensor([-2.0, -0.9, -0.31, 0.05, 0.2, 1.0, 1.7, 3.0])


def line(values: Tensor) -> Net:
    model = nn.Linear(len(values), 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(values[None])
    return Net(model, ["weight"], torch.Generator().manual_seed(0))


def descend(
    method, net: Net, z: Tensor, *, lr: float, steps: int, optimizer: str = "sgd", momentum: float = 0.0
) -> Tensor:
    """Minimise ½‖w-z‖² with the method's hooks around the harness's optimizer."""
    groups = [net.weights(weight_decay=0.0)]
    optimizers = Optimizers(groups, Recipe(optimizer=optimizer, momentum=momentum), weight_decay=0.0)
    clock = TrainingClock(steps, momentum)
    for step in range(steps):
        clock.lr = lr if optimizer == "sgd" else lr * (1 - step / steps)
        net.grad("weight").copy_(net.weight("weight") - z[None])
        method.before_step(net, clock)
        optimizers.step(clock.lr, lr)
        method.after_step(net, clock)
    return net.weight("weight")[0].clone()


def root(z: float, p: float, lam: float) -> float:
    """The root of w + λp·w^(p-1) = |z| above the fold, by bisection; 0 where there is none (p < 1)."""
    if p == 1:
        return math.copysign(max(abs(z) - lam, 0.0), z)
    fold = (lam * p * (1 - p)) ** (1 / (2 - p))
    if abs(z) <= fold * (2 - p) / (1 - p):
        return 0.0
    low, high = fold, abs(z)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle + lam * p * middle ** (p - 1) < abs(z) else (low, middle)
    return math.copysign(low, z)


@pytest.mark.parametrize("p", [0.5, 2 / 3, 0.8, 1.0])
@pytest.mark.parametrize(
    ("lr", "steps", "momentum"), [(0.05, 2500, 0.0), (0.2, 1500, 0.0), (0.01, 2500, 0.9)]
)
def test_the_fixed_point_of_a_quadratic_whatever_the_rate(p, lr, steps, momentum):
    """The local minimiser of ½(w-z)² + λ|w|^p that descent from z meets: deep factors' own at p = 2/D."""
    net = line(Z)
    found = descend(PNormWeightDecay(lam=LAM, p=p), net, Z, lr=lr, steps=steps, momentum=momentum)
    expected = torch.tensor([root(float(z), p, LAM) for z in Z])
    # A step ends behind its decay, so it sees the point from ηλ off; at p = 1 the way to 0 is ∝ 1/t.
    assert torch.allclose(found, expected, atol=0.03), (found, expected)


def test_a_fixed_point_is_exact_whatever_the_rate():
    """At w + λp·w^(p-1) = z the gradient step and the decay cancel up to second order in η."""
    p, z = 0.8, 2.0
    w = root(z, p, LAM)
    for lr in (1e-2, 1e-3):
        net = line(torch.tensor([w]))
        after = descend(PNormWeightDecay(lam=LAM, p=p), net, torch.tensor([z]), lr=lr, steps=1)
        assert abs(float(after) - w) < 3 * lr**2


def test_one_step_by_hand():
    """w_old = 4, p = 1, η = ½, λ = ¼ with a gradient of 2: (4-1)·4/(4+⅛)."""
    net = line(torch.tensor([4.0]))
    found = descend(PNormWeightDecay(lam=0.25, p=1.0), net, torch.tensor([2.0]), lr=0.5, steps=1)
    assert float(found) == pytest.approx(3 * 4 / 4.125)


@given(st.floats(1e-3, 10), st.floats(0, 1), st.floats(1e-4, 1))
def test_p_two_is_decoupled_weight_decay(w, lam, lr):
    net = line(torch.tensor([w, 0.0]))
    found = descend(PNormWeightDecay(lam=lam, p=2.0), net, torch.tensor([w, 0.0]), lr=lr, steps=1)
    assert float(found[0]) == pytest.approx(w / (1 + 2 * lr * lam), rel=1e-5)


@pytest.mark.parametrize("p", [0.5, 0.8, 1.0])
def test_an_exact_zero_absorbs(p):
    net = line(torch.tensor([0.0, 1.0]))
    found = descend(PNormWeightDecay(lam=1e-6, p=p), net, torch.tensor([5.0, 5.0]), lr=0.1, steps=50)
    assert float(found[0]) == 0.0 and float(found[1]) > 4


def test_no_strength_is_no_decay():
    net = line(torch.tensor([0.0, 1.0]))
    found = descend(PNormWeightDecay(lam=0.0, p=0.5), net, torch.tensor([1.0, 1.0]), lr=0.5, steps=1)
    assert found.tolist() == [0.5, 1.0]


def test_momentum_does_not_change_what_is_solved():
    """η/(1-μ) is the effective step of SGD; η alone would solve for λ(1-μ)."""
    net = line(Z)
    found = descend(PNormWeightDecay(lam=LAM, p=1.0), net, Z, lr=0.002, steps=6000, momentum=0.9)
    expected = Z.sign() * (Z.abs() - LAM).clamp_min(0)
    assert torch.allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("p", [0.5, 2 / 3, 0.8])
def test_what_starts_within_reach_of_the_decay_gets_to_zero(p):
    """(p(2-p)λΣη)^(1/(2-p)) bounds what reaches 0 without a loss: a tenth below ends at 0, above does not."""
    method, lr, steps = PNormWeightDecay(lam=LAM, p=p), 1e-3, 1000
    with pytest.warns(UserWarning, match="expect few zeros"):
        method.attach(line(torch.randn(100) * 10), Plan(steps, "sgd", lr, 0.0, lr * steps), probe=None)
    reach = method.facts()["decay_reach"]
    start = torch.tensor([0.95 * reach, 1.1 * reach])
    net, clock = line(start), TrainingClock(steps, 0.0, lr=lr)
    for _ in range(steps):
        method.before_step(net, clock)
        method.after_step(net, clock)
    w = net.weight("weight")[0]
    assert abs(float(w[0])) < 1e-6 and float(w[1]) > 0.1 * reach


def test_nothing_is_left_over_between_steps():
    """A checkpoint holds no copy of the weights."""
    method = PNormWeightDecay()
    descend(method, line(Z), Z, lr=0.1, steps=2)
    assert method.state == {}


def test_p_is_one_of_the_papers_however_it_is_written():
    assert configure("pwd", {"p": "0.667"}).p == 2 / 3
    assert configure("pwd", {"p": 1}).p == 1.0
    with pytest.raises(SparsebenchError) as caught:
        configure("pwd", {"p": 0.7})
    assert str(caught.value) == "pwd: p = 0.7 is not one of 0.5, 0.666667, 0.8, 1"
