"""Continuous sparsification: a sigmoid mask that is sharpened while the network trains."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .api import Clock, Knob, ParamGroup, Plan, Probe, Sparsifier, knob, register
from .net import Net


@register("cs", reference="arXiv:1912.04427")
@dataclass
class ContinuousSparsification(Sparsifier):
    """w = c·θ·σ(βs), c = 1/σ(s₀), β from 1 to β_end geometrically; min L + λΣc·σ(βs).

    It starts from the dense function (θ = w₀, s = s₀) and ends at c·θ·1[s>0]. Sparsity is an outcome: a
    weight lives if the loss has raised its s above 0, so s₀ below 0 asks more of it. In short runs s needs a
    higher rate than θ (`mask_rate`): a mask that has not left 0 by the end is cut while still half open.

    Attributes:
        s0: s₀, the initial value of all s; the lower, the fewer weights have s > 0 at the end.
        lam: λ, the strength of the penalty on the open masks; 0 leaves sparsity to s₀ and the loss.
        beta_end: β at the last step; the larger, the nearer σ(βs) is to the final 0 or 1.
        mask_rate: The learning rate of s as a multiple of that of θ.

    Example:
        >>> from sparsebench.bench.training.clock import TrainingClock
        >>> from sparsebench.methods.api import configure
        >>> method = configure("cs", {"beta_end": 100.0})
        >>> _ = method.before_step(net, TrainingClock(steps=101, momentum=0.9, step=49))
        >>> method.state["beta"]  # 100^(50/100), half-way in a geometric schedule
        10.0
    """

    claims: ClassVar = {"lr": Knob(0.1, 0.03, 0.3, "log", minimum=0.0)}

    s0: float = knob(
        -0.1,
        low=-1.0,
        high=0.05,
        minimum=-10.0,
        maximum=10.0,
        operating=True,
        doc="s₀, where the masks start",
    )
    lam: float = knob(
        1e-8, low=1e-10, high=1e-6, log=True, minimum=0.0, maximum=1e3, doc="λ, the strength of Σc·σ(βs)"
    )
    beta_end: float = knob(
        200.0, low=100.0, high=300.0, log=True, minimum=1.0, maximum=1e5, doc="β at the last step"
    )
    mask_rate: float = knob(
        10.0,
        low=1.0,
        high=30.0,
        log=True,
        minimum=1e-3,
        maximum=1e4,
        doc="the masks' learning rate over the weights'; long runs do with 1",
    )

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        self.state["beta"] = 1.0
        net.reparametrize(
            lambda theta, s: theta * self._mask(s),
            theta=lambda w: w,
            s=lambda w: torch.full_like(w, self.s0),
        )
        return [
            net.group("theta", weight_decay=None),
            net.group("s", lr_scale=self.mask_rate),
            net.others(),
        ]

    @property
    def scale(self) -> float:
        """c = 1/σ(s₀), by which the net starts as the dense function."""
        return 1 + math.exp(-self.s0)

    def _mask(self, s: Tensor) -> Tensor:
        return self.scale * torch.sigmoid(self.state["beta"] * s)

    def penalty(self, net: Net, clock: Clock) -> Tensor | float:
        if not self.lam:
            return 0.0
        return self.lam * torch.stack([self._mask(s).sum() for s in net.parameters("s").values()]).sum()

    def before_step(self, net: Net, clock: Clock) -> bool:
        """Sets β for the weights of the next step; at the last step it is β_end."""
        self.state["beta"] = self.beta_end ** min(1.0, (clock.step + 1) / max(1, clock.steps - 1))
        return True

    @torch.no_grad()
    def finalize(self, net: Net) -> None:
        theta, s = net.parameters("theta"), net.parameters("s")
        for name in net.names:
            net.weight(name).copy_(self.scale * theta[name] * (s[name] > 0))

    @torch.no_grad()
    def diagnostics(self, net: Net) -> dict[str, float]:
        live = sum(int((s > 0).sum()) for s in net.parameters("s").values())
        return {"beta": self.state["beta"], "final_compression": net.size / max(1, live)}
