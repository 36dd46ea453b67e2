"""Who owns which setting, and what a search may choose."""

from typing import Any

import pytest
from sparsebench.bench.config.search_space import (
    free_knobs,
    full_knobs,
    recipe_knobs,
    settle_recipe,
    split_settings,
    with_range,
)
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import knobs_of, registry
from sparsebench.methods.knobs import Knob

SGD, ADAM, ADAMW = (Recipe(optimizer=kind) for kind in ("sgd", "adam", "adamw"))


def test_what_is_not_fixed_is_searched() -> None:
    assert set(free_knobs(SGD, registry["dwf"], {})) == {"lr", "decay_budget", "depth"}
    assert set(free_knobs(SGD, registry["dwf"], {"depth": 3})) == {"lr", "decay_budget"}
    assert set(free_knobs(SGD, registry["dense"], {})) == {"lr", "weight_decay"}
    assert set(free_knobs(Recipe(lr=0.1, weight_decay=0.0), registry["dense"], {})) == set()
    assert set(free_knobs(Recipe(lr=0.1), registry["dwf"], {"depth": 2})) == {"decay_budget"}


def test_the_decay_budget_stands_for_lam_under_sgd_alone_and_where_nobody_names_lam() -> None:
    dwf, table = registry["dwf"], {"low": 1e-4, "high": 1e-3}
    for recipe in (ADAM, ADAMW):
        assert set(free_knobs(recipe, dwf, {"depth": 2})) == {"lr", "lam"}
    assert set(free_knobs(SGD, dwf, {"depth": 2, "lam": 1e-4})) == {"lr"}
    lam = free_knobs(SGD, dwf, {"depth": 2, "lam": table})["lam"]
    assert (lam.low, lam.high, lam.operating) == (1e-4, 1e-3, True)
    budget = free_knobs(SGD, dwf, {"decay_budget": {"low": 2, "high": 9}})["decay_budget"]
    assert (budget.low, budget.high) == (2, 9)


@pytest.mark.parametrize(
    ("method", "fixed", "idle"),
    [
        ("magnitude", {"finetune": 0}, {"finetune_lr"}),
        ("spred", {"finetune": "0.0"}, {"finetune_lr"}),
        ("powerprop", {"finetune": 0.0}, {"finetune_lr"}),
        ("powerprop", {"prune": "gmp"}, {"finetune", "finetune_lr"}),
        ("powerprop", {"prune": "imp"}, {"finetune", "finetune_lr"}),
        ("set", {"alpha": 0}, {"updates"}),
        ("rigl", {"alpha": 0}, {"updates"}),
        ("pwd", {"lam": 0.0}, {"p"}),
    ],
)
def test_a_knob_that_does_nothing_beside_a_fixed_one_is_not_searched(
    method: str, fixed: dict[str, Any], idle: set[str]
) -> None:
    cls = registry[method]
    every, left = free_knobs(SGD, cls, {}), free_knobs(SGD, cls, fixed)
    assert idle < set(every)
    assert set(left) == set(every) - set(fixed) - idle


def test_a_knob_is_searched_beside_one_that_is_searched_or_fixed_at_another_value() -> None:
    magnitude, powerprop = registry["magnitude"], registry["powerprop"]
    assert "finetune_lr" in free_knobs(SGD, magnitude, {"finetune": 0.25})
    assert "finetune_lr" in free_knobs(SGD, magnitude, {"finetune": {"low": 0.0, "high": 0.5}})
    assert "levels" in free_knobs(SGD, powerprop, {"prune": "imp", "levels": {"low": 1, "high": 4}})


def test_a_range_for_a_knob_that_does_nothing_is_refused() -> None:
    table = {"low": 0.1, "high": 0.5}
    with pytest.raises(SparsebenchError, match=r"^magnitude: finetune_lr has no effect at finetune = 0"):
        free_knobs(SGD, registry["magnitude"], {"finetune": 0, "finetune_lr": table})
    with pytest.raises(SparsebenchError, match=r"levels has no effect at prune = one_shot: leave out"):
        free_knobs(SGD, registry["powerprop"], {"levels": {"low": 1, "high": 4}})


def test_a_table_searches_another_range() -> None:
    knobs = free_knobs(Recipe(lr=0.1), registry["dwf"], {"lr": {"low": 0.1, "high": 0.4}})
    assert (knobs["lr"].low, knobs["lr"].high, knobs["lr"].default) == (0.1, 0.4, 0.2)
    wide = free_knobs(SGD, registry["l1"], {"lam": {"low": 1e-8, "high": 1e-7}})["lam"]
    assert (wide.low, wide.high, wide.default) == (1e-8, 1e-7, 1e-7)
    assert wide.scale == "log"
    assert wide.operating


def test_a_table_makes_a_knob_searched_that_is_not_by_itself() -> None:
    assert "eps" not in free_knobs(SGD, registry["dwf"], {})
    assert "eps" in free_knobs(SGD, registry["dwf"], {"eps": {"low": 0.1, "high": 0.2}})


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"low": 0.1}, "a range is written"),
        ({"low": 0.1, "high": 0.2, "log": True}, "a range is written"),
        ({"low": 0.2, "high": 0.2}, "is empty"),
        ({"low": 0.2, "high": 0.1}, "is empty"),
        ({"low": "a", "high": 0.1}, "is not a number"),
        ({"low": 0.0, "high": 0.1}, "starts above 0"),
        ({"low": 0.1, "high": 1e9}, "out of range"),
    ],
)
def test_wrong_ranges_are_refused(limits: Any, message: str) -> None:
    with pytest.raises(SparsebenchError, match=message):
        with_range("l1: lam", Knob(1e-3, 1e-4, 1e-2, "log", minimum=0.0, maximum=1e3), limits)


def test_the_recipes_knobs_are_as_the_optimizer_and_the_method_want_them() -> None:
    dense, dwf = registry["dense"], registry["dwf"]
    assert recipe_knobs(SGD, dense)["lr"].default > recipe_knobs(ADAM, dense)["lr"].default
    decay = {recipe.optimizer: recipe_knobs(recipe, dense)["weight_decay"].default for recipe in (SGD, ADAMW)}
    assert decay["adamw"] > decay["sgd"]
    assert recipe_knobs(SGD, dwf)["lr"] == dwf.claims["lr"]
    assert recipe_knobs(ADAM, dwf)["lr"] == recipe_knobs(ADAM, dense)["lr"]  # a claim is for SGD's scale
    for recipe in (SGD, ADAM, ADAMW):
        assert not recipe_knobs(recipe, dwf)["weight_decay"].free


def test_a_recipe_is_settled_by_choice_then_recipe_then_default() -> None:
    dense = registry["dense"]
    assert settle_recipe(Recipe(lr=0.2), dense, {"lr": 0.1}).lr == 0.1
    assert settle_recipe(Recipe(lr=0.2), dense).lr == 0.2
    assert settle_recipe(SGD, dense).lr == recipe_knobs(SGD, dense)["lr"].default
    settled = settle_recipe(Recipe(weight_decay=0.1, epochs=3), registry["dwf"])
    assert (settled.weight_decay, settled.epochs) == (0.0, 3)  # its penalty is its own


def test_a_method_runs_under_an_optimizer_that_it_can_work_with() -> None:
    settled = settle_recipe(ADAM, registry["l1_prox"])
    assert settled.optimizer == "sgd"
    assert settled.lr == registry["l1_prox"].claims["lr"].default


def test_what_a_method_does_not_leave_to_the_recipe_is_refused() -> None:
    with pytest.raises(SparsebenchError, match=r"weight_decay = 0.1 is out of range: 0 to 0"):
        settle_recipe(SGD, registry["dwf"], {"weight_decay": 0.1})
    with pytest.raises(SparsebenchError, match="lr = 10000"):
        settle_recipe(Recipe(lr=1e4), registry["dense"])


def test_settings_are_sorted_into_knobs_and_recipe() -> None:
    knobs, rest = split_settings(registry["dwf"], {"depth": 3, "lr": 0.1, "epochs": 5, "lam": 1e-3})
    assert knobs == {"depth": 3, "lam": 1e-3}
    assert rest == {"lr": 0.1, "epochs": 5}
    with pytest.raises(SparsebenchError, match="did you mean 'depth'"):
        split_settings(registry["dwf"], {"deph": 3})
    with pytest.raises(SparsebenchError, match=r"unknown knob .*'epochs'"):
        free_knobs(SGD, registry["dwf"], {"epochs": 3})  # the budget is nobody's knob


def test_an_identity_holds_all_knobs_the_defaults_too() -> None:
    knobs = full_knobs("dwf", {"depth": "3"})
    assert knobs["depth"] == 3
    assert set(knobs) == {"lam", "depth", "eps"}  # the decay budget is no knob of a training


def test_no_methods_knob_has_a_name_of_the_recipe() -> None:
    for cls in registry.values():
        assert not set(knobs_of(cls)) & set(Recipe.model_fields), cls.name
