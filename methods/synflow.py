"""SynFlow: pruning at initialisation without data, by scores whose sum is the same in every layer."""

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
    """Returns a copy of a model in eval mode and float64, with absolute values of parameters and buffers.

    Norms with γ = 0 get γ = 1, as otherwise every score in their branch would be 0.

    Args:
        model: The fresh model, which is not changed.

    Returns:
        The copy, on the model's device (on the CPU for MPS, which has no float64).

    Example:
        >>> twin = linearised(model)
        >>> min(p.min().item() for p in twin.parameters()) >= 0, next(twin.parameters()).dtype
        (True, torch.float64)
    """
    twin = copy.deepcopy(model).eval()
    if next(twin.parameters()).device.type == "mps":  # has no float64
        twin = twin.cpu()
    twin = twin.double()
    with torch.no_grad():
        for value in twin.state_dict().values():
            value.abs_()
    open_up(twin)
    return twin


def flow(twin: nn.Module, names: list[str], input_shape: tuple[int, ...]) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns R = Σ twin(1), and the scores ∂R/∂w ⊙ w of each prunable weight.

    Args:
        twin: A linearised model.
        names: The names of its prunable weights.
        input_shape: The shape of one image, which is all ones.

    Returns:
        R, and the scores by layer. Without biases each layer's scores sum to R.

    Example:
        >>> twin = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
        >>> for p in twin.parameters():
        ...     _ = nn.init.ones_(p)
        >>> total, scores = flow(twin, ["0.weight", "1.weight"], (2,))
        >>> total.item(), {name: s.tolist() for name, s in scores.items()}
        (4.0, {'0.weight': [[1.0, 1.0], [1.0, 1.0]], '1.weight': [[2.0, 2.0]]})
    """
    weights = [twin.get_parameter(name) for name in names]
    first = weights[0]
    ones = torch.ones(1, *input_shape, dtype=first.dtype, device=first.device)
    total = twin(ones).sum()
    found = torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)
    scores = {name: (g * w).detach() for name, g, w in zip(names, found, weights, strict=True)}
    return total.detach(), scores


class _Calls(TorchFunctionMode):
    """A context that records the names of the torch functions called within it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def _check_flow(twin: nn.Module, names: list[str], input_shape: tuple[int, ...]) -> None:
    """Raises `SparsebenchError` where flow is not conserved (a larger weight lowers R), is 0 or overflows."""
    with _Calls() as calls:
        total, scores = flow(twin, names, input_shape)
    if not bool(total.isfinite()):
        raise SparsebenchError("synflow: the net's flow overflows float64; use another method for this model")
    lowest = min(float(s.min()) for s in scores.values())
    highest = max(float(s.max()) for s in scores.values())
    dry = [name for name, s in scores.items() if not bool(s.any())]
    if dry:
        raise SparsebenchError(
            f"synflow: all scores of {dry[0]} are 0 before training (a saturated activation, or "
            "weights that start at 0): use another method for this model"
        )
    if calls.names & UNLIKE_FLOW or lowest < -1e-9 * highest:
        raise SparsebenchError(
            "synflow's law of conservation fails on a net that normalises over features or uses attention "
            "(LayerNorm, GroupNorm, softmax): use another method for this model, such as snip or magnitude"
        )


def synflow_masks(
    model: nn.Module,
    names: list[str],
    input_shape: tuple[int, ...],
    sparsity: float,
    each: Callable[[dict[str, Tensor]], None] = lambda scores: None,
) -> dict[str, Tensor]:
    """Returns SynFlow's masks by 100 iterations with an exponential schedule.

    After iteration k the weights with the largest scores remain, a fraction (1-s)^(k/100) of all; after the
    last their number is the target's.

    Args:
        model: The fresh model, which is not changed.
        names: The names of its prunable weights.
        input_shape: The shape of one image.
        sparsity: s, the fraction of zeros over all prunable weights.
        each: Called with the scores of every iteration, by layer.

    Returns:
        A boolean mask for each layer, True for the weights that remain.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8, bias=False), nn.Linear(8, 2, bias=False))
        >>> masks = synflow_masks(model, ["0.weight", "1.weight"], (4,), sparsity=0.75)
        >>> sum(int(mask.sum()) for mask in masks.values()), all(mask.any() for mask in masks.values())
        (12, True)
    """
    twin = linearised(model)
    size = sum(twin.get_parameter(name).numel() for name in names)
    masks: dict[str, Tensor] = {}
    _check_flow(twin, names, input_shape)
    for k in range(1, ITERATIONS + 1):
        scores = flow(twin, names, input_shape)[1]
        each(scores)
        for name, mask in masks.items():  # a pruned weight stays pruned, even where all scores are 0
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

    Attributes:
        sparsity: s, the fraction of zeros over all prunable weights.

    Example:
        >>> from sparsebench.bench.training.probe import TrainingProbe
        >>> from sparsebench.methods.api import configure
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.Linear(8, 2))
        >>> net = Net(model, ["1.weight", "2.weight"], torch.Generator())
        >>> probe = TrainingProbe(model, (1, 2, 2), iter([]), batch_size=32, total_steps=100)
        >>> groups = configure("synflow", {"sparsity": 0.75}).attach(net, plan=None, probe=probe)
        >>> sum(int(mask.sum()) for mask in net.masks.values()), probe.spent  # 101 images, 32 a step
        (12, 4)
    """

    sparsity: float = sparsity_knob()

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        probe.charge(ITERATIONS + 1)  # one image each, the first to see whether flow is conserved at all
        return masked_groups(net, synflow_masks(probe.model, net.names, probe.input_shape, self.sparsity))
