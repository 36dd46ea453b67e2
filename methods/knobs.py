"""Knobs: one setting of a method (or of the recipe) as data, and the knobs that several methods share."""

import math
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any

from ..errors import SparsebenchError, printable
from ..parsing import LARGEST


@dataclass(frozen=True)
class Knob:
    """One setting of a method (or of the recipe): its validation, its help and its search range.

    A knob without a range and without choices, or with `searched=False`, is not varied by a search.

    Attributes:
        default: The value where none is given; its type is the knob's type.
        low: The lower end of the range that a search covers.
        high: The upper end of that range.
        scale: The distribution over the range: "linear", "log", "minus_log" (log-uniform in -value, for
            ranges below 0) or "density" (log-uniform in 1/(1-value), for sparsities).
        minimum: The least value that is allowed at all.
        maximum: The largest value that is allowed at all.
        choices: The values allowed, instead of a range; numbers match within a thousandth.
        searched: False fixes the knob in searches, whatever its range.
        operating: True for the knob that moves a method towards sparser networks: searches start from anchors
            spread over its range.
        doc: One line of help.
        idle: Values of other knobs, by name, with any of which this one has no effect; where another is fixed
            at such a value, a search does not vary this one.

    Example:
        >>> depth = Knob(2, low=2, high=4, maximum=16)
        >>> depth.check("dwf: depth", "3"), depth.free
        (3, True)
        >>> depth.check("dwf: depth", 17)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: dwf: depth = 17 is out of range: -inf to 16
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
    idle: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, hash=False)
    least: InitVar[float | None] = None  # what plugins of version 0.1 call the minimum
    most: InitVar[float | None] = None  # and the maximum

    def __post_init__(self, least: float | None, most: float | None) -> None:
        for name, old in (("minimum", least), ("maximum", most)):
            if old is not None:
                object.__setattr__(self, name, old)

    @property
    def free(self) -> bool:
        """Whether a search may vary the knob."""
        return self.searched and (bool(self.choices) or self.low is not None)

    def check(self, name: str, value: Any) -> Any:
        """Returns the value in the knob's type; raises `SparsebenchError` with knob, value and bounds."""
        if self.choices:
            return self._choice(name, value)
        value = _convert(name, value, type(self.default))
        if isinstance(value, (int, float)) and not self.minimum <= value <= self.maximum:
            raise SparsebenchError(f"{name} = {value} is out of range: {self.minimum:g} to {self.maximum:g}")
        return value

    def _choice(self, name: str, value: Any) -> Any:
        """Returns the choice that equals the value; numbers match within a thousandth: 0.667 is 2/3."""
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
        if kind is int and not -LARGEST <= converted < LARGEST:
            raise ValueError
        if (kind is int and converted != float(value)) or (kind is float and not math.isfinite(converted)):
            raise ValueError
    except (ValueError, KeyError, TypeError, OverflowError):
        article = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, kind.__name__)
        raise SparsebenchError(f"{name} = {printable(repr(value), 60)} is not {article}") from None
    return converted


def knob(
    default: Any, low: float | None = None, high: float | None = None, *, log: bool = False, **more: Any
) -> Any:
    """Returns a dataclass field that declares a `Knob` of a method.

    Args:
        default: The default value, whose type is the knob's.
        low: The lower end of the search range, and the `minimum` where none is given.
        high: The upper end of the search range, and the `maximum` where none is given.
        log: Whether the search is log-uniform in the range; for other scales give `scale`.
        more: Further fields of `Knob`, such as `doc`, `choices` or `operating`.

    Returns:
        A `dataclasses.field` with the default, and the knob in its metadata.

    Example:
        >>> from dataclasses import dataclass
        >>> from sparsebench.methods.api import Sparsifier, knobs_of
        >>> @dataclass
        ... class Shrinkage(Sparsifier):
        ...     lam: float = knob(1e-4, low=1e-6, high=1e-2, log=True, doc="strength")
        >>> Shrinkage().lam, knobs_of(Shrinkage)["lam"].maximum
        (0.0001, 0.01)
    """
    if low is not None:
        more.setdefault("minimum", low)
    if high is not None:
        more.setdefault("maximum", high)
    scale = more.pop("scale", "log" if log else "linear")
    return field(default=default, metadata={"knob": Knob(default, low, high, scale, **more)})


def sparsity_knob(default: float = 0.9) -> Any:
    """Returns the field of a target sparsity: the fraction of zeros over all prunable weights.

    A search covers 0.5 to 0.999, log-uniform in the compression 1/(1-sparsity); allowed is 0 to 0.99999.

    Args:
        default: The target where none is given.

    Returns:
        A dataclass field with the operating knob of the method.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> configure("magnitude", {"sparsity": 1})  # declared as `sparsity: float = sparsity_knob()`
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: magnitude: sparsity = 1.0 is out of range: 0 to 0.99999
    """
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


# Claimed by methods that penalise the weights themselves: the recipe's decay would be a second penalty.
NO_DECAY = Knob(0.0, minimum=0.0, maximum=0.0, searched=False)


def strength(default: float, low: float, high: float, doc: str) -> Any:
    """Returns the field of a penalty's strength λ, the method's operating knob.

    Args:
        default: λ where none is given.
        low: The lower end of the search range; λ down to 0, without penalty, is allowed.
        high: The upper end of the search range; λ up to 1000 is allowed.
        doc: One line of help: which penalty λ multiplies.

    Returns:
        A dataclass field that is searched log-uniformly.

    Example:
        >>> lam = strength(1e-4, 1e-6, 3e-3, "λ, the strength of ‖w‖₁").metadata["knob"]
        >>> lam.scale, lam.operating, lam.check("l1: lam", 0)
        ('log', True, 0.0)
    """
    return knob(default, low=low, high=high, log=True, minimum=0.0, maximum=1e3, operating=True, doc=doc)


def scope_knob() -> Any:
    """Returns the field `scope`: whether weights are ranked over the whole net or within each layer.

    Returns:
        A dataclass field with the choices "global", the default, and "layerwise"; no search varies it.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> configure("gmp", {"scope": "per filter"})
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: gmp: scope = 'per filter' is not one of global, layerwise
    """
    return knob(
        "global",
        choices=("global", "layerwise"),
        searched=False,
        doc="one ranking over the net, or one a layer",
    )


def finetune_knob(idle: Mapping[str, tuple[Any, ...]] | None = None) -> Any:
    """Returns the field `finetune`: the share of the steps after pruning.

    Args:
        idle: Values of the method's other knobs with which it does not fine-tune.

    Returns:
        A dataclass field, 0.5 by default, searched between 0.1 and 0.7.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> configure("magnitude", {}).finetune
        0.5
    """
    return knob(
        0.5,
        low=0.1,
        high=0.7,
        minimum=0.0,
        maximum=0.9,
        doc="share of the steps after pruning; 0 leaves it out",
        idle=idle or {},
    )


def finetune_lr_knob(idle: Mapping[str, tuple[Any, ...]] | None = None) -> Any:
    """Returns the field `finetune_lr`: the peak rate of fine-tuning as a multiple of that of training.

    Args:
        idle: Values of the method's other knobs with which it does not fine-tune, beside `finetune` = 0.

    Returns:
        A dataclass field, 1 by default, searched log-uniformly between 0.1 and 1 unless `finetune` is 0.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> configure("magnitude", {}).finetune_lr
        1.0
    """
    return knob(
        1.0,
        low=0.1,
        high=1.0,
        log=True,
        minimum=1e-4,
        maximum=10.0,
        doc="peak rate of fine-tuning over that of training",
        idle={"finetune": (0,), **(idle or {})},
    )
