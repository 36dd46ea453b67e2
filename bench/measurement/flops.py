"""Multiply-accumulates of a forward pass, and the theoretical speed-up that zeros give."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .compression import CONVS, ratio


@torch.inference_mode()
def macs(model: nn.Module, shape: tuple[int, int, int], device: torch.device) -> dict[str, int]:
    """Multiply-accumulates of each Linear and Conv weight for one image, by parameter name.

    Linear: in·out for each position it is applied to; Conv: (C_in/groups)·C_out·k·H_out·W_out.
    """
    found: dict[str, int] = {}

    def count(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            per_output = module.weight[0].numel()  # type: ignore[index]
            found[name] = found.get(name, 0) + per_output * output.numel()

        return hook

    handles = [
        module.register_forward_hook(count(f"{name}.weight" if name else "weight"))
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, *CONVS))
    ]
    was_training = model.training
    model.eval()
    try:
        model(torch.zeros(1, *shape, device=device))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return found


def speedup(cost: Mapping[str, int], density: Mapping[str, float]) -> float:
    """Theoretical speed-up: ΣMAC / Σ MAC·density, over all layers (1 where a layer was kept dense)."""
    sparse = sum(value * density.get(name, 1.0) for name, value in cost.items())
    return ratio(sum(cost.values()), sparse)
