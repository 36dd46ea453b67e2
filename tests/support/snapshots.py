"""Snapshots of campaigns that never ran, for tests of what is shown of them."""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from sparsebench.bench.progress.snapshot import (
    CampaignSnapshot,
    EntryProgress,
    RunningTrial,
)


def part(entry: str = "dwf-3", task: str = "t", **fields: Any) -> EntryProgress:
    return EntryProgress(
        **{"entry": entry, "task": task, "phase": "search", "planned": 16, "finished": 0, **fields}
    )


def now(entry: str = "dwf-3", task: str = "t", device: str = "cpu", ago: float = 5.0) -> RunningTrial:
    since = time.time() - ago
    return RunningTrial(
        id="i", device=device, entry=entry, task=task, phase="search", trial=3, seed=0, since=since
    )


def snapshot(
    parts: Sequence[EntryProgress], running: Sequence[RunningTrial] = (), **fields: Any
) -> CampaignSnapshot:
    base = {"suite": "mine", "began": time.time() - 100, "capacity": 2, "planned": 99}
    return CampaignSnapshot(**{**base, "entries": tuple(parts), "running": tuple(running), **fields})


def recorded() -> Console:
    return Console(width=100, height=30, record=True, force_terminal=True)
