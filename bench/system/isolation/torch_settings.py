"""Settings of torch that hold for a whole process, each with the functions that read and set it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import overrides
from torch.nn.modules import module as modules
from torch.optim import optimizer as optimizers
from torch.utils import _python_dispatch as dispatch


class Setting(NamedTuple):
    """A setting of this process.

    Attributes:
        name: What messages call it.
        get: Reads it, as a value that can be compared and does not change with the setting.
        set: Sets it to a value that `get` has returned.

    Example:
        >>> setting = Setting("the default dtype", torch.get_default_dtype, torch.set_default_dtype)
        >>> setting.set(setting.get())
    """

    name: str
    get: Callable[[], Any]
    set: Callable[[Any], Any]


def torch_settings() -> Iterator[Setting]:
    """Yields the settings of torch that this version has; modes come first, as they act on all operators.

    Yields:
        The settings.

    Example:
        >>> names = [setting.name for setting in torch_settings()]
        >>> "gradients" in names, "deterministic algorithms" in names
        (True, True)
    """
    yield Setting("modes over torch's functions", _function_modes, _pop_function_modes)
    yield Setting("modes over torch's operators", _dispatch_modes, _pop_dispatch_modes)
    yield Setting("the default device", _default_device, torch.set_default_device)
    yield Setting("the default dtype", torch.get_default_dtype, torch.set_default_dtype)
    yield Setting("gradients", torch.is_grad_enabled, torch._C._set_grad_enabled)
    yield Setting("inference mode", torch.is_inference_mode_enabled, _refuse)
    for kind in ("cpu", "cuda"):
        yield Setting(f"autocast on {kind}", *_autocast(kind))
    yield Setting("contexts of autocast", _autocast_contexts, _leave_autocast)
    yield Setting("anomaly detection", _anomaly, lambda value: torch.set_anomaly_enabled(*value))
    yield Setting("deterministic algorithms", _deterministic, _set_deterministic)
    yield Setting("the number of threads", torch.get_num_threads, torch.set_num_threads)
    yield Setting(
        "the number of threads between operators",
        torch.get_num_interop_threads,
        torch.set_num_interop_threads,
    )
    yield Setting("denormal numbers", _flushes_denormals, torch.set_flush_denormal)
    yield Setting("hooks of all modules or optimizers", _global_hooks, _set_global_hooks)
    yield Setting("hooks of saved tensors", _saved_tensor_hooks, _pop_saved_tensor_hooks)
    yield from _pairs()


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Flushes denormal numbers to zero, also in threads that start meanwhile; then as before.

    Yields:
        Nothing.

    Example:
        >>> with flushed_denormals():
        ...     (torch.tensor([1e-38]) / 100).item()  # 1e-40 is denormal in float32
        0.0
    """
    before = _flushes_denormals()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _pairs() -> Iterator[Setting]:
    """Yields torch's switches: each pair of `_get_NAME` and `_set_NAME` with a plain value or a choice."""
    for getter in sorted(name for name in dir(torch._C) if name.startswith("_get_")):
        name = getter.removeprefix("_get_")
        setter = re.sub(r"^(\w+)_sdp_enabled$", r"sdp_use_\1", name)  # a kernel of attention
        get, put = getattr(torch._C, getter), getattr(torch._C, f"_set_{setter}", None)
        if put is None or name in _OTHERWISE:
            continue
        with suppress(Exception):  # one that takes arguments, or that this build does not have
            value = get()
            if isinstance(value, bool | int | str | list) or hasattr(type(value), "__members__"):
                put(value)
                yield Setting(f"torch's {name}", get, put)
    if hasattr(torch._C, "_get_fp32_precision_getter"):
        for place in _PRECISION:
            get, put = torch._C._get_fp32_precision_getter, torch._C._set_fp32_precision_setter
            yield Setting(
                f"float32 precision of {' '.join(place)}", partial(get, *place), partial(put, *place)
            )


_OTHERWISE = ("deterministic_algorithms", "default_device", "thread_name")  # the last is of one thread
_PARTS = ("all", "conv", "rnn", "matmul")
_PRECISION = [("generic", "all"), *((kind, part) for kind in ("mkldnn", "cuda") for part in _PARTS)]


def _refuse(value: Any) -> None:
    raise RuntimeError("it cannot be set")


def _function_modes() -> int:
    return len(overrides._get_current_function_mode_stack())  # type: ignore[no-untyped-call]


def _pop_function_modes(count: int) -> None:
    while _function_modes() > count:
        overrides._pop_mode()  # type: ignore[no-untyped-call]


def _dispatch_modes() -> int:
    return len(dispatch._get_current_dispatch_mode_stack())


def _pop_dispatch_modes(count: int) -> None:
    while _dispatch_modes() > count:
        dispatch._pop_mode()


def _default_device() -> torch.device | None:
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _autocast(kind: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    def put(value: tuple[bool, torch.dtype]) -> None:
        torch.set_autocast_enabled(kind, value[0])
        torch.set_autocast_dtype(kind, value[1])

    return lambda: (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)), put


def _autocast_contexts() -> int:
    torch.autocast_increment_nesting()
    return int(torch.autocast_decrement_nesting())


def _leave_autocast(count: int) -> None:
    """Leaves contexts that were entered and not left: within one the casts of old weights stay cached."""
    while torch.autocast_decrement_nesting() > count:
        pass
    torch.clear_autocast_cache()


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _deterministic() -> tuple[bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def _set_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _flushes_denormals() -> bool:
    return (torch.tensor([1e-38], dtype=torch.float32, device="cpu") / 100).item() == 0


def _hook_tables() -> list[dict[Any, Any]]:
    return [
        value
        for owner in (modules, optimizers)
        for name, value in sorted(vars(owner).items())
        if name.startswith("_global_") and isinstance(value, dict)
    ]


def _global_hooks() -> list[dict[Any, Any]]:
    return [dict(table) for table in _hook_tables()]


def _set_global_hooks(wanted: list[dict[Any, Any]]) -> None:
    for table, content in zip(_hook_tables(), wanted, strict=True):
        table.clear()
        table.update(content)


def _saved_tensor_hooks() -> int:
    return int(torch._C._autograd._top_saved_tensors_default_hooks(True) is not None)


def _pop_saved_tensor_hooks(count: int) -> None:
    while _saved_tensor_hooks() > count:
        torch._C._autograd._pop_saved_tensors_default_hooks()
