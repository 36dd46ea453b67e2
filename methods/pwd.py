"""p-norm weight decay: the decoupled, proximal-like decay of any λ‖w‖_p^p."""

import warnings
from dataclasses import dataclass
from typing import ClassVar

import torch

from .api import Clock, Knob, ParamGroup, Plan, Probe, Sparsifier, knob, register
from .factors import layer_sigma
from .knobs import NO_DECAY, strength
from .net import Net


@register("pwd", reference="arXiv:2404.10824")
@dataclass
class PNormWeightDecay(Sparsifier):
    """After the optimizer's step w ← w·X/(X+pηλ), X = |w_old|^(2-p): min L(w) + λΣ|w|^p.

    w_old is the weight before the step, η the learning rate (η/(1-μ) under SGD). The factor lies between 0
    and 1 for any η, so small weights go to 0 smoothly, and a weight that is exactly 0 stays there; p = 2/D
    has the minimisers of `dwf` at depth D. What the loss does not hold reaches 0 if it starts below
    (p(2-p)λΣη)^(1/(2-p)): a short training needs a larger λ. Under SGD λ is measured as in `l1`, up to 1e-2;
    Adam divides by the gradient's size, so that its useful λ lie near 1e-2 to 0.3, whatever the loss.

    Attributes:
        lam: λ, the strength of the penalty; more makes the net sparser.
        p: The exponent of the penalty: 0.5, 2/3, 0.8 or 1; smaller ones spare large weights more.

    Example:
        >>> from sparsebench.bench.training.clock import TrainingClock
        >>> from sparsebench.methods.api import configure
        >>> method, clock = configure("pwd", {"p": 1.0, "lam": 0.1}), TrainingClock(1, momentum=0.0, lr=1.0)
        >>> w = net.weight("5.weight")[0, :2].copy_(torch.tensor([0.1, 0.9]))
        >>> _ = method.before_step(net, clock), method.after_step(net, clock)  # a step with no gradient
        >>> [round(x, 3) for x in w.tolist()]  # 0.1·0.1/(0.1 + 0.1), 0.9·0.9/(0.9 + 0.1)
        [0.05, 0.81]
    """

    exact_zeros: ClassVar[bool] = False
    optimizers: ClassVar = ("adamw", "sgd")
    claims: ClassVar = {"lr": Knob(1e-3, 3e-4, 3e-3, "log", minimum=0.0), "weight_decay": NO_DECAY}

    lam: float = strength(1e-4, 1e-6, 0.3, "λ, the strength of Σ|w|^p")
    p: float = knob(0.8, choices=(0.5, 2 / 3, 0.8, 1.0), doc="the norm's exponent", idle={"lam": (0,)})

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        sigma = max(layer_sigma(net.weight(name)) for name in net.names)
        reach = (self.p * (2 - self.p) * self.lam * plan.eta_sum) ** (1 / (2 - self.p))
        self.state["decay_reach"] = reach
        if 0 < reach < sigma:
            warnings.warn(
                f"the decay brings weights up to {reach:.2g} to zero, but the widest layer starts with a "
                f"standard deviation of {sigma:.2g}: expect few zeros (raise lam, lr or the steps)",
                stacklevel=2,
            )
        return [net.weights(weight_decay=0.0), net.others()]

    def before_step(self, net: Net, clock: Clock) -> bool:
        self.state["old"] = {name: net.weight(name).clone() for name in net.names}
        return True

    @torch.no_grad()
    def after_step(self, net: Net, clock: Clock) -> None:
        old = self.state.pop("old")
        strength = self.p * clock.eta_eff * self.lam
        if strength == 0:
            return
        for name in net.names:
            x = old[name].abs_().pow_(2 - self.p)
            net.weight(name).mul_(x / (x + strength))

    def facts(self) -> dict[str, float]:
        return {"decay_reach": self.state["decay_reach"]}
