"""What a sparsification method is: a few hooks with defaults, its knobs, and the registry that finds it."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from torch import Tensor, nn

from ..errors import SparsebenchError, UnknownName
from ..registry import Registry

if TYPE_CHECKING:
    from .net import Net


class Diverged(SparsebenchError):
    """What a method would rank or rescale is no number any more. Raised while training, it is an outcome."""


@dataclass(frozen=True)
class Knob:
    """One setting of a method (or of the recipe): its validation, its help and its search range.

    `low`…`high` is what a search covers, `least`…`most` what is allowed at all. `scale` says how the range
    is walked: "linear", "log", "minus_log" (log-uniform in -value, for ranges below 0) or "density"
    (log-uniform in 1/(1-value), for sparsities). A knob without a range, or with `searched=False`, keeps its
    value in a search. `operating=True` marks the knob that moves a method along its front: searches start
    from anchors spread over its range.
    """

    default: Any
    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    least: float = -math.inf
    most: float = math.inf
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
        if isinstance(value, (int, float)) and not self.least <= value <= self.most:
            raise SparsebenchError(f"{name} = {value} is out of range: {self.least:g} to {self.most:g}")
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

    Without `least` or `most` the search range is also the range allowed.
    """
    if low is not None:
        more.setdefault("least", low)
    if high is not None:
        more.setdefault("most", high)
    scale = more.pop("scale", "log" if log else "linear")
    return field(default=default, metadata={"knob": Knob(default, low, high, scale, **more)})


def sparsity_knob(default: float = 0.9) -> Any:
    """The target of a method that has one: the fraction of zeros over all prunable weights."""
    return knob(
        default,
        low=0.5,
        high=0.999,
        least=0.0,
        most=0.99999,
        scale="density",
        operating=True,
        doc="fraction of the prunable weights that end as zeros; compression is 1/(1-sparsity)",
    )


def keep_count(sparsity: float, size: int) -> int:
    """How many of `size` weights a sparsity leaves, to the nearest whole weight and never none."""
    return max(1, round((1 - sparsity) * size))


@dataclass(frozen=True)
class Round:
    """One stretch of training, as data. `share` of the budget's steps; the shares of a plan sum to 1.

    The learning-rate schedule runs from `resume` to `until` (0 and 1: its start and its end), scaled by
    `peak`; `restart` begins the round with fresh optimizer buffers.
    """

    share: float = 1.0
    name: str = "train"
    resume: float = 0.0
    until: float = 1.0
    peak: float = 1.0
    restart: bool = False


@dataclass
class ParamGroup:
    """What an optimizer is to move. `weight_decay=None` takes the recipe's ordinary decay.

    `l2` is the method's own penalty (l2/2)·‖p‖², coupled to the gradient whatever the optimizer.
    `optimizer=None` takes the recipe's; `lr=None` the schedule's rate times `lr_scale`.
    """

    params: list[Tensor]
    weight_decay: float | None = 0.0
    l2: float = 0.0
    lr_scale: float = 1.0
    lr: float | None = None
    optimizer: str | None = None


@dataclass(frozen=True)
class Plan:
    """What a method may know before training: the steps, the optimizer, and Σ over steps of η/(1-μ)."""

    steps: int
    optimizer: str
    lr: float
    momentum: float
    eta_sum: float


class Clock(Protocol):
    """Where training stands. `step` counts from 0 over the whole budget of `steps`."""

    step: int
    steps: int
    round: int
    round_step: int
    round_steps: int
    lr: float

    @property
    def fraction(self) -> float:
        """step/steps, in [0, 1)."""

    @property
    def round_fraction(self) -> float:
        """round_step/round_steps, in [0, 1)."""

    @property
    def eta_eff(self) -> float:
        """lr/(1-μ) for SGD with momentum μ, lr for the others."""


class Probe(Protocol):
    """What a method may use before training: labelled training batches, each charged as one step."""

    input_shape: tuple[int, int, int]
    model: nn.Module

    def batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Up to `count` training batches, each charged to the step budget."""

    def charge(self, images: int) -> None:
        """Charge a forward and backward over so many images to the budget, in whole steps of a batch."""

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of the model as it stands."""


@dataclass
class Sparsifier:
    """Base of every method: a dataclass of knobs, and hooks that each have a default.

    A method knows nothing of the dataset, the model's class, the optimizer's class, devices, epochs or its
    own score. All of its mutable state lives in `state`, so that a checkpoint can hold it.
    """

    name: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    version: ClassVar[int] = 1
    exact_zeros: ClassVar[bool] = True
    optimizers: ClassVar[tuple[str, ...]] = ("sgd", "adam", "adamw")
    claims: ClassVar[Mapping[str, Knob]] = {}
    exceptions: ClassVar[Mapping[str, str]] = {}

    state: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def attach(self, net: "Net", plan: Plan, probe: Probe) -> list[ParamGroup]:
        """Reparametrise or score the fresh model; return the groups that the optimizer moves."""
        return [net.weights(), net.others()]

    def rounds(self) -> tuple[Round, ...]:
        """The stretches of training, known before it starts."""
        return (Round(),)

    def start_round(self, net: "Net", clock: Clock) -> None:
        """Called before the first step of each round."""

    def penalty(self, net: "Net", clock: Clock) -> Tensor | float:
        """A term added to the mean cross-entropy."""
        return 0.0

    def before_step(self, net: "Net", clock: Clock) -> bool:
        """Dense gradients of the effective weights are in `net.grad(name)`; False skips the optimizer."""
        return True

    def after_step(self, net: "Net", clock: Clock) -> None:
        """Called when the weights have moved; not for a step that mixed precision skipped."""

    def finalize(self, net: "Net") -> None:
        """Leave the effective weights as they are to be shipped."""

    def target(self) -> float | None:
        """The target sparsity over all prunable weights, where the method has one."""
        return getattr(self, "sparsity", None)

    def diagnostics(self, net: "Net") -> dict[str, float]:
        """Scalars worth a chart over the steps."""
        return {}

    def facts(self) -> dict[str, float]:
        """Scalars settled once the method is attached, such as a decay budget."""
        return {}


registry: Registry[type[Sparsifier]] = Registry(
    "method", "sparsebench.methods", builtins="sparsebench.methods"
)
S = TypeVar("S", bound=type[Sparsifier])


def register(name: str, *, reference: str = "", version: int = 1) -> Callable[[S], S]:
    """Register a `Sparsifier` dataclass under the name its paper uses.

    Raise `version` when a change of the method changes its results: it is part of a trial's identity.
    """

    def decorate(cls: S) -> S:
        cls.name, cls.reference, cls.version = name, reference or cls.reference, version
        registry.add(name, cls)
        return cls

    return decorate


def knobs_of(cls: type[Sparsifier]) -> dict[str, Knob]:
    """The knobs of a method by name; a plain dataclass field is a knob that no search moves."""
    found = {}
    for item in fields(cls):
        if not item.init:
            continue
        if item.default is MISSING and "knob" not in item.metadata:
            raise SparsebenchError(f"method {cls.name!r}: the field {item.name!r} needs a default")
        found[item.name] = item.metadata.get("knob", Knob(item.default, searched=False))
    return found


def configure(name: str, knobs: Mapping[str, Any]) -> Sparsifier:
    """A method with its knobs set. Errors: an unknown method or knob (near matches), a value out of range."""
    cls = registry[name]
    known = knobs_of(cls)
    for key in knobs:
        if key not in known:
            raise UnknownName(f"knob of method {name!r}", key, known)
    return cls(**{key: known[key].check(f"{name}: {key}", value) for key, value in knobs.items()})
