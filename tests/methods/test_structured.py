"""Structured methods: oracles of D-Gating and of group lasso, and channels that are removed whole."""

import pytest
import torch
from sparsebench.bench.compaction.compact import compact
from sparsebench.bench.conformance_nets import CPU, build, data, training
from sparsebench.bench.measurement.graph.find_channels import find_channels
from sparsebench.bench.training.clock import TrainingClock
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import configure
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan
from torch import Tensor, nn

RANKED = ("filter_l1", "filter_random", "slimming")


def one_layer(inputs: int, outputs: int) -> Net:
    """A first layer whose rows are the groups, before one that reads them."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(inputs, outputs, bias=False), nn.ReLU(), nn.Linear(outputs, 2, bias=False)
    )
    names = ["0.weight", "2.weight"]
    return Net(model, names, torch.Generator().manual_seed(0), lambda: find_channels(model, names, (inputs,)))


def descend(method: str, knobs: dict[str, float], z: Tensor, steps: int, lr: float) -> tuple[Net, object]:
    """Gradient descent on ½‖W-z‖² of the first layer with a method's penalty."""
    net = one_layer(z.shape[1], z.shape[0])
    net.weight("0.weight").copy_(z)
    made = configure(method, knobs)
    plan = Plan(steps, "sgd", lr, 0.0, steps * lr)
    groups = made.attach(net, plan, probe=None)
    optimizer = torch.optim.SGD(
        [{"params": list(g.params), "weight_decay": g.l2} for g in groups if g.params], lr=lr
    )
    clock = TrainingClock(steps=steps, momentum=0.0, lr=lr)
    for _ in range(steps):
        net.grad("0.weight").copy_(net.weight("0.weight") - z)
        net.grad("2.weight").zero_()
        net.pull()
        optimizer.step()
        net.push()
        made.after_step(net, clock)
    return net, made


def larger_root(z: float, lam: float, q: float) -> float:
    """The larger root of w + λq·w^(q-1) = z by bisection, or 0 where there is none."""
    if q == 1:
        return max(z - lam, 0.0)
    low = (lam * q * (1 - q)) ** (1 / (2 - q))
    if z <= low * (2 - q) / (1 - q):
        return 0.0
    high = z
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle + lam * q * middle ** (q - 1) < z else (low, middle)
    return low


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_d_gating_shrinks_the_norm_and_keeps_the_direction(depth):
    """From w₀ = z: the direction of z, and the magnitude of the scalar penalty |w|^(2/D) at |z| = ‖z‖₂."""
    generator, lam = torch.Generator().manual_seed(1), 0.3
    z = torch.randn(6, 5, generator=generator)
    z *= torch.tensor([0.2, 0.5, 1.0, 1.5, 2.0, 3.0])[:, None] / z.norm(dim=1, keepdim=True)
    # balanced factors with w₀ = z, as the oracle starts: ‖ω‖ = γ = ‖z‖^(1/D)
    net = one_layer(5, 6)
    made = configure("dgating", {"depth": depth, "lam": lam})
    groups = made.attach(net, Plan(1, "sgd", 0.02, 0.0, 1.0), probe=None)
    omega, gamma = net.parameters("omega")["0.weight"], net.parameters("gamma")["0.weight"]
    norms = z.norm(dim=1)
    with torch.no_grad():
        omega.copy_(z / norms[:, None] ** (1 - 1 / depth))
        gamma.copy_((norms ** (1 / depth)).expand_as(gamma))
    net.push()
    assert torch.allclose(net.weight("0.weight"), z, atol=1e-6)
    optimizer = torch.optim.SGD(
        [{"params": list(g.params), "weight_decay": g.l2} for g in groups[:2]], lr=0.02
    )
    for _ in range(20_000):
        net.grad("0.weight").copy_(net.weight("0.weight") - z)
        net.pull()
        optimizer.step()
        optimizer.zero_grad()
        net.push()
    found = net.weight("0.weight")
    expected = torch.tensor([larger_root(float(n), lam, 2 / depth) for n in norms])
    assert 0 < int((expected == 0).sum()) < 6
    assert torch.allclose(found.norm(dim=1), expected, atol=1e-4)
    live = expected > 0
    assert torch.allclose(
        found[live] / found[live].norm(dim=1, keepdim=True), (z / norms[:, None])[live], atol=1e-4
    )
    # at stationarity all factors of a group have one norm
    assert torch.allclose(omega[live].square().sum(1), gamma[0, live].square(), atol=1e-4)


def test_d_gating_without_a_penalty_is_dense():
    net, made = descend("dgating", {"depth": 3, "lam": 0.0}, torch.randn(4, 3), steps=300, lr=0.1)
    made.finalize(net)
    assert bool(net.weight("0.weight").all())


def test_group_lasso_ends_at_its_optimality_conditions():
    """At a zero group ‖∂L/∂w_g‖ ≤ λ; elsewhere ∂L/∂w_g = -λ·w_g/‖w_g‖: here the group soft threshold."""
    generator, lam = torch.Generator().manual_seed(2), 0.8
    z = torch.randn(8, 4, generator=generator) * torch.linspace(0.1, 1, 8)[:, None]
    net, made = descend("group_lasso", {"lam": lam}, z, steps=400, lr=0.2)
    w, gradient = net.weight("0.weight"), net.weight("0.weight") - z
    zero = w.norm(dim=1) == 0
    assert 0 < int(zero.sum()) < 8
    assert bool((gradient[zero].norm(dim=1) <= lam + 1e-5).all())
    assert torch.allclose(gradient[~zero], -lam * w[~zero] / w[~zero].norm(dim=1, keepdim=True), atol=1e-5)
    made.finalize(net)
    assert not bool(net.weight("2.weight")[:, zero].any())  # the other side of removed channels


@pytest.mark.parametrize("groups", ["rows", "columns"])
def test_momentum_does_not_change_what_group_lasso_solves(groups):
    """τ = ηλ/(1-μ): one proximal step."""
    net = one_layer(3, 4)
    name = "0.weight" if groups == "rows" else "2.weight"
    before = net.weight(name).clone()
    clock = TrainingClock(steps=1, momentum=0.9, lr=0.01)
    configure("group_lasso", {"lam": 0.5, "groups": groups}).after_step(net, clock)
    norms = before.norm(dim=1 if groups == "rows" else 0, keepdim=True)
    expected = before * (1 - 0.05 / norms).clamp_min(0)
    assert torch.allclose(net.weight(name), expected, atol=1e-7)


@pytest.mark.parametrize("method", RANKED)
def test_a_target_is_met_after_compaction(method):
    """The channels that are left cost at most dense/r, no other fits; compaction removes the rest."""
    made, _ = training(method, {"speedup": 3.0, "finetune": 0.5}, "deep")
    result = made.run()
    assert result.status == "ok", result.reason
    images, _ = next(iter(data().valid.batches(64, CPU)))
    counts = compact(made.model.eval(), images).counts
    channels = made.net.channels
    assert counts.macs_after <= counts.macs / 3
    assert counts.macs_after == channels.macs(made.method.state["alive"])
    alive = made.method.state["alive"]
    assert all(
        channels.macs(alive | (torch.arange(alive.numel()) == i)) > counts.macs / 3
        for i in range(alive.numel())
        if not alive[i]
    )


def test_the_best_channel_of_each_layer_stays():
    model = build("deep")
    names = [name for name, p in model.named_parameters() if p.dim() > 1]
    channels = find_channels(model, names, data().shape)
    alive = channels.most(torch.arange(channels.count).double(), 1000.0)
    for each in channels.sets.unique():
        own = channels.sets == each
        assert alive[own].sum() == 1
        assert alive[own][-1]


@pytest.mark.parametrize("method", ["group_lasso", "dgating"])
def test_the_columns_of_a_layer_that_is_kept_dense_are_no_group(method):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    names = ["0.weight", "2.weight"]
    net = Net(model, names, torch.Generator().manual_seed(0), lambda: find_channels(model, names, (4,)))
    net.weight("2.weight")[:, 1] = 0
    made = configure(method, {"groups": "columns"})
    made.attach(net, Plan(1, "sgd", 0.02, 0.0, 1.0), probe=None)
    made.finalize(net)
    assert model[0].weight.any(1).tolist() == [True, False, True, True, True]
    assert bool(model[2].weight.any(1).all())
    assert bool(model[2].bias.all())
    assert bool(model[4].weight.all())


def test_slimming_needs_norms():
    made = configure("slimming", {})
    with pytest.raises(SparsebenchError, match="scales of BatchNorm"):
        made.attach(one_layer(3, 4), Plan(10, "sgd", 0.1, 0.9, 1.0), probe=None)


def test_slimming_penalizes_the_scales():
    """γ starts at ½; its gradient gains s·sign(γ)."""
    made, _ = training("slimming", {"lam": 0.25}, "conv")
    [name] = made.net.channels.scales
    scale = dict(made.model.named_parameters())[name]
    assert bool((scale == 0.5).all())
    scale.grad = torch.zeros_like(scale)
    made.method.before_step(made.net, made.clock)
    assert bool((scale.grad == 0.25).all())


def test_a_residual_sum_is_removed_together():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            return self.head((x + self.second(x).relu()).mean((2, 3)))

    names = ["first.weight", "second.weight", "head.weight"]
    found = find_channels(Block(), names, (1, 6, 6))
    assert found.count == 4
    assert found.rows["first.weight"].tolist() == found.rows["second.weight"].tolist() == [0, 1, 2, 3]
    assert "head.weight" not in found.rows
    dense = found.macs(torch.ones(4) > 0)
    half = found.macs(torch.tensor([1, 1, 0, 0]) > 0)
    assert (dense, half) == (36 * 9 * 4 + 36 * 9 * 16 + 8, 36 * 9 * 2 + 36 * 9 * 4 + 4)
