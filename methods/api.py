"""The protocol of a sparsification method: hooks with defaults, its knobs, and the registry of methods."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from ..errors import SparsebenchError, UnknownName
from ..registry import Registry
from .knobs import Knob, knob, sparsity_knob
from .net import Net
from .plan import Clock, Diverged, ParamGroup, Plan, Probe, Round
from .sparsity import keep_count

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


@dataclass
class Sparsifier:
    """Base class of every method: a dataclass of knobs, and hooks that each have a default.

    A method knows nothing of the dataset, the model's class, the optimizer's class, devices, epochs or its
    own score. All of its mutable state is in `state`, so that a checkpoint can hold it.

    Attributes:
        name: The registered name; set by `register`, like the next two.
        reference: The paper.
        version: The version of the method's results, part of a trial's identity.
        exact_zeros: Whether the method writes zeros itself. If not, weights only come near 0, and zeros are
            counted by float32 eps and by a validated threshold.
        optimizers: The optimizers that the method works with; the first takes the place of a recipe's
            optimizer that is not among them.
        decay_budget: For a method whose λ acts through B = 2λ·Σ_t η_t/(1-μ): the range of B, which a search
            under SGD varies in place of `lam`; the harness derives λ from it and the steps.
        claims: Knobs of the recipe (`lr`, `weight_decay`) whose default and range the method replaces; `lr`
            only under the first of `optimizers`.
        exceptions: Checks of the conformance suite that the method must fail, each with the reason.
        state: What changes while training, by name; tensors and plain data only.

    Example:
        >>> method = configure("magnitude", {"sparsity": 0.95, "finetune": 0.2})
        >>> method.target(), [(r.name, r.share) for r in method.rounds()]
        (0.95, [('train', 0.8), ('finetune', 0.2)])
    """

    name: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    version: ClassVar[int] = 1
    exact_zeros: ClassVar[bool] = True
    optimizers: ClassVar[tuple[str, ...]] = ("sgd", "adam", "adamw")
    decay_budget: ClassVar[Knob | None] = None
    claims: ClassVar[Mapping[str, Knob]] = {}
    exceptions: ClassVar[Mapping[str, str]] = {}

    state: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        """Reparametrises or scores the fresh model; returns the groups that the optimizer updates."""
        return [net.weights(), net.others()]

    def rounds(self) -> tuple[Round, ...]:
        """The rounds of training, which are fixed before it starts; their shares sum to 1."""
        return (Round(),)

    def start_round(self, net: Net, clock: Clock) -> None:
        """Runs before the first step of each round, such as to prune or to rewind."""

    def penalty(self, net: Net, clock: Clock) -> Tensor | float:
        """The term added to the mean cross-entropy, a differentiable tensor; 0.0 where there is none."""
        return 0.0

    def before_step(self, net: Net, clock: Clock) -> bool:
        """Runs after the backward pass, with the dense gradients in `net.grad(name)`.

        Returns True for the optimizer to step, False to skip it this time.
        """
        return True

    def after_step(self, net: Net, clock: Clock) -> None:
        """Runs after the optimizer has updated the weights; not after a step that `before_step` skipped."""

    def finalize(self, net: Net) -> None:
        """Brings the effective weights into the state in which they are measured and exported."""

    def target(self) -> float | None:
        """The target sparsity over all prunable weights; None where sparsity is an outcome."""
        return getattr(self, "sparsity", None)

    def lam_limit(self) -> float:
        """The largest λ that a search derives from a decay budget: the end of the range of `lam`."""
        limit = knobs_of(type(self))["lam"].high
        assert limit is not None, "a method with a decay budget has a range of lam"
        return limit

    def warm_up(self) -> None:
        """Computes what a process needs once for all trials, such as a compiled kernel, on the CPU.

        Only sparsebench's own methods are called, in a process from which those of trials are forked.
        """

    def diagnostics(self, net: Net) -> dict[str, float]:
        """Scalars that are logged over the steps, by name."""
        return {}

    def facts(self) -> dict[str, float]:
        """Scalars that are fixed once the method is attached, such as a decay budget."""
        return {}


registry: Registry[type[Sparsifier]] = Registry(
    "method", "sparsebench.methods", builtins="sparsebench.methods"
)
S = TypeVar("S", bound=type[Sparsifier])


def register(name: str, *, reference: str = "", version: int = 1) -> Callable[[S], S]:
    """Returns a class decorator that registers a `Sparsifier` dataclass under the name its paper uses.

    Args:
        name: The name in suites, on the command line and in records; unique among all methods.
        reference: The paper, such as "arXiv:2502.02496"; empty takes the base class's.
        version: Part of a trial's identity: raise it when a change of the method changes its results.

    Returns:
        The decorator. It sets `name`, `reference` and `version` on the class and returns the class.

    Example:
        >>> from pathlib import Path
        >>> from sparsebench.registry import load_plugin
        >>> _ = Path("mine.py").write_text('''
        ... from sparsebench import Sparsifier, register
        ... @register("mine", reference="Mine 2024", version=2)
        ... class Mine(Sparsifier):
        ...     "w stays dense: no hook is replaced."
        ... ''')
        >>> load_plugin("mine.py")
        >>> registry["mine"].reference, registry["mine"].version
        ('Mine 2024', 2)
    """

    def decorate(cls: S) -> S:
        cls.name, cls.reference, cls.version = name, reference or cls.reference, version
        registry.add(name, cls)
        return cls

    return decorate


def knobs_of(cls: type[Sparsifier]) -> dict[str, Knob]:
    """Returns the knobs of a method class by name, in the order of its fields.

    Args:
        cls: The class, a dataclass. A plain field with a default is a knob that no search varies.

    Returns:
        The knobs of the fields that the constructor takes; `state` is none of them.

    Raises:
        SparsebenchError: A field has neither a knob nor a default.

    Example:
        >>> {name: item.default for name, item in knobs_of(registry["dwf"]).items()}
        {'lam': 0.0003, 'depth': 2, 'eps': 0.1}
    """
    found = {}
    for item in fields(cls):
        if not item.init:
            continue
        if item.default is MISSING and "knob" not in item.metadata:
            raise SparsebenchError(f"method {cls.name!r}: the field {item.name!r} needs a default")
        found[item.name] = item.metadata.get("knob", Knob(item.default, searched=False))
    return found


def configure(name: str, knobs: Mapping[str, Any]) -> Sparsifier:
    """Returns a method with its knobs set, each value checked and converted to the knob's type.

    Args:
        name: The registered name.
        knobs: Values by knob, as numbers or as texts; knobs that are missing take their default.

    Returns:
        A new instance of the method's class.

    Raises:
        UnknownName: No method or knob has that name; the message lists near matches.
        SparsebenchError: A value is of the wrong type or out of range.

    Example:
        >>> configure("magnitude", {"sparsity": "0.95"}).sparsity
        0.95
        >>> configure("magnitude", {"sparsty": 0.95})
        Traceback (most recent call last):
        sparsebench.errors.UnknownName: unknown knob of method 'magnitude' 'sparsty': did you mean 'sparsity'?
    """
    cls = registry[name]
    known = knobs_of(cls)
    for key in knobs:
        if key not in known:
            raise UnknownName(f"knob of method {name!r}", key, known)
    return cls(**{key: known[key].check(f"{name}: {key}", value) for key, value in knobs.items()})
