"""Net: storage, masks, the optimizer's memory, snapshots."""

import pytest
import torch
import torch.nn.functional as F
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.training.optimizers import Optimizers
from sparsebench.errors import SparsebenchError
from sparsebench.methods.net import Net
from torch import nn


def small_conv() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5)
    )


def net_of(model: nn.Module) -> Net:
    return Net(model, ["0.weight", "4.weight"], torch.Generator().manual_seed(0))


def step(net: Net, optimizers: Optimizers, x: torch.Tensor, y: torch.Tensor) -> None:
    for p in [*net.model.parameters(), *net.storage.params()]:
        p.grad = None
    F.cross_entropy(net.model(x), y).backward()
    net.pull()
    optimizers.step(0.1, 0.1)
    net.push()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(16, 2, 8, 8, generator=generator), torch.randint(5, (16,), generator=generator)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_factorized_training_is_training_of_the_product(layout):
    """The flat storage against the same factors as ordinary autograd leaves, in either memory format."""
    x, y = batch()
    model = small_conv().to(memory_format=layout)
    net = net_of(model)
    net.factorize(3, lambda name, w: torch.stack([w, torch.ones_like(w) * 0.9, torch.ones_like(w) * 1.1]))
    optimizers = Optimizers([net.factors(l2=0.02), net.others()], Recipe(), 0.0)

    twin = small_conv()
    factors = {
        name: [
            nn.Parameter(p.detach().clone()),
            nn.Parameter(torch.full_like(p, 0.9)),
            nn.Parameter(torch.full_like(p, 1.1)),
        ]
        for name, p in twin.named_parameters()
        if name in net.names
    }
    others = [p for name, p in twin.named_parameters() if name not in net.names]
    leaves = [p for fs in factors.values() for p in fs]
    sgd = torch.optim.SGD(
        [{"params": leaves, "weight_decay": 0.02}, {"params": others}], lr=0.1, momentum=0.9
    )
    for _ in range(5):
        step(net, optimizers, x, y)
        sgd.zero_grad()
        weights = {name: a * b * c for name, (a, b, c) in factors.items()}
        F.cross_entropy(torch.func.functional_call(twin, weights, (x,)), y).backward()
        sgd.step()
    for name, (a, b, c) in factors.items():
        assert torch.allclose(net.weight(name), (a * b * c).detach(), atol=1e-5)


def test_any_elementwise_map_trains_by_autograd():
    """w = θ|θ|: the gradient of θ is 2|θ|·∂L/∂w."""
    x, y = batch()
    net = net_of(small_conv())
    start = {name: net.weight(name).clone() for name in net.names}
    net.reparametrize(lambda theta: theta * theta.abs(), theta=lambda w: w.sign() * w.abs().sqrt())
    for name in net.names:
        assert torch.allclose(net.weight(name), start[name], atol=1e-6)
    F.cross_entropy(net.model(x), y).backward()
    dense = {name: net.grad(name).clone() for name in net.names}
    net.pull()
    for name, theta in net.parameters("theta").items():
        assert torch.allclose(theta.grad, 2 * theta.detach().abs() * dense[name], atol=1e-6)


@pytest.mark.parametrize("factorized", [False, True])
def test_masked_weights_stay_zero_under_momentum_and_decay(factorized):
    x, y = batch()
    net = net_of(small_conv())
    if factorized:
        net.factorize(2, lambda name, w: torch.stack([w, torch.ones_like(w)]))
        groups = [net.factors(l2=0.01), net.others()]
    else:
        groups = [net.weights(weight_decay=0.01), net.others()]
    optimizers = Optimizers(groups, Recipe(), 0.0)
    net.optimizers = optimizers.all
    for _ in range(3):
        step(net, optimizers, x, y)
    masks = {name: torch.rand(net.weight(name).shape) > 0.7 for name in net.names}
    net.set_masks(masks)
    for _ in range(3):
        step(net, optimizers, x, y)
        for name in net.names:
            assert int(net.weight(name)[~masks[name]].count_nonzero()) == 0
    for name in net.names:
        for param, view in net.storage.slots(name):
            momentum = optimizers.all[0].state[param]["momentum_buffer"]
            if not factorized:  # a masked factor has no gradient but its own decay
                assert int(view(momentum)[~masks[name]].count_nonzero()) == 0


def test_regrown_weights_start_at_zero_without_momentum_and_kept_ones_keep_theirs():
    x, y = batch()
    net = net_of(small_conv())
    optimizers = Optimizers([net.weights(), net.others()], Recipe(), 0.0)
    net.optimizers = optimizers.all
    first = {name: torch.rand(net.weight(name).shape) > 0.5 for name in net.names}
    net.set_masks(first)
    step(net, optimizers, x, y)
    kept = {name: net.weight(name).clone() for name in net.names}
    buffers = {
        name: optimizers.all[0].state[net.weights_by_name[name]]["momentum_buffer"].clone()
        for name in net.names
    }
    second = {name: torch.rand(net.weight(name).shape) > 0.5 for name in net.names}
    net.set_masks(second)
    for name in net.names:
        both, grown = first[name] & second[name], second[name] & ~first[name]
        momentum = optimizers.all[0].state[net.weights_by_name[name]]["momentum_buffer"]
        assert torch.equal(net.weight(name)[both], kept[name][both])
        assert torch.equal(momentum[both], buffers[name][both])
        assert int(net.weight(name)[grown].count_nonzero()) == 0
        assert int(momentum[~both].count_nonzero()) == 0


@pytest.mark.parametrize("factorized", [False, True])
def test_snapshot_and_restore_are_exact_with_batchnorm(factorized):
    x, y = batch()
    net = net_of(small_conv())
    if factorized:
        net.factorize(2, lambda name, w: torch.stack([w, torch.ones_like(w)]))
    groups = [net.factors() if factorized else net.weights(), net.others()]
    optimizers = Optimizers(groups, Recipe(), 0.0)
    before = net.snapshot()
    state = {key: value.clone() for key, value in net.model.state_dict().items()}
    for _ in range(3):
        step(net, optimizers, x, y)
    assert not torch.equal(net.model.state_dict()["1.running_mean"], state["1.running_mean"])
    net.restore(before)
    for key, value in net.model.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_a_collapsed_net_is_plain_again():
    net = net_of(small_conv())
    keys = list(net.model.state_dict())
    net.factorize(3, lambda name, w: torch.stack([w, torch.ones_like(w), torch.ones_like(w)]))
    net.collapse()
    assert list(net.model.state_dict()) == keys
    storages = {p.untyped_storage().data_ptr() for p in net.model.parameters()}
    assert len(storages) == len(list(net.model.parameters()))
    assert all(type(p) is nn.Parameter for p in net.model.parameters())


def test_a_net_without_prunable_weights_is_refused():
    with pytest.raises(SparsebenchError, match="no Linear or Conv"):
        Net(nn.BatchNorm2d(3), [], torch.Generator())


def test_depth_one_is_no_factorization():
    with pytest.raises(SparsebenchError, match="depth 2"):
        net_of(small_conv()).factorize(1, lambda name, w: w[None])
