"""The size of a network: parameters, multiply-accumulates, bytes on the disk and in memory."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ...records.measured.latency import Size
from ..measurement.flops import macs
from ..models.model_file import cpu_state_dict


def network_size(model: nn.Module, images: Tensor) -> Size:
    """Returns the size of a network.

    Args:
        model: The network, on the CPU.
        images: A batch, whose pass the memory is counted for.

    Returns:
        The size.

    Example:
        >>> network_size(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.zeros(3, 1, 2, 2)).macs
        8
    """
    own = [*model.parameters(), *model.buffers()]
    return Size(
        parameters=sum(p.numel() for p in model.parameters()),
        macs=sum(macs(model, tuple(images.shape[1:])).values()),
        file_bytes=len(save(cpu_state_dict(model))),
        memory_bytes=peak_bytes(model, images) + _bytes(own),
    )


@torch.no_grad()
def peak_bytes(model: Callable[[Tensor], Any], images: Tensor) -> int:
    """Returns the most bytes of tensors that a pass makes and that are alive at once.

    Counted by operator, so the same on every machine: not what kernels take for themselves, such as the
    columns of a convolution.

    Args:
        model: The network.
        images: A batch, which is not counted.

    Returns:
        Bytes.

    Example:
        >>> peak_bytes(nn.Sequential(nn.ReLU(), nn.ReLU()), torch.zeros(1000))  # two results at a time
        8000
    """
    alive = _Alive()
    with alive:
        model(images)
    return alive.peak


def _bytes(tensors: Iterable[Tensor]) -> int:
    sizes: dict[int, int] = {_storage(t): t.untyped_storage().nbytes() for t in tensors}
    return sum(sizes.values())


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The storages that operators have made and that a tensor still refers to."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._tensors: Counter[int] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {_storage(t) for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and (
                _storage(tensor) in self._tensors or _storage(tensor) not in given
            ):
                self._made(tensor)
        self.peak = max(self.peak, self.now)
        return out

    def _made(self, tensor: Tensor) -> None:
        key, size = _storage(tensor), tensor.untyped_storage().nbytes()
        self.now += size if key not in self._tensors else 0
        self._tensors[key] += 1
        weakref.finalize(tensor, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._tensors[key] -= 1
        if not self._tensors[key]:
            del self._tensors[key]
            self.now -= size


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
