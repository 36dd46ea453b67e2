"""Soft threshold reparametrisation: learned thresholds, one per layer."""

import math
import warnings
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import SparsebenchError
from .api import Knob, ParamGroup, Plan, Probe, Sparsifier, knob, register
from .net import Net

# The s at which a threshold begins to zero weights, σ(-6) = .0025, and the share of Ση by which s reaches
# it: under a decaying schedule that is 20 to 30% of the steps.
ONSET, ONSET_SHARE = -6.0, 0.4


def soft_threshold(theta: Tensor, s: Tensor) -> Tensor:
    """Returns the soft-thresholded weight sign(θ)·relu(|θ| - σ(s)).

    Args:
        theta: θ, the parameter of a layer, of the weight's shape.
        s: The scalar whose sigmoid is the layer's threshold.

    Returns:
        The effective weight: 0 where |θ| ≤ σ(s), nearer to 0 by σ(s) elsewhere.

    Example:
        >>> w = soft_threshold(torch.tensor([0.3, -0.9]), s=torch.tensor(0.0))  # σ(0) = 0.5
        >>> [round(x, 3) for x in w.tolist()]
        [0.0, -0.4]
    """
    return theta.sign() * torch.relu(theta.abs() - torch.sigmoid(s))


def _fastest_decay(plan: Plan) -> float:
    """Returns the most e-folds by which s can decay in a training without overshoot: (1-μ)/2·Σ_t η_t/η.

    Without a gradient from the loss s is, under momentum, a damped oscillator, s'' + (1-μ)s' + ηwd_s·s = 0
    in steps. At ηwd_s = (1-μ)²/2 its damping ratio is 1/√2; where s decays twice as fast the loss no longer
    balances the decay, and layers empty.
    """
    return (1 - plan.momentum) ** 2 / 2 * plan.eta_sum / plan.lr


@register("str", reference="arXiv:2002.03231", version=2)
@dataclass
class SoftThreshold(Sparsifier):
    """w = sign(θ)·relu(|θ| - σ(s_l)), one threshold s_l a layer, learned; no term is added to the loss.

    Weight decay acts on s too and drives it towards 0: s(t) = s₀·e^(-wd_s·Σ_t η_eff) until the loss holds
    it. Sparsity is an outcome. `decay` is the whole exponent wd_s·Ση_eff, so that it means the same in short
    runs and long ones; more of it, or s₀ nearer to 0, makes the net sparser. A short training has no time for
    much: with momentum μ s follows no more than (1-μ)/2·Σ_t η_t/η e-folds, to which `decay` is lowered.
    `decay=0` takes the recipe's weight decay for s as for θ, as the paper's code does; `s0=0` chooses an s₀
    such that s reaches -6 at 20 to 30% of the steps. Where the loss is near 0 by then nothing holds s, and
    layers collapse: start nearer to 0. SGD alone: Adam bounds a step by its rate, so that the loss cannot
    hold s.

    Attributes:
        s0: s₀, the initial s of every layer; 0 derives it from the decay.
        decay: wd_s·Ση_eff, the exponent of the decay of s; 0 gives s the recipe's weight decay.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> plan = Plan(steps=10_000, optimizer="sgd", lr=0.1, momentum=0.9, eta_sum=10_000.0)
        >>> method = configure("str", {"decay": 12.0, "s0": 0.0})
        >>> theta, s, others = method.attach(net, plan, probe=None)
        >>> s.weight_decay, round(method.facts()["s0"])  # 12/10,000; s₀·e^(-0.4·12) = -6
        (0.0012, -729)
    """

    optimizers: ClassVar = ("sgd",)
    claims: ClassVar = {
        "lr": Knob(0.1, 0.03, 0.3, "log", minimum=0.0),
        "weight_decay": Knob(3e-3, 1e-5, 3e-2, "log", minimum=0.0, maximum=1e3, doc="decay of θ"),
    }

    s0: float = knob(
        0.0,
        scale="minus_log",
        minimum=-1e6,
        maximum=0.0,
        doc="s₀, where the thresholds start; 0: chosen from the decay",
    )
    decay: float = knob(
        12.0,
        low=1.0,
        high=48.0,
        log=True,
        minimum=0.0,
        maximum=100.0,
        operating=True,
        doc="wd_s·Ση_eff, the most e-folds by which s decays; 0: the recipe's weight decay",
    )

    def __post_init__(self) -> None:
        if not self.s0 and not self.decay:
            raise SparsebenchError(
                "str: s0 and decay are both 0; give one of them, since s0 = 0 derives s₀ from decay"
            )

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        decay = min(self.decay, _fastest_decay(plan))
        if decay < self.decay:
            warnings.warn(
                f"decay = {self.decay:g} is lowered to {decay:.3g}, the most that momentum lets s follow "
                "in so few steps: expect a lower sparsity",
                stacklevel=2,
            )
        own = decay / plan.eta_sum if decay else None
        start = self.s0 or ONSET * math.exp(ONSET_SHARE * decay)
        self.state["s0"], self.state["decay"] = start, decay
        net.reparametrize(
            soft_threshold, theta=lambda w: w, s=lambda w: torch.full((), start, device=w.device)
        )
        return [
            net.group("theta", weight_decay=None),
            net.group("s", weight_decay=own),
            net.others(),
        ]

    def facts(self) -> dict[str, float]:
        return {"s0": self.state["s0"], "decay": self.state["decay"]}

    def diagnostics(self, net: Net) -> dict[str, float]:
        s = torch.stack([value.detach() for value in net.parameters("s").values()])
        return {"s_min": float(s.min()), "s_max": float(s.max())}
