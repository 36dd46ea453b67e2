"""The decay budget B, which a search varies in place of λ: the λ that follows from it and the steps."""

from collections.abc import Sequence

from ...methods.plan import Round
from ..config.trial_spec import Recipe
from ..training.lr_schedule import eta_sum


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
