"""The search space: the recipe's knobs, what a method claims of them, and the knobs left to a search."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import SparsebenchError, UnknownName
from ...methods.api import Knob, Sparsifier, configure, knobs_of
from ...records.fields import Granularity
from .trial_spec import Recipe

_SGD = {
    "lr": Knob(0.1, 0.01, 0.3, "log", minimum=1e-8, maximum=1e3, doc="peak learning rate"),
    "weight_decay": Knob(
        1e-4, 1e-5, 1e-3, "log", minimum=0.0, maximum=1e3, doc="ordinary decay of the prunable weights"
    ),
}
_ADAM = {
    "lr": replace(_SGD["lr"], default=1e-3, low=3e-4, high=3e-3),
    "weight_decay": _SGD["weight_decay"],
}
_ADAMW = {**_ADAM, "weight_decay": replace(_SGD["weight_decay"], default=1e-2, low=1e-3, high=1e-1)}
RECIPE_KNOBS: Mapping[str, Mapping[str, Knob]] = {"sgd": _SGD, "adam": _ADAM, "adamw": _ADAMW}

DECAY_BUDGET = "decay_budget"
SPEEDUP = "speedup"  # the target of a structured method

Range = Mapping[str, float]


def _optimizer_of(recipe: Recipe, cls: type[Sparsifier]) -> str:
    """Returns the recipe's optimizer, or the method's first where the method cannot work with that one."""
    return recipe.optimizer if recipe.optimizer in cls.optimizers else cls.optimizers[0]


def recipe_knobs(recipe: Recipe, cls: type[Sparsifier]) -> dict[str, Knob]:
    """Returns lr and weight_decay as a method has them: the optimizer's usual knobs, or the method's claims.

    A claimed range of lr is meant for the method's first optimizer; under another the usual range holds.

    Args:
        recipe: The recipe, of which the optimizer counts here.
        cls: The method's class, with its `optimizers` and `claims`.

    Returns:
        The two knobs by name.

    Example:
        >>> from sparsebench.methods.api import registry
        >>> [recipe_knobs(Recipe(), registry[name])["lr"].default for name in ("dense", "dwf")]
        [0.1, 0.2]
    """
    optimizer = _optimizer_of(recipe, cls)
    knobs = dict(RECIPE_KNOBS[optimizer])
    for name, claim in cls.claims.items():
        if name != "lr" or optimizer == cls.optimizers[0]:
            knobs[name] = claim
    return knobs


def settle_recipe(recipe: Recipe, cls: type[Sparsifier], values: Mapping[str, Any] | None = None) -> Recipe:
    """Returns the recipe with its optimizer, lr and weight_decay decided.

    Each of lr and weight_decay takes the chosen value, else the recipe's, else the knob's default. Where a
    method claims a setting without a range, as those with a penalty of their own claim weight_decay, the
    recipe's value is ignored.

    Args:
        recipe: The recipe, in which lr and weight_decay may be None.
        cls: The method's class.
        values: The values that a search or the user has chosen for this method.

    Returns:
        A recipe to train with.

    Raises:
        SparsebenchError: A value is out of range, or the method does not leave that setting to the recipe.

    Example:
        >>> from sparsebench.methods.api import registry
        >>> settled = settle_recipe(Recipe(weight_decay=5e-4), registry["dwf"])
        >>> settled.lr, settled.weight_decay  # its default, and no decay beside its own penalty
        (0.2, 0.0)
    """
    values = values or {}
    decided: dict[str, Any] = {"optimizer": _optimizer_of(recipe, cls)}
    for name, knob in recipe_knobs(recipe, cls).items():
        claimed_away = name in cls.claims and knob.low is None
        value = values.get(name, getattr(recipe, name))
        if value is None or (claimed_away and name not in values):
            value = knob.default
        decided[name] = knob.check(name, value)
    return recipe.model_copy(update=decided)


def free_knobs(recipe: Recipe, cls: type[Sparsifier], fixed: Mapping[str, Any]) -> dict[str, Knob]:
    """Returns the knobs that a search may choose: the recipe's and the method's, less what is fixed.

    Args:
        recipe: The recipe; an lr or weight_decay that it sets is fixed, unless `fixed` gives it a range.
        cls: The method's class.
        fixed: An entry's settings: a value fixes a knob, a table `{low, high}` gives it another search range.

    Returns:
        The knobs by name, each with its search range.

    Raises:
        UnknownName: `fixed` names something that is no knob.
        SparsebenchError: A table is no valid range: see `with_range`; or its knob has no effect beside
            another that is fixed.

    Example:
        >>> from sparsebench.methods.api import registry
        >>> knobs = free_knobs(Recipe(), registry["dwf"], {"depth": 3, "lam": {"low": 1e-4, "high": 1e-3}})
        >>> {name: (knob.low, knob.high) for name, knob in knobs.items()}
        {'lr': (0.05, 1.0), 'lam': (0.0001, 0.001)}
    """
    everything = {**recipe_knobs(recipe, cls), **_searched_knobs(recipe, cls, fixed)}
    for name in fixed:
        if name not in everything:
            raise UnknownName(f"knob of method {cls.name!r}", name, everything)
    found = {}
    for name, knob in everything.items():
        if isinstance(fixed.get(name), Mapping):
            if cause := _idle(knob, everything, fixed):
                raise SparsebenchError(f"{cls.name}: {name} has no effect at {cause}: leave out its range")
            found[name] = with_range(f"{cls.name}: {name}", knob, fixed[name])
        elif name in fixed or not knob.free or getattr(recipe, name, None) is not None:
            continue
        elif not _idle(knob, everything, fixed):
            found[name] = knob
    return found


def _idle(knob: Knob, knobs: Mapping[str, Knob], fixed: Mapping[str, Any]) -> str | None:
    """Returns the setting beside which a knob has no effect, as `finetune = 0`; None where it has one."""
    for name, values in knob.idle.items():
        free = name in knobs and knobs[name].free and name not in fixed
        if name not in knobs or free or isinstance(fixed.get(name), Mapping):
            continue
        value = knobs[name].check(name, fixed.get(name, knobs[name].default))
        if value in values:
            return f"{name} = {value}"
    return None


def _searched_knobs(recipe: Recipe, cls: type[Sparsifier], fixed: Mapping[str, Any]) -> dict[str, Knob]:
    """Returns the method's knobs, λ as the decay budget B where that is what a search should vary.

    B stands for λ under SGD alone, whose law it is, and where the entry does not name λ itself.
    """
    own = knobs_of(cls)
    if cls.decay_budget is None or "lam" in fixed or _optimizer_of(recipe, cls) != "sgd":
        return own
    return {DECAY_BUDGET if name == "lam" else name: own[name] for name in own} | {
        DECAY_BUDGET: cls.decay_budget
    }


def target_knob(cls: type[Sparsifier], granularity: Granularity = "weights") -> str | None:
    """Returns the name of the knob that is the method's target: a sparsity, or a speed-up.

    Args:
        cls: The method's class.
        granularity: What is removed on the task: a target sparsity is for weights, `speedup` for channels.

    Returns:
        The name; None for a method whose sparsity is an outcome, or whose target is of the other kind.

    Example:
        >>> from sparsebench.methods.api import registry
        >>> target_knob(registry["gmp"]), target_knob(registry["dwf"])
        ('sparsity', None)
        >>> target_knob(registry["gmp"], "channels"), target_knob(registry["filter_l1"], "channels")
        (None, 'speedup')
    """
    operating = {name: knob for name, knob in knobs_of(cls).items() if knob.operating}
    if granularity == "channels":
        return SPEEDUP if SPEEDUP in operating else None
    return next((name for name, knob in operating.items() if knob.scale == "density"), None)


def with_range(name: str, knob: Knob, limits: Range) -> Knob:
    """Returns a knob with another search range; a knob that is not searched by itself becomes so.

    Args:
        name: What an error calls the knob.
        knob: The knob; its scale and its valid values stay.
        limits: The keys `low` and `high`.

    Returns:
        The knob, its default moved to the nearer end where it lay outside.

    Raises:
        SparsebenchError: Other keys than low and high, an empty range, a limit that the knob forbids, or one
            that its logarithmic scale cannot have.

    Example:
        >>> knob = with_range("l1: lam", Knob(1e-3, 1e-4, 1e-2, "log"), {"low": 2e-3, "high": 5e-3})
        >>> knob.low, knob.high, knob.default
        (0.002, 0.005, 0.002)
    """
    if set(limits) != {"low", "high"}:
        raise SparsebenchError(f"{name}: a range is written {{ low = …, high = … }}")
    low, high = knob.check(f"{name}.low", limits["low"]), knob.check(f"{name}.high", limits["high"])
    if not low < high:
        raise SparsebenchError(f"{name}: the range from {low} to {high} is empty")
    if knob.scale == "log" and low <= 0:
        raise SparsebenchError(f"{name}: a logarithmic range starts above 0")
    if knob.scale == "minus_log" and high >= 0:
        raise SparsebenchError(f"{name}: this range, logarithmic in -value, ends below 0")
    return replace(knob, low=low, high=high, default=min(max(knob.default, low), high), searched=True)


def split_settings(cls: type[Sparsifier], values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns settings sorted into the method's knobs and the recipe's fields.

    Args:
        cls: The method's class.
        values: Values by name, as `--set` gives them.

    Returns:
        The method's knobs, and the recipe's fields.

    Raises:
        UnknownName: A name is neither.

    Example:
        >>> from sparsebench.methods.api import registry
        >>> split_settings(registry["dwf"], {"depth": 3, "epochs": 5})
        ({'depth': 3}, {'epochs': 5})
    """
    knobs = {name: value for name, value in values.items() if name in knobs_of(cls)}
    rest = {name: value for name, value in values.items() if name not in knobs}
    for name in rest:
        if name not in Recipe.model_fields:
            raise UnknownName(f"knob of method {cls.name!r}", name, [*knobs_of(cls), *Recipe.model_fields])
    return knobs, rest


def full_knobs(method: str, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all knobs of a configured method, defaults included, as records and identities have them.

    Args:
        method: The method's registered name.
        knobs: The knobs that are set; text is converted to the knob's type.

    Returns:
        Every knob's value by name.

    Raises:
        UnknownName: There is no such method, or no such knob.
        SparsebenchError: A value is not valid for its knob.

    Example:
        >>> full_knobs("dwf", {"depth": "3"})
        {'lam': 0.0003, 'depth': 3, 'eps': 0.1}
    """
    configured = configure(method, knobs)
    return {name: getattr(configured, name) for name in knobs_of(type(configured))}
