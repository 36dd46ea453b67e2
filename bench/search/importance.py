"""Hyperparameter importance: the share of each knob by Optuna's PED-ANOVA, from the search records alone."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ...records.record import Record

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

    from .finished_study import Outcome

OBJECTIVES = ("validation accuracy", "compression")
LEAST_TRIALS = 16  # with fewer the result is chance
BEST = 0.1  # the share of trials that count as good
LEAST_BEST = 4
WIDE = 10.0  # ratio of the bounds from which on a range counts as searched on a log scale
PREFIXES = ("compression_for_", "minus_")  # of Optuna's parameters for knobs on a transformed scale

Shares = dict[str, dict[str, dict[str, float]]]


def importance(records: Iterable[Record]) -> dict[str, Shares]:
    """Returns the importance of each entry's knobs for both objectives of its search.

    A knob is important for an objective if its values in the best trials (a tenth, and at least four) are
    distributed differently from its values in all trials (PED-ANOVA: Watanabe et al., IJCAI 2023,
    arXiv:2304.10255).

    Args:
        records: Records of a campaign; only finished trials of the search phase are used.

    Returns:
        Shares, which sum to 1 for each entry, by task, objective ("validation accuracy", "compression"),
        entry and knob. Entries with fewer than sixteen finished trials, or with fewer than two knobs that
        vary, are absent, and so is an objective on which all trials are equal.

    Example:
        >>> def trial(n):  # the accuracy follows lr, and the other knob has no effect
        ...     found = {"phase": "search", "val_accuracy": n / 20, "compression": 2.0}
        ...     return record.model_copy(update=found | {"params": {"lr": n / 20, "idle": 7 * n % 20}})
        >>> shares = importance(map(trial, range(20)))["made_up-net"]["validation accuracy"]["dwf-3"]
        >>> shares["lr"] > 0.9 > 0.1 > shares["idle"]
        True
    """
    found = {task: compute() for task, compute in deferred_importance(records).items()}
    return {task: shares for task, shares in found.items() if shares}


def deferred_importance(records: Iterable[Record]) -> dict[str, Callable[[], Shares]]:
    """Returns what computes the same for each task later, perhaps in another process.

    Args:
        records: Records of a campaign.

    Returns:
        Functions by task, which can be pickled: they hold no records, only what was tried and what came out.

    Example:
        >>> {task: compute() for task, compute in deferred_importance(records).items()}  # too few trials
        {'made_up-net': {}}
    """
    tried: dict[str, dict[str, list[Outcome]]] = {}
    for record in records:
        if record.phase == "search" and record.ok and record.params and record.val_accuracy is not None:
            outcome = record.params, [record.val_accuracy, record.log_compression]
            tried.setdefault(record.task, {}).setdefault(record.entry, []).append(outcome)
    return {task: partial(_of_task, searches) for task, searches in tried.items()}


def _of_task(searches: "Mapping[str, Sequence[Outcome]]") -> Shares:
    found: Shares = {}
    for entry, outcomes in searches.items():
        for objective, shares in _of_search(outcomes).items():
            found.setdefault(objective, {})[entry] = shares
    return found


def _of_search(outcomes: "Sequence[Outcome]") -> dict[str, dict[str, float]]:
    """Returns the shares of one entry's knobs on one task, by objective."""
    if len(outcomes) < LEAST_TRIALS:  # before the import of Optuna, which takes a second
        return {}
    names = set.intersection(*(set(params) for params, _ in outcomes))
    ranges = {name: _range([params[name] for params, _ in outcomes]) for name in sorted(names)}
    varied = {name: found for name, found in ranges.items() if found is not None}
    if len(varied) < 2:
        return {}
    from .finished_study import finished_study

    study = finished_study(outcomes, varied)
    shares = {objective: _shares(study, i) for i, objective in enumerate(OBJECTIVES)}
    return {objective: found for objective, found in shares.items() if found}


def _range(values: Sequence[Any]) -> "BaseDistribution | None":
    """Returns the range that the values span; None where all are equal or their types differ."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    kinds = {type(value) for value in values}
    if not (kinds in ({bool}, {str}) or kinds <= {int, float}) or len(set(values)) < 2:
        return None
    if kinds in ({bool}, {str}):
        return CategoricalDistribution(sorted(set(values)))
    if kinds == {int}:
        return IntDistribution(min(values), max(values))
    low, high = float(min(values)), float(max(values))
    return FloatDistribution(low, high, log=low > 0 and high / low >= WIDE)


def _shares(study: "Study", objective: int) -> dict[str, float]:
    """Returns each knob's share of the importance for one objective; empty where it has no variance."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    count = len(study.get_trials(deepcopy=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", message=".*low `target` values")  # hence the negative target below
        warnings.filterwarnings("error", message="Target and region quantiles")
        judge = PedAnovaImportanceEvaluator(target_quantile=max(BEST, LEAST_BEST / count))
        try:
            found = get_param_importances(
                study, evaluator=judge, target=lambda trial: -trial.values[objective], normalize=True
            )
        except UserWarning:  # all trials have the same value of the objective
            return {}
    if not all(math.isfinite(value) for value in found.values()):
        return {}
    return {_knob(name): float(value) for name, value in found.items()}


def _knob(name: str) -> str:
    """Returns the knob's name for a parameter's, see `optuna_search`."""
    return next((name.removeprefix(p) for p in PREFIXES if name.startswith(p)), name)
