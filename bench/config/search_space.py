"""Who owns which setting: the recipe's knobs, what a method claims of them, and what is left to search."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import SparsebenchError, UnknownName
from ...methods.api import Knob, Sparsifier, configure, knobs_of
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

Range = Mapping[str, float]


def optimizer_of(recipe: Recipe, cls: type[Sparsifier]) -> str:
    """The recipe's optimizer, unless the method cannot work with it: then the first that it can."""
    return recipe.optimizer if recipe.optimizer in cls.optimizers else cls.optimizers[0]


def recipe_knobs(recipe: Recipe, cls: type[Sparsifier]) -> dict[str, Knob]:
    """lr and weight_decay as this method has them: the recipe's, or the method's claim.

    A claimed range of lr is meant for the method's own first optimizer; under another one the recipe's holds.
    """
    optimizer = optimizer_of(recipe, cls)
    knobs = dict(RECIPE_KNOBS[optimizer])
    for name, claim in cls.claims.items():
        if name != "lr" or optimizer == cls.optimizers[0]:
            knobs[name] = claim
    return knobs


def settle_recipe(recipe: Recipe, cls: type[Sparsifier], values: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe with its optimizer, lr and weight_decay decided: chosen value, the recipe's, or the default.

    Errors: a value that is out of range, or that the method does not leave to the recipe.
    """
    values = values or {}
    decided: dict[str, Any] = {"optimizer": optimizer_of(recipe, cls)}
    for name, knob in recipe_knobs(recipe, cls).items():
        claimed_away = name in cls.claims and knob.low is None
        value = values.get(name, getattr(recipe, name))
        if value is None or (claimed_away and name not in values):
            value = knob.default
        decided[name] = knob.check(name, value)
    return recipe.model_copy(update=decided)


def free_knobs(recipe: Recipe, cls: type[Sparsifier], fixed: Mapping[str, Any]) -> dict[str, Knob]:
    """What a search may choose: the recipe's knobs and the method's, less what is fixed.

    A fixed value that is a table `{low, high}` narrows (or widens, within what is allowed) the range instead.
    """
    own = knobs_of(cls)
    everything = {**recipe_knobs(recipe, cls), **own}
    for name in fixed:
        if name not in everything:
            raise UnknownName(f"knob of method {cls.name!r}", name, everything)
    found = {}
    for name, knob in everything.items():
        if isinstance(fixed.get(name), Mapping):
            found[name] = with_range(f"{cls.name}: {name}", knob, fixed[name])
        elif name not in fixed and knob.free and getattr(recipe, name, None) is None:
            found[name] = knob
    return found


def with_range(name: str, knob: Knob, limits: Range) -> Knob:
    """A knob with another search range. Errors: other keys than low and high, an empty or forbidden range."""
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
    """Settings sorted into the method's knobs and the recipe's fields. Errors: a name that is neither."""
    knobs = {name: value for name, value in values.items() if name in knobs_of(cls)}
    rest = {name: value for name, value in values.items() if name not in knobs}
    for name in rest:
        if name not in Recipe.model_fields:
            raise UnknownName(f"knob of method {cls.name!r}", name, [*knobs_of(cls), *Recipe.model_fields])
    return knobs, rest


def full_knobs(method: str, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """All knobs of a configured method, the defaults too: what a record and an identity hold."""
    configured = configure(method, knobs)
    return {name: getattr(configured, name) for name in knobs_of(type(configured))}
