"""Net: a method's view of the model.

It owns the storage of the prunable weights, their masks, and access to the optimizer's buffers for them. A
method sees names, effective weights and dense gradients, and requests parameter groups; it never sees the
model's class.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import SparsebenchError
from . import fused
from .plan import ParamGroup
from .storage import Elementwise, Factors, Plain, Storage

if TYPE_CHECKING:
    from .channels import Channels

Masks = dict[str, Tensor]


class Net:
    """The prunable weights of a model by name, with their storage, their masks and snapshots.

    `weights_by_name[name]` is the plain parameter that holds the effective weight, shaped `(out, in, *k)`;
    `masks[name]`, where set, is a boolean tensor of that shape, False where the weight is pruned.

    Args:
        model: The model; its parameters hold the effective weights throughout.
        prunable: The names of the parameters that may be pruned, in the model's order.
        generator: The source of all of a method's random numbers, seeded by the trial.
        find_channels: Finds the channels of the network, when a structured method asks for them.

    Example:
        >>> net.size, {name: tuple(net.weight(name).shape) for name in net.names}
        (50200, {'1.weight': (300, 64), '3.weight': (100, 300), '5.weight': (10, 100)})
        >>> net.set_masks({name: net.weight(name) > 0 for name in net.names})
        >>> bool((net.model[5].weight >= 0).all())  # the masked weights of the model are zero now
        True
    """

    def __init__(
        self,
        model: nn.Module,
        prunable: Sequence[str],
        generator: torch.Generator,
        find_channels: "Callable[[], Channels] | None" = None,
    ) -> None:
        self.model = model
        self._find_channels = find_channels
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
        """|P|, the number of prunable weights."""
        return sum(w.numel() for w in self.weights_by_name.values())

    def weight(self, name: str) -> Tensor:
        """The effective weight, detached; writing to it writes to the model.

        A convolution's lies channels last in memory, so that its `flatten` and `reshape` are copies.
        """
        return self.weights_by_name[name].detach()

    def effective_weights(self) -> dict[str, Tensor]:
        """The effective weights by name, detached as `weight` returns them, in the model's order."""
        return {name: self.weight(name) for name in self.names}

    def grad(self, name: str) -> Tensor:
        """The dense gradient of the effective weight; writing to it changes the step."""
        w = self.weights_by_name[name]
        if w.grad is None:
            w.grad = torch.zeros_like(w)
        return w.grad

    @cached_property
    def channels(self) -> "Channels":
        """The channels that can be removed whole; raises `SparsebenchError` where there are none."""
        if self._find_channels is None:
            raise SparsebenchError("the channels of this network are not known")
        return self._find_channels()

    # Parameter groups and storage

    def weights(self, *, weight_decay: float | None = None, l2: float = 0.0, **more: Any) -> ParamGroup:
        """The plain weights as a group, with the recipe's ordinary decay unless `weight_decay` is given."""
        return ParamGroup(list(self.weights_by_name.values()), weight_decay, l2, **more)

    def others(self, **more: Any) -> ParamGroup:
        """The parameters that are not prunable as a group, without decay: biases, norms, embeddings."""
        prunable = {id(w) for w in self.weights_by_name.values()}
        return ParamGroup([p for p in self.model.parameters() if id(p) not in prunable], 0.0, **more)

    def factorize(self, depth: int, init: Callable[[str, Tensor], Tensor]) -> None:
        """Stores w = ω₁⊙…⊙ω_D; `init(name, w)` returns a layer's factors, shape `(depth, *w.shape)`."""
        if depth < 2:
            raise SparsebenchError(f"a factorization needs depth 2 or more, not {depth}")
        self.storage = Factors(self.weights_by_name, depth, init)

    def factors(self, *, l2: float = 0.0, **more: Any) -> ParamGroup:
        """The factors as a group, with the method's own L2 penalty and no ordinary decay."""
        return ParamGroup(self.factorized.params(), 0.0, l2, **more)

    @property
    def factorized(self) -> Factors:
        """The factor storage; raises `SparsebenchError` where the net is not factorized."""
        if not isinstance(self.storage, Factors):
            raise SparsebenchError("the net is not factorized: call net.factorize first")
        return self.storage

    def reparametrize(
        self,
        compose: Callable[..., Tensor],
        names: Sequence[str] | None = None,
        **start: Callable[[Tensor], Tensor],
    ) -> None:
        """Stores w = compose(**parameters) by layer; `start[key](w)` returns a parameter's initial value.

        Where `names` are given, the other layers stay plain.
        """
        self.storage = Elementwise(self.weights_by_name, compose, start, names)

    def parameters(self, key: str) -> dict[str, nn.Parameter]:
        """One parameter of an elementwise reparametrisation by layer; raises where there is none."""
        if not isinstance(self.storage, Elementwise):
            raise SparsebenchError("the net is not reparametrised: call net.reparametrize first")
        return self.storage.owned[key]

    def group(self, key: str, *, weight_decay: float | None = 0.0, **more: Any) -> ParamGroup:
        """One parameter of an elementwise reparametrisation as a group."""
        return ParamGroup(list(self.parameters(key).values()), weight_decay, **more)

    def sgd(self, options: list[dict[str, Any]], **more: Any) -> torch.optim.SGD:
        """torch's SGD, or for factorized weights one that computes the same in less time."""
        return fused.sgd(options, self.storage, **more)

    # Masks

    @property
    def masks(self) -> Masks:
        """The boolean masks by name, False where a weight is pruned; unmasked layers are missing."""
        return self._masks

    @masks.setter
    def masks(self, masks: Mapping[str, Tensor]) -> None:
        self._masks, self._multipliers = dict(masks), None
        self.mask_version += 1

    @property
    def multipliers(self) -> Masks:
        """The masks as 0 and 1 in the weights' dtype: five times as fast to multiply by as booleans."""
        if self._multipliers is None:
            kinds = {name: w.dtype for name, w in self.weights_by_name.items()}
            self._multipliers = {name: mask.to(kinds[name]) for name, mask in self._masks.items()}
        return self._multipliers

    @torch.no_grad()
    def set_masks(self, masks: Mapping[str, Tensor]) -> None:
        """Replaces the masks, zeroes the masked weights, and the optimizer's buffers where masks changed.

        A weight that becomes active starts from 0 without momentum; one that stays active keeps both.
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
        """Zeroes the masked entries of one tensor per weight, all at once: one launch on a GPU."""
        tensors, multipliers = [], []
        for name, multiplier in self.multipliers.items():
            if (tensor := of(self.weights_by_name[name])) is not None:
                tensors.append(tensor)
                multipliers.append(multiplier)
        if tensors:
            torch._foreach_mul_(tensors, multipliers)

    @torch.no_grad()
    def forget(self, name: str, where: Tensor) -> None:
        """Zeroes every optimizer buffer (momentum, moments) of the weight `name` where `where` is True."""
        for param, view in self.storage.slots(name):
            for optimizer in self.optimizers:
                for buffer in optimizer.state.get(param, {}).values():
                    if isinstance(buffer, Tensor) and buffer.shape == param.shape:
                        view(buffer).masked_fill_(where, 0.0)

    # Called by the trainer around a step

    def pull(self) -> None:
        """Computes the gradients of the optimizer's tensors from the dense ones, with masked entries at 0."""
        self._mask(lambda weight: weight.grad)
        self.storage.pull()

    def push(self) -> None:
        """Computes the effective weights from the optimizer's tensors, and applies the masks again."""
        if isinstance(self.storage, Plain) and not self._masks:
            return
        with torch.no_grad():
            self.storage.push()
            self._apply_masks()

    @torch.no_grad()
    def collapse(self) -> None:
        """Makes every prunable weight a tensor of its own again, so that the finished model is plain."""
        for w in self.weights_by_name.values():
            w.data = w.data.clone()
            w.grad = None

    # Snapshots

    def _beside_the_model(self) -> list[Tensor]:
        """The storage's tensors that are not parameters of the model; none for plain weights."""
        own = {id(p) for p in self.model.parameters()}
        return [p for p in self.storage.params() if id(p) not in own]

    def snapshot(self) -> dict[str, Any]:
        """Returns copies of all parameters, buffers and masks, without the optimizer's buffers."""
        return {
            "model": {key: value.clone() for key, value in self.model.state_dict().items()},
            "storage": [p.detach().clone() for p in self._beside_the_model()],
            "masks": {name: mask.clone() for name, mask in self.masks.items()},
        }

    @torch.no_grad()
    def restore(self, snapshot: Mapping[str, Any], *, masks: bool = False) -> None:
        """Restores a snapshot in place; its masks with `masks=True`, else the present ones are applied."""
        state = self.model.state_dict()
        for key, value in snapshot["model"].items():
            state[key].copy_(value)
        for param, value in zip(self._beside_the_model(), snapshot["storage"], strict=True):
            param.detach().copy_(value)
        if masks:
            self.masks = {name: mask.clone() for name, mask in snapshot["masks"].items()}
        self.push()
