"""The description of a method as data: its equation, its reference, and its knobs with their ranges."""

import inspect
import math
import re
from typing import Any

from ...methods.api import Knob, knobs_of, registry
from .search_space import recipe_knobs
from .trial_spec import Recipe

# A section for readers of the code: its heading, and the indented or empty lines below it.
_SECTION = re.compile(r"^(?:Args|Attributes|Returns|Raises|Example):\n(?:[ \t]+\S.*\n|[ \t]*\n)+", re.M)


def describe_method(name: str) -> dict[str, Any]:
    """Returns the description of a method that `sparsebench show` prints and a campaign's methods.json holds.

    Args:
        name: The method's registered name.

    Returns:
        The fields of `records.method_docs.MethodDoc`. `doc` is the class's docstring without the sections for
        readers of the code: it opens with the equation; a paragraph is one line, with an empty line after it.

    Raises:
        UnknownName: There is no such method.

    Example:
        >>> described = describe_method("dwf")
        >>> described["reference"], [knob["name"] for knob in described["knobs"]]
        ('arXiv:2502.02496', ['lam', 'depth', 'eps', 'lr', 'weight_decay'])
    """
    cls = registry[name]
    prose = _SECTION.sub("", (inspect.getdoc(cls) or "") + "\n").strip()
    text = "\n\n".join(" ".join(part.split()) for part in prose.split("\n\n"))
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
