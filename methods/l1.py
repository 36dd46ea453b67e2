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
    """∂L/∂w + λ·sign(w), sign(0) = 0. Oscillates around zero by about ηλ/(1-μ), so zeros need a threshold."""

    exact_zeros: ClassVar[bool] = False
    claims: ClassVar = {"lr": LR, "weight_decay": NO_DECAY}

    lam: float = strength(1e-4, 1e-6, 3e-3, "λ, the strength of ‖w‖₁")

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
    """

    optimizers: ClassVar = ("sgd",)
    claims: ClassVar = {"lr": LR, "weight_decay": NO_DECAY}

    lam: float = strength(1e-4, 1e-6, 3e-3, "λ, the strength of ‖w‖₁")

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        return [net.weights(weight_decay=0.0), net.others()]

    @torch.no_grad()
    def after_step(self, net: Net, clock: Clock) -> None:
        tau = clock.eta_eff * self.lam
        for name in net.names:
            w = net.weight(name)
            w.copy_(torch.nn.functional.softshrink(w, tau))
