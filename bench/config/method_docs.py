"""A method in words, as data: its equation, its knobs with their ranges, its reference."""

import inspect
import math
from typing import Any

from ...methods.api import Knob, knobs_of, registry
from .search_space import recipe_knobs
from .trial_spec import Recipe


def describe_method(name: str) -> dict[str, Any]:
    """What `show` prints and a campaign's methods.json keeps. `doc` opens with the equation; a paragraph a
    line, an empty line between them. Errors: an unknown method.
    """
    cls = registry[name]
    text = "\n\n".join(" ".join(part.split()) for part in (inspect.getdoc(cls) or "").split("\n\n"))
    knobs = {**knobs_of(cls), **recipe_knobs(Recipe(), cls)}
    return {
        "name": name,
        "doc": text,
        "reference": cls.reference,
        "version": cls.version,
        "optimizers": list(cls.optimizers),
        "knobs": [{"name": key, **_described(knob)} for key, knob in knobs.items()],
    }


def _described(knob: Knob) -> dict[str, Any]:
    searched = [knob.low, knob.high] if knob.free and knob.low is not None else None
    bounds = [None if math.isinf(b) else b for b in (knob.minimum, knob.maximum)]
    return {
        "default": knob.default,
        "searched": searched,
        "scale": knob.scale if searched else None,
        "allowed": bounds if bounds != [None, None] else None,
        "choices": list(knob.choices),
        "operating": knob.operating,
        "doc": knob.doc,
    }
