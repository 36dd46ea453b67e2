"""N:M sparsity: the pattern, the order of a convolution's groups, SR-STE's gradient, what stays dense."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sparsebench import train
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import Diverged, configure
from sparsebench.methods.net import Net
from sparsebench.methods.nm import nm_mask, sparse_refined
from sparsebench.methods.plan import Plan
from torch import nn

PLAN = Plan(100, "sgd", 0.1, 0.9, 100.0)


def net_of(*layers: nn.Module) -> Net:
    names = [f"{i}.weight" for i, layer in enumerate(layers) if hasattr(layer, "weight")]
    return Net(nn.Sequential(*layers), names, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (4, 8), (3, 5)])
@pytest.mark.parametrize("shape", [(6, 40), (3, 40, 3, 2)])
def test_the_largest_of_each_group_stay(n, m, shape):
    """Against a loop over (out, height, width) and groups of the inputs, with ties."""
    w = torch.randint(-4, 5, shape, generator=torch.Generator().manual_seed(1)).float()
    rows = w.reshape(shape[0], shape[1], -1).permute(0, 2, 1).reshape(-1, m)
    kept = torch.zeros_like(rows, dtype=torch.bool)
    for row, mask in zip(rows, kept, strict=True):
        for i in sorted(range(m), key=lambda i: (-abs(float(row[i])), i))[:n]:
            mask[i] = True
    expected = kept.reshape(shape[0], -1, shape[1]).permute(0, 2, 1).reshape(shape)
    assert torch.equal(nm_mask(w, n, m), expected)
    if len(shape) == 4:
        assert torch.equal(nm_mask(w.to(memory_format=torch.channels_last), n, m), expected)


def test_weights_that_are_no_numbers_are_a_divergence():
    with pytest.raises(Diverged, match="not numbers"):
        nm_mask(torch.tensor([[1.0, float("nan")]]), 1, 2)


def test_the_gradient_of_sr_ste():
    """∂θ = ∂w + λ(1-mask)⊙θ, to the last digit; a layer that M does not divide has its own."""
    torch.manual_seed(0)
    theta, g = torch.randn(5, 8, requires_grad=True), torch.randn(5, 8)
    sparse = sparse_refined(theta, 2, 4, lam=0.3)
    sparse.backward(g)
    mask = nm_mask(theta, 2, 4)
    assert torch.equal(sparse, theta.detach() * mask)
    assert torch.equal(theta.grad, g + 0.3 * (theta.detach() * ~mask))
    other = torch.randn(5, 6, requires_grad=True)
    sparse_refined(other, 2, 4, lam=0.3).backward(g[:, :6])
    assert torch.equal(other.grad, g[:, :6])


def test_a_masked_weight_that_the_loss_pulls_up_comes_back():
    """In the group (1, 0.9) a gradient of -1 raises the masked one above the other, less its decay."""
    net = net_of(nn.Linear(2, 1, bias=False))
    net.weight("0.weight").copy_(torch.tensor([[1.0, 0.9]]))
    configure("sr_ste", {"n": 1, "m": 2, "lam": 0.1}).attach(net, PLAN, probe=None)
    theta = net.parameters("dense")["0.weight"]
    net.grad("0.weight").copy_(torch.tensor([[0.0, -1.0]]))
    net.pull()
    with torch.no_grad():
        theta -= 0.2 * theta.grad
    net.push()
    assert net.weight("0.weight").tolist() == [[0.0, pytest.approx(0.9 + 0.2 * (1 - 0.1 * 0.9))]]


@pytest.mark.parametrize("method", ["nm_magnitude", "sr_ste"])
def test_layers_that_m_does_not_divide_stay_dense_and_are_told(method):
    net = net_of(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3), nn.Conv2d(4, 6, 1, groups=2))
    made = configure(method, {"n": 2, "m": 4})
    with pytest.warns(UserWarning, match=r"2 of 3 layers stay dense.*0\.weight, 2\.weight"):
        made.attach(net, PLAN, probe=None)
    made.finalize(net)
    assert [float((net.weight(name) != 0).float().mean()) for name in net.names] == [1.0, 0.5, 1.0]
    sizes = [8 * 3 * 9, 4 * 8 * 9, 6 * 2]
    assert made.facts()["nm_share"] == pytest.approx(sizes[1] / sum(sizes))


def test_patterns_that_prune_nothing_are_refused():
    net = net_of(nn.Linear(6, 2))
    with pytest.raises(SparsebenchError, match="leaves all"):
        configure("sr_ste", {"n": 4, "m": 4}).attach(net, PLAN, probe=None)
    with pytest.raises(SparsebenchError, match="divides the inputs of no layer"):
        configure("nm_magnitude", {"n": 2, "m": 4}).attach(net, PLAN, probe=None)


@pytest.mark.parametrize("method", ["nm_magnitude", "sr_ste"])
def test_a_saved_model_has_the_pattern(method, tmp_path: Path):
    """At most 2 nonzeros in every 4, counted in the file, and the accuracy of something that was trained."""
    file = tmp_path / "model.safetensors"
    settings = {"n": 2, "m": 4, "epochs": 2, "lr": 0.1}
    record = train("digits", "lenet_300_100", method, settings=settings, compressions=[2, 4], save=file)
    weights = [w for name, w in load_file(file).items() if name.endswith("weight")]
    assert len(weights) == 3
    for w in weights:
        assert (w.reshape(-1, 4) != 0).sum(1).max() == 2
    whole, two, four = record.at_compressions
    assert (record.compression, whole.cut, two.cut, four.cut) == (2.0, False, False, True)
    assert record.test_accuracy > 0.7
