"""timm's models, with ours registered among them: import it, and `timm.create_model` knows ours too."""

from collections.abc import Callable
from functools import partial

import timm
from torch import nn

from ...errors import SparsebenchError, suggest
from .networks import OURS

for _maker in OURS.values():
    timm.models.register_model(_maker)


def names() -> list[str]:
    """Every model by name, ours first."""
    return [*OURS, *(name for name in timm.list_models() if name not in OURS)]


def home(name: str) -> str:
    """The module that a model of timm's registry comes from."""
    return str(timm.models.model_entrypoint(name).__module__)


def maker(name: str) -> Callable[..., nn.Module]:
    """What builds a model of timm's registry. Errors: an unknown name, with those near it."""
    if not timm.is_model(name):
        raise SparsebenchError(f"unknown model {name!r}: {suggest(name, timm.list_models())}")
    return partial(timm.create_model, name)
