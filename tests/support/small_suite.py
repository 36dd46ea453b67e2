"""A suite of two entries on one task, for tests of output folders."""

from pathlib import Path
from typing import Any

from sparsebench.bench.config.suite import Suite

DIGESTS = {"digits-lenet_300_100": "abc"}


def suite(**fields: Any) -> Suite:
    base = {
        "name": "s", "tasks": [{"dataset": "digits", "model": "lenet_300_100", "x_max": 2.5}],
        "entries": [{"method": "dense"}, {"method": "random"}],
    }  # fmt: skip
    return Suite(**{**base, **fields})


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
