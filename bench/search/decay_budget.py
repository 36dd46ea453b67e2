"""The decay budget B, which a search varies in place of λ: the λ that follows from it and the steps."""

from collections.abc import Sequence
from dataclasses import replace

from ...methods.api import Knob, Round
from ..config.lr_schedule import eta_sum
from ..config.trial_spec import Recipe


def lam_of(budget: float, recipe: Recipe, rounds: Sequence[Round], steps: int) -> float:
    """Returns the λ of a decay budget: λ = B·(1-μ)/(2·Σ_t η_t), to four significant digits.

    Args:
        budget: B = 2λ·Σ_t η_t/(1-μ), the exponent by which a weight shrinks that the loss does not hold.
        recipe: The recipe, everything decided; its optimizer is SGD.
        rounds: The rounds of the method.
        steps: The steps of the training.

    Returns:
        λ.

    Example:
        >>> from sparsebench.methods.plan import Round
        >>> recipe = Recipe(lr=0.1, weight_decay=0.0, schedule="constant")
        >>> lam_of(20.0, recipe, [Round()], steps=1000)  # 20·(1 - 0.9)/(2·1000·0.1)
        0.01
    """
    assert recipe.lr is not None, "the recipe is settled"
    total = eta_sum(recipe.schedule, recipe.warmup, recipe.lr, rounds, steps, recipe.momentum)
    return float(f"{budget / (2 * total):.4g}")


def within_lam(knob: Knob, limit: float, recipe: Recipe, rounds: Sequence[Round], steps: int) -> Knob:
    """Returns the knob of B, whose range ends where λ would exceed its limit.

    In few steps a large B asks for a λ at which no weight is left, whatever the steps.

    Args:
        knob: The knob of the decay budget.
        limit: The largest λ, see `Sparsifier.lam_limit`.
        recipe: The recipe with the default learning rate.
        rounds: The rounds of the method.
        steps: The steps of the training.

    Returns:
        The knob with the smaller range; at least a factor of 4 is left.

    Example:
        >>> from sparsebench.methods.plan import Round
        >>> budget = Knob(15.0, 1.0, 40.0, "log", operating=True)
        >>> recipe = Recipe(lr=0.1, weight_decay=0.0, schedule="constant")
        >>> within_lam(budget, 1e-2, recipe, [Round()], steps=500).high
        10.0
    """
    assert recipe.lr is not None and knob.low is not None and knob.high is not None
    total = eta_sum(recipe.schedule, recipe.warmup, recipe.lr, rounds, steps, recipe.momentum)
    high = min(knob.high, max(4 * knob.low, float(f"{2 * limit * total:.4g}")))
    return replace(knob, high=high, default=min(knob.default, high))
