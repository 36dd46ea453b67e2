"""SNIP and GraSP against scores worked by hand and finite differences; SynFlow's conservation law."""

import pytest
import torch
import torch.nn.functional as F
from sparsebench.bench.training.probe import TrainingProbe
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import configure
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan
from sparsebench.methods.saliency import hessian_gradient
from sparsebench.methods.synflow import flow, linearised, synflow_masks
from torch import Tensor, nn

PLAN = Plan(1000, "sgd", 0.1, 0.9, 1e9)
SHAPE = (1, 4, 4)


def names_of(model: nn.Module) -> list[str]:
    return [name for name, p in model.named_parameters() if p.ndim > 1]


def net_of(model: nn.Module) -> Net:
    return Net(model, names_of(model), torch.Generator().manual_seed(0))


def batches(count: int, size: int = 8, shape: tuple[int, ...] = SHAPE, classes: int = 3):
    generator = torch.Generator().manual_seed(5)
    return [
        (
            torch.randn(size, *shape, generator=generator),
            torch.randint(classes, (size,), generator=generator),
        )
        for _ in range(count)
    ]


def probe_of(model: nn.Module, data: list[tuple[Tensor, Tensor]], shape: tuple[int, int, int] = SHAPE):
    return TrainingProbe(model, shape, iter(data), len(data[0][0]), 1000)


def mlp(bias: bool = True) -> nn.Sequential:
    torch.manual_seed(1)
    layers = [nn.Linear(16, 12, bias=bias), nn.ReLU(), nn.Linear(12, 9, bias=bias), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(9, 3, bias=bias))


def conv() -> nn.Sequential:
    torch.manual_seed(1)
    head = [nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 3)]
    return nn.Sequential(nn.Conv2d(1, 5, 3, padding=1), *head)


def test_snip_keeps_the_mask_worked_by_hand():
    """Two logits, one image x = (1, 2, 0), class 0: p = ½ each at equal logits, g = (p - y)·x."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[3.0, -1.0, 9.0], [-1.0, 1.0, 9.0]]))  # logits 1 and 1
    data = [(torch.tensor([[[[1.0, 2.0, 0.0]]]]), torch.tensor([0]))]
    net = net_of(model)
    # |g⊙w| = ½·[[3, 2, 0], [1, 2, 0]]: of the tie the lower index goes first
    configure("snip", {"sparsity": 0.5}).attach(net, PLAN, probe_of(model, data, (1, 1, 3)))
    assert net.weight("1.weight").tolist() == [[3, -1, 0], [0, 1, 0]]


def test_snip_scores_the_mean_gradient_of_its_batches_and_pays_for_each():
    data = batches(3)
    net = net_of(mlp())
    x, y = torch.cat([x for x, _ in data]), torch.cat([y for _, y in data])
    probe = probe_of(net.model, data)
    grads = torch.autograd.grad(F.cross_entropy(net.model(x), y), list(net.weights_by_name.values()))
    scores = torch.cat([(g * net.weight(n)).abs().flatten() for n, g in zip(net.names, grads, strict=True)])
    configure("snip", {"sparsity": 0.75, "batches": 3}).attach(net, PLAN, probe)
    kept = torch.cat([net.masks[name].flatten() for name in net.names])
    assert probe.spent == 3
    assert kept.tolist() == (scores >= scores.sort().values[-int(kept.sum())]).tolist()
    assert int(kept.sum()) == round(0.25 * net.size)


@pytest.mark.parametrize("count", [1, 3])
def test_the_hessian_times_the_gradient_is_a_finite_difference_of_the_gradient(count):
    """Hg = (∇L(w + εg) - ∇L(w - εg))/2ε, with logits/200; in float64, on a net without kinks."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 3)).double()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3)
    net = net_of(model)
    data = [(x.double(), y) for x, y in batches(count)]

    def gradient() -> list[Tensor]:
        losses = [F.cross_entropy(model(x) / 200, y) for x, y in data]
        return list(torch.autograd.grad(torch.stack(losses).mean(), list(net.weights_by_name.values())))

    def at(offset: float, along: list[Tensor]) -> list[Tensor]:
        weights = list(net.weights_by_name.values())
        with torch.no_grad():
            for w, d in zip(weights, along, strict=True):
                w.add_(d, alpha=offset)
            with torch.enable_grad():
                found = gradient()
            for w, d in zip(weights, along, strict=True):
                w.sub_(d, alpha=offset)
        return found

    g = gradient()
    eps = 0.1 / max(float(one.abs().max()) for one in g) * 1e-2
    ahead, behind = at(eps, g), at(-eps, g)
    for hg, a, b in zip(hessian_gradient(net, data), ahead, behind, strict=True):
        expected = (a - b) / (2 * eps)
        assert torch.allclose(hg, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()))


def test_grasp_removes_the_largest_signed_score_and_pays_three_steps_a_batch():
    net, data = net_of(mlp()), batches(2)
    product = hessian_gradient(net, data)
    scores = torch.cat([-(net.weight(n) * h).flatten() for n, h in zip(net.names, product, strict=True)])
    probe = probe_of(net.model, data)
    configure("grasp", {"sparsity": 0.8, "batches": 2}).attach(net, PLAN, probe)
    kept = torch.cat([net.masks[name].flatten() for name in net.names])
    assert probe.spent == 6
    assert int(kept.sum()) == round(0.2 * net.size)
    assert float(scores[kept].max()) < float(scores[~kept].min())
    assert float(scores[~kept].max()) > 0 > float(scores[kept].min())  # signed, not by absolute value


def residual_sum(net: Net, scores: dict[str, Tensor]) -> list[float]:
    return [float(scores[name].sum()) for name in net.names]


def test_every_layer_conserves_the_flow():
    """On a bias-free homogeneous net each layer's scores sum to R."""
    net = net_of(mlp(bias=False))
    total, scores = flow(linearised(net.model), net.names, SHAPE)
    assert residual_sum(net, scores) == [pytest.approx(float(total), rel=1e-12)] * 3


def test_at_each_neuron_what_flows_in_flows_out():
    net = net_of(mlp(bias=False))
    _, scores = flow(linearised(net.model), net.names, SHAPE)
    for before, after in zip(net.names[:-1], net.names[1:], strict=True):
        assert torch.allclose(scores[before].sum(dim=1), scores[after].sum(dim=0), rtol=1e-12)


def test_flow_is_conserved_in_every_iteration_under_masks():
    model, seen = mlp(bias=False), []
    synflow_masks(
        model, names_of(model), SHAPE, 0.9, lambda s: seen.append([float(x.sum()) for x in s.values()])
    )
    assert len(seen) == 100
    for sums in seen:
        assert sums == [pytest.approx(sums[0], rel=1e-9)] * 3
    assert seen[-1][0] < seen[0][0]


def test_the_linearised_copy_is_positive_double_and_in_eval_mode():
    model = conv()
    with torch.no_grad():
        model[1].running_mean.fill_(-2.0)
    twin = linearised(model)
    assert not twin.training
    for key, value in twin.state_dict().items():
        assert bool((value >= 0).all()), key
        assert value.dtype in (torch.float64, torch.int64), key
    assert float(twin.state_dict()["1.running_mean"][0]) == 2.0


@pytest.mark.parametrize("method", ["snip", "grasp", "synflow"])
@pytest.mark.parametrize("make", [mlp, conv])
def test_scoring_leaves_all_but_the_masked_weights_bit_for_bit(method, make):
    model = make()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    net = net_of(model)
    configure(method, {"sparsity": 0.7}).attach(net, PLAN, probe_of(model, batches(1)))
    assert model.training
    assert sum(int(mask.sum()) for mask in net.masks.values()) == round(0.3 * net.size)
    for key, value in model.state_dict().items():
        assert value.dtype == before[key].dtype
        expected = before[key] * net.masks[key] if key in net.masks else before[key]
        assert torch.equal(value, expected), key


def test_synflow_needs_no_labels_and_pays_for_a_hundred_images():
    model = mlp()
    probe = TrainingProbe(model, SHAPE, iter(()), 64, 1000)
    configure("synflow", {"sparsity": 0.9}).attach(net_of(model), PLAN, probe)
    assert probe.spent == 2


@pytest.mark.parametrize("compression", [20, 60])
def test_synflow_keeps_every_layer_where_magnitude_empties_one(compression):
    """The smaller a layer's weights, the sooner a global ranking by size empties it."""
    model = mlp(bias=False)
    with torch.no_grad():
        model[3].weight.mul_(1e-3)
    masks = synflow_masks(model, names_of(model), SHAPE, 1 - 1 / compression)
    assert all(bool(mask.any()) for mask in masks.values())


def test_more_compression_than_layers_is_a_mask_not_an_error():
    model = mlp(bias=False)
    masks = synflow_masks(model, names_of(model), SHAPE, 0.99999)
    assert sum(int(mask.sum()) for mask in masks.values()) == 1


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.qkv, self.head = nn.Linear(4, 8), nn.Linear(8, 24), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.embed(x.squeeze(1))).chunk(3, dim=-1)
        return self.head(F.scaled_dot_product_attention(q, k, v).mean(dim=1))


def normed() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3))


def test_synflow_refuses_layernorm_in_one_sentence():
    torch.manual_seed(0)
    model = normed()
    with pytest.raises(SparsebenchError, match="conservation fails on a net that normalises"):
        configure("synflow", {}).attach(net_of(model), PLAN, probe_of(model, batches(1)))


def test_synflow_refuses_attention():
    torch.manual_seed(0)
    with pytest.raises(SparsebenchError, match="uses attention"):
        synflow_masks(Attending(), ["embed.weight", "qkv.weight", "head.weight"], SHAPE, 0.5)


class Centred(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=1, keepdim=True)


def test_synflow_refuses_a_norm_that_has_no_name():
    """A larger weight lowers what the others give."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), Centred(), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(SparsebenchError, match="conservation"):
        synflow_masks(model, names_of(model), SHAPE, 0.5)


def test_synflow_refuses_activations_that_saturate():
    """All scores before them would be 0, and the mask an accident of the order."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU6(), nn.Linear(8, 3))
    with torch.no_grad():
        model[1].weight.fill_(1.0)
    with pytest.raises(SparsebenchError, match=r"all scores of 1\.weight"):
        synflow_masks(model, names_of(model), SHAPE, 0.5)


@pytest.mark.parametrize("method", ["snip", "grasp"])
def test_attention_can_be_scored(method):
    """GraSP's second derivative too, which fused attention has not."""
    torch.manual_seed(0)
    model = Attending()
    net = net_of(model)
    configure(method, {"sparsity": 0.5}).attach(net, PLAN, probe_of(model, batches(1)))
    assert sum(int(mask.sum()) for mask in net.masks.values()) == net.size // 2


def test_scoring_must_leave_something_to_train_with():
    model = mlp()
    probe = TrainingProbe(model, SHAPE, iter(batches(5)), 8, 5)
    with pytest.raises(SparsebenchError, match="whole budget is 5"):
        configure("snip", {"batches": 5}).attach(net_of(model), PLAN, probe)
