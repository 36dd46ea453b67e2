"""D-Gating: structured sparsity by L2 on a weight and the scalar gates of its groups."""

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from .api import Knob, ParamGroup, Plan, Probe, Sparsifier, knob, register
from .dwf import FLOAT32_EPS, DeepWeightFactorization
from .group_lasso import groups_knob
from .knobs import NO_DECAY, strength
from .net import Net
from .structured import remove_empty


def gated(omega: Tensor, gamma: Tensor, dim: int) -> Tensor:
    """Returns w_j = ω_j·Π_d γ_{j,d}, where j counts the lines of one dimension.

    Args:
        omega: The ungated weight, `(out, in, *k)`.
        gamma: The gates, `(D-1, lines)`.
        dim: 0 where a line is a row (a filter or neuron), 1 where it is a column.

    Returns:
        The effective weight.

    Example:
        >>> gated(torch.ones(2, 3), torch.tensor([[1.0, 2.0], [1.0, 3.0]]), dim=0).tolist()
        [[1.0, 1.0, 1.0], [6.0, 6.0, 6.0]]
    """
    shape = [1] * omega.dim()
    shape[dim] = -1
    return omega * gamma.prod(0).view(shape)


@register("dgating", reference="arXiv:2509.23898")
@dataclass
class DGating(Sparsifier):
    """w_j = ω_j·Π_{d<D} γ_{j,d}; min L(w) + (λ/D)·(‖ω‖² + ‖Γ‖²), the same minima as L(w) + λΣ‖w_j‖₂^(2/D).

    A group j is the row of a weight that makes a channel, or a column that reads one. As an optimizer's group
    the penalty is an L2 of 2λ/D. The weight starts as a dense one, the gates at 1. A channel whose group has
    a norm below float32 eps is removed whole in the end. The decay budget is that of `dwf`.

    Attributes:
        lam: λ, the strength of the penalty; more removes more channels.
        depth: D: the weight and D-1 gates, and so the penalty's exponent 2/D.
        groups: "rows" or "columns".

    Example:
        >>> from sparsebench.methods.api import configure
        >>> plan = Plan(steps=1000, optimizer="sgd", lr=0.1, momentum=0.9, eta_sum=1000.0)
        >>> method = configure("dgating", {"lam": 0.003, "depth": 3})
        >>> groups = method.attach(net, plan, probe=None)
        >>> [group.l2 for group in groups[:2]], tuple(net.parameters("gamma")["1.weight"].shape)
        ([0.002, 0.002], (2, 300))
    """

    exact_zeros: ClassVar[bool] = False
    claims: ClassVar = {"lr": Knob(0.1, 0.02, 0.5, "log", minimum=0.0), "weight_decay": NO_DECAY}
    # In 420 steps on three convolutions channels began to go at a B of 40; a long training needs less.
    decay_budget: ClassVar = replace(DeepWeightFactorization.decay_budget, default=50.0, low=3.0, high=500.0)

    lam: float = strength(1e-2, 1e-3, 1.0, "λ, the strength of Σ‖w_j‖₂^(2/D)")
    depth: int = knob(2, low=2, high=4, maximum=16, doc="D: the weight and D-1 gates of each group")
    groups: str = groups_knob()

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        dim = 0 if self.groups == "rows" else 1
        axes = net.channels.axes(self.groups)
        names = [name for name in net.names if name in axes]
        net.reparametrize(
            partial(gated, dim=dim),
            names,
            omega=lambda w: w,
            gamma=lambda w: torch.ones(self.depth - 1, w.shape[dim], device=w.device),
        )
        plain: list[Tensor] = [w for name, w in net.weights_by_name.items() if name not in axes]
        l2 = 2 * self.lam / self.depth
        self.state["decay_budget"] = 2 * self.lam * plan.eta_sum
        return [net.group("omega", l2=l2), net.group("gamma", l2=l2), ParamGroup(plain, 0.0), net.others()]

    def lam_limit(self) -> float:
        """Four times the end of the range of `lam` at depth 2, and (2/D)³ of it at depth D.

        The sweeps of docs/search_ranges.md left hardly a channel above it, or did not reach it.
        """
        return 4 * super().lam_limit() * (2 / self.depth) ** 3

    def finalize(self, net: Net) -> None:
        remove_empty(net, self.groups, FLOAT32_EPS)

    def diagnostics(self, net: Net) -> dict[str, float]:
        """The largest relative difference of ‖ω_j‖² and γ², which is 0 at a stationary point."""
        worst = 0.0
        for name, omega in net.parameters("omega").items():
            lines = omega.detach().transpose(0, 0 if self.groups == "rows" else 1).flatten(1)
            squares = torch.cat(
                [lines.square().sum(1)[None], net.parameters("gamma")[name].detach().square()]
            )
            spread = (squares.amax(0) - squares.amin(0)) / squares.amax(0).clamp_min(FLOAT32_EPS)
            worst = max(worst, float(spread.max()))
        return {"imbalance": worst}

    def facts(self) -> dict[str, float]:
        return {"decay_budget": self.state["decay_budget"]}
