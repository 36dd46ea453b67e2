"""Deep weight factorization against closed forms: ½(w-z)² + λ|w|^q, q = 2/D, coordinate by coordinate."""

import math

import pytest
import torch
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.training.optimizers import Optimizers
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import configure
from sparsebench.methods.factors import algorithm_d1, layer_sigma, misalignment
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan
from sparsebench.methods.storage import exclusive_products
from torch import Tensor, nn

LAM = 0.3
Z = torch.tensor([-2.0, -0.9, -0.31, -0.2, 0.05, 0.29, 0.5, 1.0, 1.7, 3.0])


def line(z: Tensor) -> Net:
    """A net whose prunable weights are the vector z."""
    model = nn.Linear(len(z), 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(z[None])
    return Net(model, ["weight"], torch.Generator().manual_seed(0))


def balanced(depth: int):
    """Factors of equal magnitude whose product is w."""

    def init(name: str, w: Tensor) -> Tensor:
        root = w.abs().pow(1 / depth)
        return torch.stack([root * w.sign(), *[root] * (depth - 1)])

    return init


def descend(
    net: Net, z: Tensor, groups, *, optimizer: str, lr: float, steps: int, momentum: float = 0.0
) -> Tensor:
    """Minimise ½‖w-z‖² plus what the groups penalise, through the harness's own optimizers."""
    optimizers = Optimizers(groups, Recipe(optimizer=optimizer, momentum=momentum), weight_decay=0.0)
    for step in range(steps):
        net.grad("weight").copy_(net.weight("weight") - z[None])
        net.pull()
        rate = lr * (1 - step / steps) if optimizer != "sgd" else lr
        optimizers.step(rate, lr)
        net.push()
        net.weights_by_name["weight"].grad = None
        for group in groups:
            for p in group.params:
                p.grad = None
    return net.weight("weight")[0].clone()


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("optimizer", "lr", "steps", "momentum"),
    [
        ("sgd", 0.05, 3000, 0.0),
        ("sgd", 0.02, 3000, 0.9),
        ("adam", 0.02, 6000, 0.0),
        ("adamw", 0.02, 6000, 0.0),
    ],
)
def test_depth_two_is_the_soft_threshold_under_every_optimizer(optimizer, lr, steps, momentum):
    """sign(z)·max(|z|-λ, 0): AdamW's decoupled decay alone would ignore λ."""
    method = configure("dwf", {"lam": LAM, "depth": 2})
    net = line(Z)
    groups = method.attach(net, Plan(steps, optimizer, lr, momentum, 1e6), probe=None)
    w = descend(net, Z, groups, optimizer=optimizer, lr=lr, steps=steps, momentum=momentum)
    expected = Z.sign() * (Z.abs() - LAM).clamp_min(0)
    assert torch.allclose(w, expected, atol=2e-3), (w, expected)


def minimiser(z: float, q: float, lam: float) -> float:
    """The root of w + λq·w^(q-1) = |z| on [w_l, |z|] by bisection, 0 below the local threshold τ_l."""
    w_l = (lam * q * (1 - q)) ** (1 / (2 - q))
    if abs(z) <= w_l * (2 - q) / (1 - q):
        return 0.0
    low, high = w_l, abs(z)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle + lam * q * middle ** (q - 1) < abs(z) else (low, middle)
    return math.copysign(low, z)


@pytest.mark.parametrize("depth", [3, 4])
def test_deeper_factors_end_at_the_root_or_at_zero(depth):
    """Small-step descent from balanced factors with w₀ = z follows the local threshold τ_l, not τ_g."""
    net = line(Z)
    net.factorize(depth, balanced(depth))
    groups = [net.factors(l2=2 * LAM / depth)]
    w = descend(net, Z, groups, optimizer="sgd", lr=0.04, steps=5000)
    expected = torch.tensor([minimiser(float(z), 2 / depth, LAM) for z in Z])
    assert torch.allclose(w, expected, atol=2e-4), (w, expected)


@pytest.mark.parametrize("depth", [3, 4])
def test_the_local_threshold_separates_zero_from_nonzero(depth):
    q = 2 / depth
    tau = (LAM * q * (1 - q)) ** (1 / (2 - q)) * (2 - q) / (1 - q)
    z = torch.tensor([0.98 * tau, 1.02 * tau])
    net = line(z)
    net.factorize(depth, balanced(depth))
    w = descend(net, z, [net.factors(l2=2 * LAM / depth)], optimizer="sgd", lr=0.1, steps=6000)
    assert abs(float(w[0])) < 1e-6 < 0.1 < float(w[1])


def test_the_penalty_equals_its_quasi_norm_at_the_minimum():
    """(λ/D)·Σ‖ω_d‖² = λ·Σ|w|^(2/D) once the factors are balanced."""
    net = line(Z)
    net.factorize(3, balanced(3))
    omega = net.factorized.omega.detach()
    assert misalignment(omega) == pytest.approx(0, abs=1e-5)
    assert float(omega.square().sum() / 3) == pytest.approx(float(Z.abs().pow(2 / 3).sum()), rel=1e-5)
    skewed = omega * torch.tensor([2.0, 0.5, 1.0])[:, None]
    assert misalignment(skewed) > 0.1


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_one_sgd_step_follows_the_law_of_the_imbalance(depth):
    """I = ω_a²-ω_b² becomes I·[(1-2ηλ/D)² - η²g²(Π_{k≠a,b}ω_k)²]."""
    lr, z = 0.07, Z.double()
    net = line(Z)
    generator = torch.Generator().manual_seed(3)
    net.factorize(depth, lambda name, w: torch.randn(depth, *w.shape, generator=generator))
    before = net.factorized.omega.detach().double().clone()
    g = before.prod(dim=0) - z
    descend(net, Z, [net.factors(l2=2 * LAM / depth)], optimizer="sgd", lr=lr, steps=1)
    after = net.factorized.omega.detach().double()
    for a in range(depth):
        for b in range(a):
            rest = torch.stack(
                [before[k] for k in range(depth) if k not in (a, b)] or [torch.ones_like(z)]
            ).prod(dim=0)
            law = (1 - 2 * lr * LAM / depth) ** 2 - lr**2 * g**2 * rest**2
            found = after[a] ** 2 - after[b] ** 2
            assert torch.allclose(found, (before[a] ** 2 - before[b] ** 2) * law, atol=1e-5)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_factor_gradients_are_those_of_autograd(depth):
    omega = torch.randn(depth, 17, dtype=torch.float64, requires_grad=True)
    g = torch.randn(17, dtype=torch.float64)
    omega.prod(dim=0).backward(g)
    found = torch.empty_like(omega)
    exclusive_products(omega.detach(), g, found)
    assert torch.allclose(found, omega.grad)


@pytest.mark.parametrize(("depth", "ratio", "kurtosis"), [(2, 0.71, 2.3), (3, 0.61, 2.1), (4, 0.56, 1.9)])
def test_moments_of_the_initialisation(depth, ratio, kurtosis):
    """std(w)/σ_w and kurtosis of the product, as METHODS states them for eps/σ_w = 0.1."""
    w = torch.randn(400_000, 1) * 0.02
    sigma = layer_sigma(w)
    product = algorithm_d1(w, depth, 0.1, torch.Generator().manual_seed(1)).double().prod(dim=0)
    centred = product - product.mean()
    found = float(centred.pow(4).mean() / centred.pow(2).mean() ** 2)
    assert float(product.std()) / sigma == pytest.approx(ratio, abs=0.01)
    assert found == pytest.approx(kurtosis, abs=0.06)
    assert float(product.abs().min()) > 0.1 * sigma * 0.999
    assert float(product.abs().max()) < 2 * sigma * 1.001
    assert float((product > 0).double().mean()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_factors_stay_below_one_where_the_layer_is_wide(depth):
    """2σ_w > 1: the upper bound of a factor is 1."""
    factors = algorithm_d1(torch.randn(5000, 1) * 3, depth, 0.01, torch.Generator().manual_seed(1))
    assert float(factors.abs().max()) <= 1.0


def test_an_impossible_eps_is_an_error_not_a_loop():
    with pytest.raises(SparsebenchError, match="is not less than"):
        algorithm_d1(torch.randn(100, 1), 3, 2.0, torch.Generator())


def test_a_layer_that_starts_at_zero_gets_kaiming_sigma():
    assert layer_sigma(torch.zeros(10, 50)) == pytest.approx(math.sqrt(2 / 50))


def test_spred_from_the_dense_weights_keeps_the_function():
    net = line(Z)
    configure("spred", {"init": "dense"}).attach(net, Plan(1, "sgd", 0.1, 0.9, 1e6), probe=None)
    assert torch.equal(net.weight("weight")[0], Z)


def test_spred_meets_the_lasso_conditions():
    """|∂L/∂w_i| ≤ λ at zeros, = λ elsewhere."""
    net = line(Z)
    groups = configure("spred", {"lam": LAM}).attach(net, Plan(3000, "sgd", 0.05, 0.0, 1e6), probe=None)
    w = descend(net, Z, groups, optimizer="sgd", lr=0.1, steps=8000)
    gradient = (w - Z).abs()
    zero = w.abs() < 1e-4
    assert bool((gradient[zero] <= LAM + 1e-3).all())
    assert torch.allclose(gradient[~zero], torch.full_like(gradient[~zero], LAM), atol=1e-3)


def test_the_decay_budget_is_told_before_training():
    """B = 2λ·Ση/(1-μ); a warning says what zeros at float32 eps would need."""
    method = configure("dwf", {"lam": 1e-3, "depth": 3})
    with pytest.warns(UserWarning, match=r"decay budget B = 2\.0 "):
        method.attach(line(Z), Plan(100, "sgd", 0.5, 0.9, 1000.0), probe=None)
    assert method.facts()["decay_budget"] == pytest.approx(2.0)
    method = configure("dwf", {"lam": 1e-3, "depth": 3})
    method.attach(line(Z), Plan(100, "sgd", 0.5, 0.9, 20_000.0), probe=None)  # warnings are errors here


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_an_idle_weight_decays_as_its_budget_says(depth):
    """|w| ∝ e^(-B) with B = 2λ·Σ_t η_t/(1-μ), whatever the depth."""
    lam, lr, momentum, steps = 0.01, 0.01, 0.9, 3000
    net = line(Z)
    net.factorize(depth, balanced(depth))
    group = net.factors(l2=2 * lam / depth)
    optimizers = Optimizers([group], Recipe(momentum=momentum), weight_decay=0.0)
    for _ in range(steps):
        net.pull()  # no gradient of a loss at all
        optimizers.step(lr, lr)
        net.push()
        group.params[0].grad = None
    budget = 2 * lam * steps * lr / (1 - momentum)
    shrunk = torch.log(net.weight("weight")[0] / Z)
    assert torch.allclose(shrunk, torch.full_like(Z, -budget), rtol=0.02)
