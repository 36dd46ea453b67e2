"""Group lasso over the channels of a network, by proximal steps."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .api import Clock, Knob, ParamGroup, Plan, Probe, Sparsifier, knob, register
from .channels import along, spread
from .knobs import NO_DECAY, strength
from .net import Net
from .structured import remove_empty


def groups_knob() -> Any:
    """Returns the field `groups`: whether a group is what makes a channel, or what reads it.

    Returns:
        A dataclass field with the choices "rows", the default, and "columns"; no search varies it.

    Example:
        >>> groups_knob().metadata["knob"].choices
        ('rows', 'columns')
    """
    return knob(
        "rows", choices=("rows", "columns"), searched=False, doc="what makes a channel, or what reads it"
    )


@register("group_lasso", reference="Yuan & Lin 2006, proximal gradient")
@dataclass
class GroupLasso(Sparsifier):
    """min L(w) + λΣ_g‖w_g‖₂: after each step w_g ← (1 - τ/‖w_g‖)₊·w_g with τ = ηλ/(1-μ).

    A group is what makes a channel (the rows of a filter or neuron) or what reads it (the columns). A channel
    whose group is zero is removed whole in the end: bias, scale, shift and the other side too. A step size
    for each coordinate, such as Adam's, breaks the proximal map.

    Attributes:
        lam: λ, the strength of the penalty; more removes more channels.
        groups: "rows" or "columns".

    Example:
        >>> from sparsebench.bench.training.clock import TrainingClock
        >>> from sparsebench.methods.api import configure
        >>> w = net.weight("3.weight")
        >>> _ = w.zero_()
        >>> w[0, :2] = torch.tensor([3.0, 4.0])
        >>> clock = TrainingClock(steps=1, momentum=0.5, lr=0.5)
        >>> configure("group_lasso", {"lam": 1.0}).after_step(net, clock)  # ‖w_g‖ = 5, τ = 1
        >>> [round(x, 3) for x in w[0, :2].tolist()]
        [2.4, 3.2]
    """

    optimizers: ClassVar = ("sgd",)
    claims: ClassVar = {"lr": Knob(0.1, 0.02, 0.3, "log", minimum=0.0), "weight_decay": NO_DECAY}

    lam: float = strength(1e-2, 1e-3, 1.0, "λ, the strength of Σ‖w_g‖₂")
    groups: str = groups_knob()

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        return [net.weights(weight_decay=0.0), net.others()]

    def after_step(self, net: Net, clock: Clock) -> None:
        norms = net.channels.norms(net.effective_weights(), self.groups)
        tau = clock.eta_eff * self.lam
        shrunk = torch.where(norms > tau, 1 - tau / norms.clamp_min(1e-300), 0.0)
        scale_lines(net, shrunk, self.groups)

    def finalize(self, net: Net) -> None:
        remove_empty(net, self.groups)


@torch.no_grad()
def scale_lines(net: Net, factors: Tensor, by: str) -> None:
    """Multiplies the weights of each channel by a factor, in place.

    Args:
        net: The net.
        factors: One factor a channel, `(n,)`.
        by: "rows" for the weights that make the channel, "columns" for those that read it.

    Example:
        >>> scale_lines(net, torch.zeros(net.channels.count), "columns")
        >>> {name: bool(net.weight(name).any()) for name in net.names}
        {'1.weight': True, '3.weight': False, '5.weight': False}
    """
    for name, index in net.channels.axes(by).items():
        w = net.weight(name)
        w.mul_(along(spread(factors, index).to(w.device, w.dtype), w, by))
