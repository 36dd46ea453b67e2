"""Which devices there are, and what `--devices` means."""

from dataclasses import dataclass

import torch

from ...errors import SparsebenchError
from .environment import cores

# One thread a slot: small networks gain nothing from more, and a trial's sums do not depend on the slots.
MAX_CPU_SLOTS = 16


@dataclass(frozen=True)
class DeviceSlot:
    """A place where one trial at a time runs."""

    device: str
    threads: int = 1


def check_device(name: str | None = None) -> str:
    """A device's full name; None takes the first GPU, else the CPU. Errors: a device that is not there."""
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
    """The slots for `--devices cuda:0,cuda:2` or `cpu:4` (four CPU slots of one thread each).

    None takes every visible GPU, else the CPU with a slot for each core. `per_device` packs small trials.
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
    """A GPU as torch sees it. `bfloat16` in hardware, not emulated."""

    device: str
    name: str
    memory_bytes: int
    bfloat16: bool


def gpus() -> list[Gpu]:
    """Every visible GPU."""
    found = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts = torch.cuda.get_device_properties(index)
        with torch.cuda.device(index):
            bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        found.append(Gpu(f"cuda:{index}", facts.name, facts.total_memory, bfloat16))
    if torch.backends.mps.is_available():
        found.append(Gpu("mps", "Apple GPU", torch.mps.recommended_max_memory(), True))
    return found
