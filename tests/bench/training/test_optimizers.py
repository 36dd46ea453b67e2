"""A method's groups under every optimizer: a penalty of the method's own stays coupled to the gradient."""

import pytest
import torch
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.training.optimizers import Optimizers
from sparsebench.methods.plan import ParamGroup
from torch import Tensor, nn

KINDS = ("sgd", "adam", "adamw")


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values))


def made(groups: list[ParamGroup], kind: str, decay: float = 0.0, momentum: float = 0.0) -> Optimizers:
    return Optimizers(groups, Recipe(optimizer=kind, momentum=momentum), decay)


def step(optimizers: Optimizers, gradients: dict[nn.Parameter, list[float]], lr: float, peak: float) -> None:
    for p, gradient in gradients.items():
        p.grad = torch.tensor(gradient)
    optimizers.step(lr, peak)


@pytest.mark.parametrize("kind", KINDS)
def test_a_methods_l2_has_the_same_minimum_under_every_optimizer(kind: str) -> None:
    """min ½(w-1)² + (l2/2)w² is w = 1/(1+l2); decoupled decay would end elsewhere."""
    w = parameter(0.0)
    optimizers = made([ParamGroup([w], l2=0.25)], kind)
    for index in range(3000):
        lr = 0.05 * (1 - index / 3000)
        step(optimizers, {w: [float(w.detach()) - 1]}, lr, 0.05)
    assert float(w.detach()) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_shallow_factors_meet_the_soft_threshold_under_every_optimizer(kind: str) -> None:
    """½(uv-1)² + (λ/2)(u²+v²) ends at uv = 1-λ: the L2 of 2λ/D on both factors, D = 2."""
    factors = nn.Parameter(torch.full((2, 1), 0.9))
    optimizers = made([ParamGroup([factors], l2=0.3)], kind)
    for index in range(4000):
        u, v = (float(x) for x in factors.detach())
        g = u * v - 1
        factors.grad = torch.tensor([[g * v], [g * u]])
        optimizers.step(0.02 * (1 - index / 4000), 0.02)
    assert float(factors.detach().prod()) == pytest.approx(0.7, abs=1e-3)


def test_one_step_of_sgd_is_the_sum_of_gradient_decay_and_penalty() -> None:
    w = parameter(2.0, -1.0)
    step(made([ParamGroup([w], None, l2=0.5)], "sgd", decay=0.25), {w: [1.0, 0.0]}, 0.1, 0.1)
    assert w.tolist() == pytest.approx([2 - 0.1 * (1 + 0.75 * 2), -1 + 0.1 * 0.75])


def test_adamws_ordinary_decay_stays_decoupled() -> None:
    w = parameter(2.0)
    step(made([ParamGroup([w], None)], "adamw", decay=0.1), {w: [0.0]}, 0.5, 0.5)
    assert w.tolist() == pytest.approx([2 * (1 - 0.5 * 0.1)])


def test_adams_ordinary_decay_is_coupled() -> None:
    w = parameter(2.0)
    step(made([ParamGroup([w], None)], "adam", decay=0.1), {w: [0.0]}, 0.5, 0.5)
    assert w.tolist() == pytest.approx([1.5])  # a first step of Adam is one rate long, whatever the size


def test_a_group_decays_as_it_says_else_as_the_recipe_says() -> None:
    own, recipes, none = parameter(1.0), parameter(1.0), parameter(1.0)
    groups = [ParamGroup([own], 0.5), ParamGroup([recipes], None), ParamGroup([none])]
    step(made(groups, "sgd", decay=0.2), {p: [0.0] for p in (own, recipes, none)}, 1.0, 1.0)
    assert [float(p.detach()) for p in (own, recipes, none)] == pytest.approx([0.5, 0.8, 1.0])


def test_a_groups_own_rate_follows_the_schedule_and_a_scale_multiplies_it() -> None:
    own, scaled, plain = parameter(0.0), parameter(0.0), parameter(0.0)
    groups = [ParamGroup([own], lr=5.0), ParamGroup([scaled], lr_scale=3.0), ParamGroup([plain])]
    step(made(groups, "sgd"), {p: [1.0] for p in (own, scaled, plain)}, lr=0.1, peak=0.4)
    assert [float(p.detach()) for p in (own, scaled, plain)] == pytest.approx([-5 / 4, -0.3, -0.1])


def test_a_group_may_ask_for_another_optimizer() -> None:
    gate, weight = parameter(0.0), parameter(0.0)
    optimizers = made([ParamGroup([weight]), ParamGroup([gate], optimizer="adam")], "sgd")
    assert [type(o) for o in optimizers.all] == [torch.optim.SGD, torch.optim.Adam]
    step(optimizers, {gate: [7.0], weight: [7.0]}, 0.1, 0.1)
    assert [float(gate.detach()), float(weight.detach())] == pytest.approx([-0.1, -0.7])


def test_a_group_without_parameters_is_no_group() -> None:
    w = parameter(1.0)
    assert len(made([ParamGroup([]), ParamGroup([w])], "sgd").all[0].param_groups) == 1


def test_momentum_and_nesterov_reach_sgd() -> None:
    w = parameter(0.0)
    optimizers = Optimizers([ParamGroup([w])], Recipe(momentum=0.5, nesterov=True), 0.0)
    step(optimizers, {w: [1.0]}, 0.1, 0.1)
    assert w.tolist() == pytest.approx([-0.15])


def test_a_restart_forgets_every_buffer_and_keeps_the_list() -> None:
    w = parameter(0.0)
    optimizers = made([ParamGroup([w])], "sgd", momentum=0.9)
    same = optimizers.all
    step(optimizers, {w: [1.0]}, 0.1, 0.1)
    optimizers.rebuild()
    assert optimizers.all is same
    assert not any(isinstance(v, Tensor) for o in same for s in o.state.values() for v in s.values())
    step(optimizers, {w: [0.0]}, 0.1, 0.1)
    assert w.tolist() == pytest.approx([-0.1])
