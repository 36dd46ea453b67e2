"""Soft threshold reparametrisation: learned thresholds, one a layer."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import SparsebenchError
from .api import Knob, ParamGroup, Plan, Probe, Sparsifier, knob, register
from .net import Net

# Where a threshold starts to bite, σ(-6) = .0025, and the share of Ση at which it is to be there: under a
# decaying schedule that is 20 to 30% of the steps.
ONSET, ONSET_SHARE = -6.0, 0.4


def soft_threshold(theta: Tensor, s: Tensor) -> Tensor:
    """sign(θ)·relu(|θ| - σ(s))."""
    return theta.sign() * torch.relu(theta.abs() - torch.sigmoid(s))


@register("str", reference="arXiv:2002.03231")
@dataclass
class SoftThreshold(Sparsifier):
    """w = sign(θ)·relu(|θ| - σ(s_l)), one threshold s_l a layer, learned; no term is added to the loss.

    Weight decay acts on s too and drives it towards 0: s(t) = s₀·e^(-wd_s·Σ_t η_eff) until the loss holds
    it. Sparsity is an outcome. `decay` is the whole exponent wd_s·Ση_eff, so that it means the same in short
    runs and long ones; more of it, or s₀ nearer to 0, makes the net sparser. `decay=0` takes the recipe's
    weight decay for s as for θ, as the paper's code does; `s0=0` chooses an s₀ such that s reaches -6 at 20
    to 30% of the steps. Where the loss is near 0 by then nothing holds s, and layers collapse: start nearer
    to 0. Short runs are sparse only with a weight decay of θ above the usual. SGD alone: Adam bounds a step
    by its rate, so that the loss cannot hold s.
    """

    optimizers: ClassVar = ("sgd",)
    claims: ClassVar = {
        "lr": Knob(0.1, 0.03, 0.3, "log", least=0.0),
        "weight_decay": Knob(3e-3, 1e-5, 3e-2, "log", least=0.0, most=1e3, doc="decay of θ"),
    }

    s0: float = knob(
        -10.0,
        low=-3200.0,
        high=-5.0,
        scale="minus_log",
        least=-1e6,
        most=0.0,
        doc="s₀, where the thresholds start; 0: chosen from the decay",
    )
    decay: float = knob(
        12.0,
        low=2.0,
        high=24.0,
        log=True,
        least=0.0,
        most=100.0,
        operating=True,
        doc="wd_s·Ση_eff, the e-folds by which s decays; 0: the recipe's weight decay",
    )

    def __post_init__(self) -> None:
        if not self.s0 and not self.decay:
            raise SparsebenchError("str: give s0 or decay: without a decay of its own s has no time to meet")

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        own = self.decay / plan.eta_sum if self.decay else None
        start = self.s0 or ONSET * math.exp(ONSET_SHARE * self.decay)
        self.state["s0"] = start
        net.reparametrize(
            soft_threshold, theta=lambda w: w, s=lambda w: torch.full((), start, device=w.device)
        )
        return [
            net.group("theta", weight_decay=None),
            net.group("s", weight_decay=own),
            net.others(),
        ]

    def facts(self) -> dict[str, float]:
        return {"s0": self.state["s0"]}

    def diagnostics(self, net: Net) -> dict[str, float]:
        s = torch.stack([value.detach() for value in net.parameters("s").values()])
        return {"s_min": float(s.min()), "s_max": float(s.max())}
