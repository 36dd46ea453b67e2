"""Torch optimizers for a method's parameter groups; a method's own l2 penalties stay coupled."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ...methods.api import ParamGroup
from ..config.trial_spec import Recipe


class Optimizers:
    """The optimizers of one training: one for each kind (SGD, Adam, AdamW) that the groups ask for.

    A group's `l2` is the penalty (l2/2)·‖p‖². SGD and Adam take it as their coupled `weight_decay`; AdamW's
    own decay is decoupled and bypasses its moments, so there l2·p is added to the gradient instead.

    Args:
        groups: A method's parameter groups; those without parameters are left out.
        recipe: The optimizer of groups that name none, its momentum, and whether it is Nesterov's.
        weight_decay: The ordinary decay, of groups whose `weight_decay` is None.
        sgd: Makes an SGD optimizer: a net may have a faster one for the way it stores the weights.

    Example:
        >>> w = torch.tensor([2.0], requires_grad=True)
        >>> optimizers = Optimizers([ParamGroup([w], weight_decay=None)], Recipe(), weight_decay=0.25)
        >>> w.grad = torch.zeros(1)
        >>> optimizers.step(lr=0.5, peak=0.5)  # w - 0.5·(0 + 0.25·w)
        >>> w.detach()
        tensor([1.7500])
    """

    def __init__(
        self,
        groups: Sequence[ParamGroup],
        recipe: Recipe,
        weight_decay: float,
        sgd: Callable[..., torch.optim.SGD] = torch.optim.SGD,
    ) -> None:
        self.recipe, self.weight_decay, self.sgd = recipe, weight_decay, sgd
        self.by_kind: dict[str, list[ParamGroup]] = {}
        for group in groups:
            if group.params:
                self.by_kind.setdefault(group.optimizer or recipe.optimizer, []).append(group)
        self.coupled = [g for g in self.by_kind.get("adamw", []) if g.l2]
        self.all: list[torch.optim.Optimizer] = []
        self.rebuild()

    def rebuild(self) -> None:
        """Replaces the optimizers in the list `all` by new ones without buffers, over the same groups."""
        self.all[:] = [self._build(kind, members) for kind, members in self.by_kind.items()]

    def _build(self, kind: str, members: list[ParamGroup]) -> torch.optim.Optimizer:
        options: list[dict[str, Any]] = []
        for group in members:
            decay = self.weight_decay if group.weight_decay is None else group.weight_decay
            coupled_l2 = 0.0 if kind == "adamw" else group.l2
            options.append({"params": group.params, "weight_decay": decay + coupled_l2})
        fused = all(p.device.type in ("cpu", "cuda") for group in members for p in group.params)
        if kind == "sgd":
            momentum = self.recipe.momentum
            nesterov = self.recipe.nesterov and momentum > 0
            return self.sgd(options, lr=0.0, momentum=momentum, nesterov=nesterov, fused=fused)
        if kind == "adam":
            return torch.optim.Adam(options, lr=0.0, fused=fused)
        return torch.optim.AdamW(options, lr=0.0, fused=fused)

    def step(self, lr: float, peak: float) -> None:
        """Steps all optimizers at the schedule's rate `lr`; a group with its own rate follows lr/peak."""
        for group in self.coupled:
            for p in group.params:
                if p.grad is not None:
                    p.grad.add_(p.detach(), alpha=group.l2)
        for optimizer, members in zip(self.all, self.by_kind.values(), strict=True):
            for options, group in zip(optimizer.param_groups, members, strict=True):
                options["lr"] = lr * group.lr_scale if group.lr is None else group.lr * lr / peak
            optimizer.step()
