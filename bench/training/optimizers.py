"""A method's parameter groups to torch optimizers; penalties that belong to a method stay coupled."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ...methods.api import ParamGroup
from ..config.trial_spec import Recipe


class Optimizers:
    """The optimizers of one training: one for each kind that the groups ask for.

    A group's `l2` is the penalty (l2/2)·‖p‖². SGD and Adam take it as their coupled `weight_decay`; AdamW's
    own decay is decoupled and would ignore the strength, so there it is added to the gradient. `sgd` makes
    the optimizer of that kind: a net may have one of its own for what it stores.
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
        """Fresh optimizers over the same groups: every buffer starts anew. The list stays the same object."""
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
        """Move the parameters at the schedule's rate `lr`; a group with its own rate follows lr/peak."""
        for group in self.coupled:
            for p in group.params:
                if p.grad is not None:
                    p.grad.add_(p.detach(), alpha=group.l2)
        for optimizer, members in zip(self.all, self.by_kind.values(), strict=True):
            for options, group in zip(optimizer.param_groups, members, strict=True):
                options["lr"] = lr * group.lr_scale if group.lr is None else group.lr * lr / peak
            optimizer.step()
