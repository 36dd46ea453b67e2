"""Latencies that nobody measured."""

from typing import Any

from sparsebench.records.measured.latency import Latency, Machine, Size, Timing

MACHINE = Machine(id="0a1b2c3d", device="Made-up CPU", threads=1, versions={"torch": "2.14.0"})


def made_up_latency(entry: str, at: float | None, batch: int, **changes: Any) -> Latency:
    """A latency of an entry of the synthetic records: 0.1 ms dense, 0.04 ms sparse."""
    size = Size(parameters=1000, macs=900, file_bytes=4100, memory_bytes=5000)
    found = {
        "task": "made_up-net", "entry": entry, "at": at, "trial": "0123456789abcdef", "batch": batch,
        "machine": MACHINE, "others": 0.0, "dense": {"eager": timing(2e-4), "ONNX Runtime": timing(1e-4)},
        "sparse": {"compacted": timing(4e-5)}, "difference": 1e-7, "size": size,
        "compacted": size.model_copy(update={"parameters": 100, "macs": 90}),
        "when": "2026-11-29T12:00:00+00:00",
    }  # fmt: skip
    return Latency(**{**found, **changes})


def timing(median: float, spread: float = 0.1) -> Timing:
    """A time whose quartiles lie at even distances."""
    return Timing(median=median, low=median * (1 - spread / 2), high=median * (1 + spread / 2), passes=50)
