"""What a sparsification method is: a few hooks with defaults, its knobs, and the registry that finds it."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from ..errors import SparsebenchError, UnknownName
from ..registry import Registry
from .knobs import Knob, knob, sparsity_knob
from .net import Net
from .plan import Clock, ParamGroup, Plan, Probe, Round

__all__ = [
    "Clock",
    "Diverged",
    "Knob",
    "Net",
    "ParamGroup",
    "Plan",
    "Probe",
    "Round",
    "Sparsifier",
    "configure",
    "keep_count",
    "knob",
    "knobs_of",
    "register",
    "registry",
    "sparsity_knob",
]


class Diverged(SparsebenchError):
    """What a method would rank or rescale is no number any more. Raised while training, it is an outcome."""


def keep_count(sparsity: float, size: int) -> int:
    """How many of `size` weights a sparsity leaves, to the nearest whole weight and never none."""
    return max(1, round((1 - sparsity) * size))


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

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        """Reparametrise or score the fresh model; return the groups that the optimizer moves."""
        return [net.weights(), net.others()]

    def rounds(self) -> tuple[Round, ...]:
        """The stretches of training, known before it starts."""
        return (Round(),)

    def start_round(self, net: Net, clock: Clock) -> None:
        """Called before the first step of each round."""

    def penalty(self, net: Net, clock: Clock) -> Tensor | float:
        """A term added to the mean cross-entropy."""
        return 0.0

    def before_step(self, net: Net, clock: Clock) -> bool:
        """Dense gradients of the effective weights are in `net.grad(name)`; False skips the optimizer."""
        return True

    def after_step(self, net: Net, clock: Clock) -> None:
        """Called when the weights have moved; not for a step that mixed precision skipped."""

    def finalize(self, net: Net) -> None:
        """Leave the effective weights as they are to be shipped."""

    def target(self) -> float | None:
        """The target sparsity over all prunable weights, where the method has one."""
        return getattr(self, "sparsity", None)

    def diagnostics(self, net: Net) -> dict[str, float]:
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
