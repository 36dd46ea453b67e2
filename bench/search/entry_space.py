"""What the search of an entry on a task varies, and the settings of a trial that follow from it."""

from collections.abc import Mapping
from typing import Any

from ...datasets.api import full_batches
from ...methods.api import Knob, configure, registry
from ..config.search_space import (
    DECAY_BUDGET,
    free_knobs,
    settle_recipe,
    split_settings,
    target_knob,
)
from ..config.suite import Entry, Task
from ..config.trial_spec import Recipe
from .decay_budget import lam_of, within_lam


class EntrySpace:
    """The searched knobs of an entry on a task.

    Args:
        task: The task (dataset, model, recipe).
        entry: The entry (method, fixed knobs, own ranges).
        images: Size of the training split, from which the steps of a training follow.

    Attributes:
        target: The name of the method's target; None where its sparsity is an outcome, or is fixed.
        knobs: The knobs that the search varies. A target is none of them: that is the assigned compression.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> quick = load_suite("quickstart")
        >>> labels = [entry.label for entry in quick.entries]
        >>> space = EntrySpace(quick.tasks[0], quick.entries[labels.index("magnitude")], images=1149)
        >>> space.target, sorted(space.knobs)
        ('sparsity', ['finetune', 'finetune_lr', 'lr', 'weight_decay'])
        >>> knobs, recipe = space.settings({"lr": 0.1, "weight_decay": 0.0}, aim=64)
        >>> knobs["sparsity"], recipe.lr
        (0.984375, 0.1)
    """

    def __init__(self, task: Task, entry: Entry, images: int) -> None:
        self.task, self.entry, self.images = task, entry, images
        self.cls = registry[entry.method]
        self._fixed = {name: value for name, value in entry.knobs.items() if not isinstance(value, dict)}
        target = target_knob(self.cls, task.granularity)
        self.target = None if target in self._fixed else target
        self.knobs = free_knobs(task.recipe, self.cls, entry.knobs)
        if DECAY_BUDGET in self.knobs and DECAY_BUDGET not in entry.knobs:
            self.knobs[DECAY_BUDGET] = self._budget()
        self.knobs.pop(self.target or "", None)

    def _budget(self) -> Knob:
        """Returns the knob of the decay budget, within what λ may be at the default learning rate."""
        values = {name: knob.default for name, knob in self.knobs.items() if name != DECAY_BUDGET}
        knobs, rest = split_settings(self.cls, {**values, **self._fixed})
        recipe = settle_recipe(self.task.recipe, self.cls, rest)
        method = configure(self.entry.method, knobs)
        return within_lam(
            self.knobs[DECAY_BUDGET], method.lam_limit(), recipe, method.rounds(), self._steps(recipe)
        )

    def _steps(self, recipe: Recipe) -> int:
        return recipe.epochs * full_batches(self.images, recipe.batch_size)

    def _aimed(self, aim: float) -> dict[str, float]:
        """Returns the target of a trial, a sparsity or a speed-up."""
        if self.target is None:
            return {}
        return {self.target: aim if self.task.granularity == "channels" else 1 - 1 / aim}

    def settings(self, values: Mapping[str, Any], aim: float) -> tuple[dict[str, Any], Recipe]:
        """Returns the settings of a trial.

        Args:
            values: The value of each searched knob.
            aim: The compression that is assigned to the trial.

        Returns:
            The method's knobs that are not defaults, λ computed from a decay budget, and the whole recipe.
        """
        given = {**self._aimed(aim), **self._fixed, **values}
        budget = given.pop(DECAY_BUDGET, None)
        knobs, rest = split_settings(self.cls, given)
        recipe = settle_recipe(self.task.recipe, self.cls, rest)
        if budget is not None:
            rounds = configure(self.entry.method, knobs).rounds()
            knobs["lam"] = lam_of(budget, recipe, rounds, self._steps(recipe))
        return knobs, recipe
