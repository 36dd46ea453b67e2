"""Each method's own rules, on nets small enough to check by hand."""

import math

import pytest
import torch
from sparsebench.bench.config.lr_schedule import round_steps
from sparsebench.bench.training.loop import TrainingClock
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import configure, knobs_of, registry
from sparsebench.methods.knobs import Knob, knob
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Plan, Round
from torch import nn

PLAN = Plan(100, "sgd", 0.1, 0.9, 1e9)


def two_layers() -> Net:
    model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[9.0, -8, 7, -6], [5, -4, 3, -2], [1, 0.9, 0.8, 0.7]]))
        model[1].weight.copy_(torch.tensor([[0.6, -0.5, 0.4], [0.3, -0.2, 0.1]]))
    return Net(model, ["0.weight", "1.weight"], torch.Generator().manual_seed(0))


def clock(**fields) -> TrainingClock:
    made = TrainingClock(100, 0.9)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def live(net: Net) -> dict[str, int]:
    return {name: int(net.weight(name).count_nonzero()) for name in net.names}


def test_magnitude_keeps_the_largest_over_the_net():
    net, method = two_layers(), configure("magnitude", {"sparsity": 0.5})
    method.attach(net, PLAN, probe=None)
    method.start_round(net, clock(round=0))
    assert live(net) == {"0.weight": 12, "1.weight": 6}
    method.start_round(net, clock(round=1))
    assert live(net) == {"0.weight": 9, "1.weight": 0}
    method.finalize(net)
    assert live(net) == {"0.weight": 9, "1.weight": 0}


def test_magnitude_layerwise_keeps_the_same_share_of_each_layer():
    net, method = (
        two_layers(),
        configure("magnitude", {"sparsity": 0.5, "scope": "layerwise", "finetune": 0.0}),
    )
    method.finalize(net)
    assert live(net) == {"0.weight": 6, "1.weight": 3}
    assert net.weight("1.weight").tolist() == [
        [pytest.approx(0.6), pytest.approx(-0.5), pytest.approx(0.4)],
        [0, 0, 0],
    ]


def test_magnitude_spends_its_finetuning_out_of_the_same_budget():
    rounds = configure("magnitude", {"finetune": 0.25, "finetune_lr": 0.1}).rounds()
    assert round_steps(rounds, 1000) == [750, 250]
    assert rounds[1] == Round(0.25, "finetune", peak=0.1, restart=True)
    assert configure("magnitude", {"finetune": 0.0}).rounds() == (Round(),)


@pytest.mark.parametrize("distribution", ["erk", "uniform"])
def test_random_has_its_sparsity_before_the_first_step(distribution):
    net, method = two_layers(), configure("random", {"sparsity": 0.5, "distribution": distribution})
    method.attach(net, PLAN, probe=None)
    assert sum(live(net).values()) == 9


def test_l1_adds_the_sign_to_the_gradient_and_nothing_at_zero():
    net, method = two_layers(), configure("l1", {"lam": 0.25})
    net.weight("0.weight")[0, 0] = 0.0
    method.attach(net, PLAN, probe=None)
    assert method.before_step(net, clock())
    assert net.grad("0.weight")[0].tolist() == [0.0, -0.25, 0.25, -0.25]


def test_l1_prox_shrinks_by_eta_lambda_over_one_minus_momentum():
    net, method = two_layers(), configure("l1_prox", {"lam": 0.55})
    method.attach(net, PLAN, probe=None)
    method.after_step(net, clock(lr=0.1))  # τ = 0.1·0.55/0.1 = 0.55
    assert torch.allclose(net.weight("1.weight"), torch.tensor([[0.05, 0, 0], [0, 0, 0]]), atol=1e-6)
    assert float(net.weight("0.weight")[0, 0]) == pytest.approx(8.45)


def test_l1_prox_solves_for_lambda_under_momentum():
    """½(w-z)² + λ|w| with momentum 0.9 ends at sign(z)·max(|z|-λ, 0)."""
    z = torch.tensor([[2.0, -0.5, 0.1, -1.0]])
    model = nn.Linear(4, 1, bias=False)
    net, method = Net(model, ["weight"], torch.Generator()), configure("l1_prox", {"lam": 0.3})
    method.attach(net, PLAN, probe=None)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(3000):
        model.weight.grad = net.weight("weight") - z
        sgd.step()
        method.after_step(net, clock(lr=0.01))
    expected = z.sign() * (z.abs() - 0.3).clamp_min(0)
    assert torch.allclose(net.weight("weight"), expected, atol=0.02)
    assert int(net.weight("weight").count_nonzero()) == 3


@pytest.mark.smoke
def test_all_methods_of_the_package_are_found_and_documented():
    assert {"dense", "random", "magnitude", "l1", "l1_prox", "dwf", "spred"} <= set(registry)
    own = {name: cls for name, cls in registry.items() if cls.__module__.startswith("sparsebench.")}
    for name, cls in own.items():  # other tests register plugins
        assert cls.__doc__, name
        for key, one in knobs_of(cls).items():
            assert one.doc, f"{name}.{key} has no help text"
            assert one.check(key, one.default) == one.default


@pytest.mark.parametrize(
    ("method", "knobs", "message"),
    [
        ("dfw", {}, "unknown method 'dfw': did you mean 'dwf'?"),
        ("dwf", {"lamb": 1.0}, "unknown knob of method 'dwf' 'lamb': did you mean 'lam'?"),
        ("dwf", {"lam": -1}, "dwf: lam = -1.0 is out of range: 0 to 1000"),
        ("dwf", {"depth": 1}, "dwf: depth = 1 is out of range: 2 to 16"),
        ("dwf", {"depth": "2.5"}, "dwf: depth = '2.5' is not a whole number"),
        ("dwf", {"lam": "nan"}, "dwf: lam = 'nan' is not a number"),
        ("dwf", {"lam": True}, "dwf: lam = True is not a number"),
        ("magnitude", {"scope": "galactic"}, "magnitude: scope = 'galactic' is not one of global, layerwise"),
        ("random", {"sparsity": 1.0}, "random: sparsity = 1.0 is out of range: 0 to 0.99999"),
    ],
)
def test_bad_knobs_are_one_sentence(method, knobs, message):
    with pytest.raises(SparsebenchError) as caught:
        configure(method, knobs)
    assert str(caught.value) == message


def test_a_knob_converts_what_the_command_line_says():
    one = knob(1e-4, low=1e-6, high=1e-2, log=True).metadata["knob"]
    assert one == Knob(1e-4, 1e-6, 1e-2, "log", 1e-6, 1e-2)
    assert one.check("lam", "3e-4") == pytest.approx(3e-4)
    assert Knob(True).check("flag", "false") is False
    assert math.isinf(Knob(1.0).maximum)


def test_plugins_of_version_0_1_may_name_bounds_as_they_did() -> None:
    assert Knob(0.1, least=0.0, most=2.0) == Knob(0.1, minimum=0.0, maximum=2.0)
    assert knob(1, least=0, most=9).metadata["knob"].maximum == 9
