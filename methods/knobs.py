"""Knobs: what a setting of a method (or of the recipe) is, and those that several methods share."""

import math
from dataclasses import dataclass, field
from typing import Any

from ..errors import SparsebenchError


@dataclass(frozen=True)
class Knob:
    """One setting of a method (or of the recipe): its validation, its help and its search range.

    `low`…`high` is what a search covers, `minimum`…`maximum` what is allowed at all. `scale` says how the range
    is walked: "linear", "log", "minus_log" (log-uniform in -value, for ranges below 0) or "density"
    (log-uniform in 1/(1-value), for sparsities). A knob without a range, or with `searched=False`, keeps its
    value in a search. `operating=True` marks the knob that moves a method along its front: searches start
    from anchors spread over its range.
    """

    default: Any
    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    minimum: float = -math.inf
    maximum: float = math.inf
    choices: tuple[Any, ...] = ()
    searched: bool = True
    operating: bool = False
    doc: str = ""

    @property
    def free(self) -> bool:
        """A search may choose it."""
        return self.searched and (bool(self.choices) or self.low is not None)

    def check(self, name: str, value: Any) -> Any:
        """The value in the knob's own type. Errors: `SparsebenchError` naming knob, value and bounds."""
        if self.choices:
            return self._choice(name, value)
        value = _convert(name, value, type(self.default))
        if isinstance(value, (int, float)) and not self.minimum <= value <= self.maximum:
            raise SparsebenchError(f"{name} = {value} is out of range: {self.minimum:g} to {self.maximum:g}")
        return value

    def _choice(self, name: str, value: Any) -> Any:
        """The choice that is meant; for numbers within a thousandth, so that 0.667 finds 2/3."""
        if isinstance(self.default, float):
            value = _convert(name, value, float)
            value = next((c for c in self.choices if math.isclose(c, value, rel_tol=1e-3)), value)
        if value not in self.choices:
            options = ", ".join(f"{c:g}" if isinstance(c, float) else str(c) for c in self.choices)
            raise SparsebenchError(f"{name} = {value!r} is not one of {options}")
        return value


def _convert(name: str, value: Any, kind: type) -> Any:
    words: dict[Any, bool] = {"true": True, "false": False, True: True, False: False}
    try:
        if kind is bool:
            return words[value.lower() if isinstance(value, str) else value]
        if isinstance(value, bool):
            raise ValueError
        converted = kind(value)
        if (kind is int and converted != float(value)) or (kind is float and not math.isfinite(converted)):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        article = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, kind.__name__)
        raise SparsebenchError(f"{name} = {value!r} is not {article}") from None
    return converted


def knob(
    default: Any, low: float | None = None, high: float | None = None, *, log: bool = False, **more: Any
) -> Any:
    """A dataclass field that is a `Knob`: `lam: float = knob(1e-4, low=1e-6, high=1e-2, log=True)`.

    Without `minimum` or `maximum` the search range is also the range allowed.
    """
    for old, name in (("least", "minimum"), ("most", "maximum")):
        if old in more:  # what plugins of version 0.1 write
            more[name] = more.pop(old)
    if low is not None:
        more.setdefault("minimum", low)
    if high is not None:
        more.setdefault("maximum", high)
    scale = more.pop("scale", "log" if log else "linear")
    return field(default=default, metadata={"knob": Knob(default, low, high, scale, **more)})


def sparsity_knob(default: float = 0.9) -> Any:
    """The target of a method that has one: the fraction of zeros over all prunable weights."""
    return knob(
        default,
        low=0.5,
        high=0.999,
        minimum=0.0,
        maximum=0.99999,
        scale="density",
        operating=True,
        doc="fraction of the prunable weights that end as zeros; compression is 1/(1-sparsity)",
    )


# The methods that penalise the weights themselves take no ordinary decay on them.
NO_DECAY = Knob(0.0, minimum=0.0, maximum=0.0, searched=False)


def strength(default: float, low: float, high: float, doc: str) -> Any:
    """A penalty's strength λ: searched in a logarithmic range, allowed from 0."""
    return knob(default, low=low, high=high, log=True, minimum=0.0, maximum=1e3, operating=True, doc=doc)


def scope_knob() -> Any:
    """Whether weights are ranked over the whole net or in each layer."""
    return knob(
        "global",
        choices=("global", "layerwise"),
        searched=False,
        doc="one ranking over the net, or one a layer",
    )
