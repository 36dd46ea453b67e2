"""sparsebench: a benchmark of methods that make neural networks sparse.

The public names are imported at their first use (PEP 562), so that `import sparsebench` loads no library.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bench.campaign.driver import run
    from .bench.export.export import export
    from .bench.export.load import load_model
    from .bench.training.train import train
    from .datasets.api import Data, register_dataset
    from .errors import SparsebenchError
    from .methods.api import (
        Clock,
        Net,
        ParamGroup,
        Plan,
        Probe,
        Round,
        Sparsifier,
        knob,
        register,
        sparsity_knob,
    )
    from .records.record import Record
    from .records.store import load_records

_HOMES = {
    "run": "bench.campaign.driver",
    "train": "bench.training.train",
    "export": "bench.export.export",
    "load_model": "bench.export.load",
    "Record": "records.record",
    "load_records": "records.store",
    "Data": "datasets.api",
    "register_dataset": "datasets.api",
    "SparsebenchError": "errors",
    "Clock": "methods.api",
    "ParamGroup": "methods.api",
    "Plan": "methods.api",
    "Probe": "methods.api",
    "Round": "methods.api",
    "Sparsifier": "methods.api",
    "knob": "methods.api",
    "register": "methods.api",
    "sparsity_knob": "methods.api",
    "Net": "methods.api",
}

__all__ = [
    "Clock",
    "Data",
    "Net",
    "ParamGroup",
    "Plan",
    "Probe",
    "Record",
    "Round",
    "SparsebenchError",
    "Sparsifier",
    "__version__",
    "export",
    "knob",
    "load_model",
    "load_records",
    "register",
    "register_dataset",
    "run",
    "sparsity_knob",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("sparsebench")
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
