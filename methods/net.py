"""Net: the view of the model that a method is given.

It owns how the prunable weights are stored, their masks, and the optimizer's memory of them. A method sees
names, effective weights, dense gradients, and asks for groups; it never meets the model's class.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import SparsebenchError
from . import fused
from .plan import ParamGroup
from .storage import Elementwise, Factors, Plain, Storage

Masks = dict[str, Tensor]


class Net:
    """The prunable weights of a model, by name, in the model's order.

    `weights[name]` is the plain parameter holding the effective weight, shaped `(out, in, *k)`;
    `masks[name]`, where set, is a boolean tensor of that shape, True where the weight lives.
    """

    def __init__(self, model: nn.Module, prunable: Sequence[str], generator: torch.Generator) -> None:
        self.model = model
        self.generator = generator
        parameters = dict(model.named_parameters())
        self.weights_by_name: dict[str, nn.Parameter] = {name: parameters[name] for name in prunable}
        if not self.weights_by_name:
            raise SparsebenchError("the model has no Linear or Conv weight that could be pruned")
        self._masks: Masks = {}
        self._multipliers: Masks | None = {}
        self.mask_version = 0
        self.storage: Storage = Plain(self.weights_by_name)
        self.optimizers: list[torch.optim.Optimizer] = []

    @property
    def names(self) -> list[str]:
        """The prunable weights' names, in the model's order."""
        return list(self.weights_by_name)

    @property
    def size(self) -> int:
        """|P|: how many prunable weights there are."""
        return sum(w.numel() for w in self.weights_by_name.values())

    def weight(self, name: str) -> Tensor:
        """The effective weight, detached; writing to it writes to the model."""
        return self.weights_by_name[name].detach()

    def grad(self, name: str) -> Tensor:
        """The dense gradient of the effective weight; writing to it changes the step."""
        w = self.weights_by_name[name]
        if w.grad is None:
            w.grad = torch.zeros_like(w)
        return w.grad

    # What the optimizer is to move

    def weights(self, *, weight_decay: float | None = None, l2: float = 0.0, **more: Any) -> ParamGroup:
        """The plain weights as a group, with the recipe's ordinary decay unless another is given."""
        return ParamGroup(list(self.weights_by_name.values()), weight_decay, l2, **more)

    def others(self, **more: Any) -> ParamGroup:
        """Everything that is not prunable: biases, norms, embeddings. No decay."""
        prunable = {id(w) for w in self.weights_by_name.values()}
        return ParamGroup([p for p in self.model.parameters() if id(p) not in prunable], 0.0, **more)

    def factorize(self, depth: int, init: Callable[[str, Tensor], Tensor]) -> None:
        """Store w = ω₁⊙…⊙ω_D; `init(name, w)` gives the factors, shape `(depth, *w.shape)`."""
        if depth < 2:
            raise SparsebenchError(f"a factorization needs depth 2 or more, not {depth}")
        self.storage = Factors(self.weights_by_name, depth, init)

    def factors(self, *, l2: float = 0.0, **more: Any) -> ParamGroup:
        """The factors as a group, with the method's own l2 and no ordinary decay."""
        return ParamGroup(self.factorized.params(), 0.0, l2, **more)

    @property
    def factorized(self) -> Factors:
        """The factor storage. Errors: the net was not factorized."""
        if not isinstance(self.storage, Factors):
            raise SparsebenchError("the net is not factorized: call net.factorize first")
        return self.storage

    def reparametrize(self, compose: Callable[..., Tensor], **start: Callable[[Tensor], Tensor]) -> None:
        """Store w = compose(**parameters) layer by layer; `start[key](w)` gives each first value."""
        self.storage = Elementwise(self.weights_by_name, compose, start)

    def parameters(self, key: str) -> dict[str, nn.Parameter]:
        """One parameter of an elementwise reparametrisation, by layer."""
        if not isinstance(self.storage, Elementwise):
            raise SparsebenchError("the net is not reparametrised: call net.reparametrize first")
        return self.storage.owned[key]

    def group(self, key: str, *, weight_decay: float | None = 0.0, **more: Any) -> ParamGroup:
        """One parameter of an elementwise reparametrisation as a group."""
        return ParamGroup(list(self.parameters(key).values()), weight_decay, **more)

    def sgd(self, options: list[dict[str, Any]], **more: Any) -> torch.optim.SGD:
        """torch's SGD, or one that knows how the weights are stored and does the same in less time."""
        return fused.sgd(options, self.storage, **more)

    # Masks

    @property
    def masks(self) -> Masks:
        """Boolean, True where a weight lives; layers without a mask are missing."""
        return self._masks

    @masks.setter
    def masks(self, masks: Mapping[str, Tensor]) -> None:
        self._masks, self._multipliers = dict(masks), None
        self.mask_version += 1

    @property
    def multipliers(self) -> Masks:
        """The masks as 0 and 1 in the weights' own type: five times as fast to multiply by as booleans."""
        if self._multipliers is None:
            kinds = {name: w.dtype for name, w in self.weights_by_name.items()}
            self._multipliers = {name: mask.to(kinds[name]) for name, mask in self._masks.items()}
        return self._multipliers

    @torch.no_grad()
    def set_masks(self, masks: Mapping[str, Tensor]) -> None:
        """Replace the masks: zero what is masked now, and forget the optimizer's memory where masks changed.

        A coordinate that becomes active starts from 0 without momentum; one that stays keeps both.
        """
        for name in self.names:
            old, new = self.masks.get(name), masks.get(name)
            if old is None and new is None:
                continue
            shape, device = self.weights_by_name[name].shape, self.weights_by_name[name].device
            everywhere = torch.ones(shape, dtype=torch.bool, device=device)
            changed = (everywhere if old is None else old) ^ (everywhere if new is None else new)
            self.forget(name, changed)
        self.masks = {name: mask.clone() for name, mask in masks.items()}
        self._apply_masks()

    def _apply_masks(self) -> None:
        self._mask(lambda weight: weight.detach())

    def _mask(self, of: Callable[[nn.Parameter], Tensor | None]) -> None:
        """Zero what is masked in a tensor of each weight, all at once: one launch on a GPU."""
        tensors, multipliers = [], []
        for name, multiplier in self.multipliers.items():
            if (tensor := of(self.weights_by_name[name])) is not None:
                tensors.append(tensor)
                multipliers.append(multiplier)
        if tensors:
            torch._foreach_mul_(tensors, multipliers)

    @torch.no_grad()
    def forget(self, name: str, where: Tensor) -> None:
        """Zero every optimizer buffer (momentum, moments) of the weight `name` where `where` is True."""
        for param, view in self.storage.slots(name):
            for optimizer in self.optimizers:
                for buffer in optimizer.state.get(param, {}).values():
                    if isinstance(buffer, Tensor) and buffer.shape == param.shape:
                        view(buffer).masked_fill_(where, 0.0)

    # What the trainer calls around a step

    def pull(self) -> None:
        """Dense gradients to the gradients of what the optimizer owns; masked coordinates get none."""
        self._mask(lambda weight: weight.grad)
        self.storage.pull()

    def push(self) -> None:
        """What the optimizer moved to the effective weights; masks are projections, applied again."""
        if isinstance(self.storage, Plain) and not self._masks:
            return
        with torch.no_grad():
            self.storage.push()
            self._apply_masks()

    @torch.no_grad()
    def collapse(self) -> None:
        """Make every prunable weight a tensor of its own again: the finished model is the plain one."""
        for w in self.weights_by_name.values():
            w.data = w.data.clone()
            w.grad = None

    # Snapshots

    def _beside_the_model(self) -> list[Tensor]:
        """What the storage owns that is no parameter of the model: plain weights are both."""
        own = {id(p) for p in self.model.parameters()}
        return [p for p in self.storage.params() if id(p) not in own]

    def snapshot(self) -> dict[str, Any]:
        """Copies of all parameters, buffers and masks; the optimizer's memory is not part of it."""
        return {
            "model": {key: value.clone() for key, value in self.model.state_dict().items()},
            "storage": [p.detach().clone() for p in self._beside_the_model()],
            "masks": {name: mask.clone() for name, mask in self.masks.items()},
        }

    @torch.no_grad()
    def restore(self, snapshot: Mapping[str, Any], *, masks: bool = False) -> None:
        """Go back to a snapshot, in place. The present masks stay, and are applied, unless `masks`."""
        state = self.model.state_dict()
        for key, value in snapshot["model"].items():
            state[key].copy_(value)
        for param, value in zip(self._beside_the_model(), snapshot["storage"], strict=True):
            param.detach().copy_(value)
        if masks:
            self.masks = {name: mask.clone() for name, mask in snapshot["masks"].items()}
        self.push()
