"""Multiply-accumulates of a forward pass, and the theoretical speed-up that zeros give."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .compression import CONVS, ratio


@torch.inference_mode()
def macs(model: nn.Module, shape: tuple[int, int, int], device: torch.device) -> dict[str, int]:
    """Returns the multiply-accumulates of each Linear and Conv weight for one image.

    Linear: in·out for each position it is applied to; Conv: (C_in/groups)·C_out·k·H_out·W_out. They are
    counted with forward hooks on one all-zero image in eval mode; the model is the same afterwards.

    Args:
        model: The model, on `device`.
        shape: (C, H, W) of an image.
        device: Where the image is put.

    Returns:
        Multiply-accumulates by parameter name; a layer that runs several times has the sum, and one that the
        forward pass does not reach is missing.

    Example:
        >>> macs(nn.Conv2d(1, 2, 3), (1, 8, 8), torch.device("cpu"))  # 1·2·9 weights at 6·6 positions
        {'weight': 648}
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
    """Returns the theoretical speed-up: ΣMAC / Σ MAC·density over all Linear and Conv layers.

    Args:
        cost: Multiply-accumulates of the dense layers by parameter name, from `macs`.
        density: Fraction of nonzero weights by parameter name; a layer that is missing counts as dense
            (density 1), such as one that `keep_dense` names.

    Returns:
        The ratio; 1 for a dense model. It bounds what skipping zeros could save, no time is measured.

    Example:
        >>> speedup({"fc1": 800, "fc2": 200}, {"fc1": 0.25})  # 1000 / (200 + 200)
        2.5
    """
    sparse = sum(value * density.get(name, 1.0) for name, value in cost.items())
    return ratio(sum(cost.values()), sparse)
