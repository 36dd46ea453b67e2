"""The devices of this machine, and the parser of `--devices`."""

from dataclasses import dataclass

import torch

from ...errors import SparsebenchError
from .environment import cores

# One thread per slot: small networks gain nothing from more, and the floating-point sums of a trial then do
# not depend on the number of slots.
MAX_CPU_SLOTS = 16


@dataclass(frozen=True)
class DeviceSlot:
    """A slot of a device, in which one trial at a time runs.

    Attributes:
        device: The device's full name, such as "cuda:0" or "cpu".
        threads: CPU threads of its worker.

    Example:
        >>> slots("cpu:2").count(DeviceSlot("cpu"))  # equal slots: two trials at a time
        2
    """

    device: str
    threads: int = 1


def check_device(name: str | None = None) -> str:
    """Returns the full name of a device that this machine has.

    Args:
        name: As torch writes it; "cuda" is the first GPU, "cpu:1" is the CPU. None takes the first GPU, else
            MPS, else the CPU.

    Returns:
        "cpu", "mps" or "cuda:" with a number.

    Raises:
        SparsebenchError: The name is no device, or this machine does not have it.

    Example:
        >>> check_device("cpu")
        'cpu'
        >>> check_device("gpu")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: 'gpu' is no device: write cpu, cuda:0, … or mps
    """
    if name is None:
        return (
            "cuda:0" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SparsebenchError(f"{name!r} is no device: write cpu, cuda:0, … or mps") from None
    if device.type == "cpu":
        return "cpu"
    if device.type == "mps" and torch.backends.mps.is_available():
        return "mps"
    count = torch.cuda.device_count() if device.type == "cuda" and torch.cuda.is_available() else 0
    index = int(name.partition(":")[2] or 0)  # torch keeps it in eight bits: cuda:256 would be cuda:0
    if index >= count:
        there = ", ".join(["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))])
        raise SparsebenchError(f"device {name!r} is not there; this machine has {there}")
    return f"cuda:{index}"


def slots(devices: str | None = None, per_device: int = 1) -> list[DeviceSlot]:
    """Returns the slots of the devices that `--devices` names.

    Args:
        devices: Such as "cuda:0,cuda:2", or "cpu:4" for four CPU slots of one thread each. None takes every
            visible GPU, else MPS, else the CPU with a slot for each core and at most 16.
        per_device: Trials that share one GPU, for small trials; the CPU's slots are not multiplied.

    Returns:
        The slots, in the order of the devices.

    Raises:
        SparsebenchError: A device is not there, or a number is below 1.

    Example:
        >>> slots("cpu:2")
        [DeviceSlot(device='cpu', threads=1), DeviceSlot(device='cpu', threads=1)]
    """
    if per_device < 1:
        raise SparsebenchError(f"per-device = {per_device}: a device runs at least one trial")
    if devices is None:
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if gpus:
            return [DeviceSlot(f"cuda:{i}") for i in range(gpus) for _ in range(per_device)]
        first = check_device()
        return [DeviceSlot(first)] * (per_device if first != "cpu" else min(cores(), MAX_CPU_SLOTS))
    found: list[DeviceSlot] = []
    for name in (part.strip() for part in devices.split(",")):
        kind, _, number = name.partition(":")
        if kind == "cpu":
            count = int(number) if number.isdecimal() else min(cores(), MAX_CPU_SLOTS)
            if number and (not number.isdecimal() or count < 1):
                raise SparsebenchError(f"{name!r} is no device: cpu:4 means four CPU slots")
            found += [DeviceSlot("cpu")] * count
        else:
            found += [DeviceSlot(check_device(name))] * per_device
    return found


@dataclass(frozen=True)
class Gpu:
    """A GPU as torch sees it.

    Attributes:
        device: Its name for `--devices`, such as "cuda:0".
        name: The product's name.
        memory_bytes: Total memory; on Apple's the most that torch recommends to use.
        bfloat16: Whether it computes in bfloat16 in hardware, not emulated.

    Example:
        >>> gpu = Gpu("cuda:0", "Tesla T4", 16 * 2**30, bfloat16=False)
        >>> f"{gpu.device}: {gpu.name}, {gpu.memory_bytes / 2**30:.0f} GiB"
        'cuda:0: Tesla T4, 16 GiB'
    """

    device: str
    name: str
    memory_bytes: int
    bfloat16: bool


def gpus() -> list[Gpu]:
    """Returns every visible GPU.

    Returns:
        CUDA's GPUs by number, then Apple's; empty on a machine without.

    Example:
        >>> usable = {gpu.device for gpu in gpus()} or {"cpu"}
        >>> {slot.device for slot in slots()} <= usable  # where `--devices` is not given
        True
    """
    found = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts = torch.cuda.get_device_properties(index)
        with torch.cuda.device(index):
            bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        found.append(Gpu(f"cuda:{index}", facts.name, facts.total_memory, bfloat16))
    if torch.backends.mps.is_available():
        found.append(Gpu("mps", "Apple GPU", torch.mps.recommended_max_memory(), True))
    return found
