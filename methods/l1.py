"""L1 regularisation: min L(w) + λ‖w‖₁ over the prunable weights, by subgradient and by proximal steps."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from .api import Clock, Knob, ParamGroup, Plan, Probe, Sparsifier, register
from .knobs import NO_DECAY, strength
from .net import Net

LR = Knob(0.05, 0.01, 0.2, "log", minimum=0.0)


@register("l1", reference="Tibshirani 1996, subgradient descent")
@dataclass
class L1(Sparsifier):
    """∂L/∂w + λ·sign(w), sign(0) = 0. Oscillates around zero by about ηλ/(1-μ), so zeros need a threshold.

    Attributes:
        lam: λ, the strength of the penalty; more makes the net sparser.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> _ = configure("l1", {"lam": 0.5}).before_step(net, clock=None)
        >>> net.grad("5.weight").unique().tolist()  # λ·sign(w) was added to gradients of 0
        [-0.5, 0.5]
    """

    exact_zeros: ClassVar[bool] = False
    claims: ClassVar = {"lr": LR, "weight_decay": NO_DECAY}

    lam: float = strength(1e-4, 3e-5, 1e-2, "λ, the strength of ‖w‖₁")

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        return [net.weights(weight_decay=0.0), net.others()]

    def before_step(self, net: Net, clock: Clock) -> bool:
        for name in net.names:
            net.grad(name).add_(net.weight(name).sign(), alpha=self.lam)
        return True


@register("l1_prox", reference="proximal gradient, Parikh & Boyd 2014")
@dataclass
class L1Proximal(Sparsifier):
    """After each step w ← sign(w)·max(|w|-τ, 0) with τ = ηλ/(1-μ): momentum multiplies the effective step.

    τ = ηλ would solve the problem for λ(1-μ) instead. Leaves exact zeros. A per-coordinate step size such
    as Adam's breaks the proximal map, so the method runs with SGD.

    Attributes:
        lam: λ, the strength of the penalty; more makes the net sparser.

    Example:
        >>> from sparsebench.bench.training.clock import TrainingClock
        >>> from sparsebench.methods.api import configure
        >>> w = net.weight("5.weight")[0, :3].copy_(torch.tensor([0.3, -0.1, -0.3]))
        >>> clock = TrainingClock(steps=1, momentum=0.5, lr=0.1)
        >>> configure("l1_prox", {"lam": 1.0}).after_step(net, clock)  # τ = 0.1·1/(1 - 0.5) = 0.2
        >>> [round(x, 3) for x in w.tolist()]
        [0.1, 0.0, -0.1]
    """

    optimizers: ClassVar = ("sgd",)
    claims: ClassVar = {"lr": LR, "weight_decay": NO_DECAY}

    lam: float = strength(1e-4, 3e-5, 1e-2, "λ, the strength of ‖w‖₁")

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        return [net.weights(weight_decay=0.0), net.others()]

    @torch.no_grad()
    def after_step(self, net: Net, clock: Clock) -> None:
        tau = clock.eta_eff * self.lam
        for name in net.names:
            w = net.weight(name)
            w.copy_(torch.nn.functional.softshrink(w, tau))
