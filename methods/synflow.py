"""SynFlow: pruning at initialisation without data, by a flow that each layer conserves."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import SparsebenchError
from .api import ParamGroup, Plan, Probe, Sparsifier, register, sparsity_knob
from .at_init import masked_groups, open_up
from .masks import global_top
from .net import Net

ITERATIONS = 100
UNLIKE_FLOW = {
    "layer_norm",
    "group_norm",
    "instance_norm",
    "rms_norm",
    "softmax",
    "scaled_dot_product_attention",
    "multi_head_attention_forward",
}


def linearised(model: nn.Module) -> nn.Module:
    """A copy in eval mode and float64 whose every parameter and buffer is its absolute value.

    A γ of 0 becomes 1, or nothing would flow through its branch.
    """
    twin = copy.deepcopy(model).eval()
    if next(twin.parameters()).device.type == "mps":  # which has no float64
        twin = twin.cpu()
    twin = twin.double()
    with torch.no_grad():
        for value in twin.state_dict().values():
            value.abs_()
    open_up(twin)
    return twin


def flow(twin: nn.Module, names: list[str], input_shape: tuple[int, ...]) -> tuple[Tensor, dict[str, Tensor]]:
    """R = Σ twin(1), and ∂R/∂w ⊙ w for each prunable weight of the linearised twin."""
    weights = [twin.get_parameter(name) for name in names]
    first = weights[0]
    ones = torch.ones(1, *input_shape, dtype=first.dtype, device=first.device)
    total = twin(ones).sum()
    found = torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)
    scores = {name: (g * w).detach() for name, g, w in zip(names, found, weights, strict=True)}
    return total.detach(), scores


class Calls(TorchFunctionMode):
    """The names of the torch functions that are called within."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def check_flow(twin: nn.Module, names: list[str], input_shape: tuple[int, ...]) -> None:
    """Errors: a net in which flow is not conserved (no larger weight may lower R), or one that overflows."""
    with Calls() as calls:
        total, scores = flow(twin, names, input_shape)
    if not bool(total.isfinite()):
        raise SparsebenchError("synflow: the net's flow overflows float64; use another method for this model")
    lowest = min(float(s.min()) for s in scores.values())
    highest = max(float(s.max()) for s in scores.values())
    dry = [name for name, s in scores.items() if not bool(s.any())]
    if dry:
        raise SparsebenchError(
            f"synflow: nothing flows through {dry[0]} of the fresh net (an activation that saturates, or "
            "weights that start at 0): use another method for this model"
        )
    if calls.names & UNLIKE_FLOW or lowest < -1e-9 * highest:
        raise SparsebenchError(
            "synflow's law of conservation fails on a net that normalises over features or attends "
            "(LayerNorm, GroupNorm, softmax): use another method for this model, such as snip or magnitude"
        )


def synflow_masks(
    model: nn.Module,
    names: list[str],
    input_shape: tuple[int, ...],
    sparsity: float,
    each: Callable[[dict[str, Tensor]], None] = lambda scores: None,
) -> dict[str, Tensor]:
    """SynFlow's masks in 100 exponential iterations; the model itself is not touched.

    After iteration k the top (1-s)^(k/100) of all weights live, the last time exactly the target's count.
    `each` sees every iteration's scores.
    """
    twin = linearised(model)
    size = sum(twin.get_parameter(name).numel() for name in names)
    masks: dict[str, Tensor] = {}
    check_flow(twin, names, input_shape)
    for k in range(1, ITERATIONS + 1):
        scores = flow(twin, names, input_shape)[1]
        each(scores)
        for name, mask in masks.items():  # a dead weight never comes back, not even among zeros
            scores[name].masked_fill_(~mask, -1.0)
        keep = max(1, round((1 - sparsity) ** (k / ITERATIONS) * size))
        masks = global_top(scores, keep)
        with torch.no_grad():
            for name, mask in masks.items():
                twin.get_parameter(name).mul_(mask)
    return masks


@register("synflow", reference="arXiv:2006.05467", version=2)
@dataclass
class SynFlow(Sparsifier):
    """R = Σ f(1; |θ|), S = |∂R/∂w ⊙ w|; a hundred times, keep the top (1-s)^(k/100) of all weights.

    No data: one image of ones, in eval mode and float64, with all parameters and BatchNorm statistics by
    absolute value. The scores are a flow that each layer conserves, so no layer empties before the others
    must. That law fails under LayerNorm, GroupNorm and attention: such nets are refused.
    """

    sparsity: float = sparsity_knob()

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        probe.charge(ITERATIONS + 1)  # one image each, the first to see whether flow is conserved at all
        return masked_groups(net, synflow_masks(probe.model, net.names, probe.input_shape, self.sparsity))
