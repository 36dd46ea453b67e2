"""Hyperparameter importance: the share of each knob by Optuna's PED-ANOVA, from the search records alone."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ...records.choice import points_of
from ...records.record import Record

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

    from .finished_study import Outcome

OBJECTIVES = ("validation accuracy", "compression")  # of searches without assigned compressions
ASSIGNED = "validation accuracy at the assigned compression"
LEAST_TRIALS = 16  # with fewer the result is chance
BEST = 0.1  # the share of trials that count as good
LEAST_BEST = 4
WIDE = 10.0  # ratio of the bounds from which on a range counts as searched on a log scale
PREFIXES = ("compression_for_", "minus_")  # of Optuna's parameters for knobs on a transformed scale

Shares = dict[str, dict[str, dict[str, float]]]


class Tried(NamedTuple):
    """What a trial of a search tried and what came out.

    Attributes:
        params: The values that the search chose.
        reached: Validation accuracy and log10 compression of the finished model.
        aim: The compression that the trial was assigned; None in searches of earlier versions.
        at_aim: Validation accuracy there; that of chance of a trial that diverged.

    Example:
        >>> Tried({"lr": 0.1}, [0.95, 1.2], aim=16.0, at_aim=0.94).at_aim
        0.94
    """

    params: Mapping[str, Any]
    reached: Sequence[float]
    aim: float | None
    at_aim: float


def importance(records: Iterable[Record]) -> dict[str, Shares]:
    """Returns the importance of each entry's knobs for what its search looks for.

    That is the validation accuracy at the compression that each trial was assigned. Trials of different
    compressions become comparable by their ranks among those of the same one. Searches of earlier versions
    had two objectives, accuracy and compression.

    A knob is important for an objective if its values in the best trials (a tenth, and at least four) are
    distributed differently from its values in all trials (PED-ANOVA: Watanabe et al., IJCAI 2023,
    arXiv:2304.10255).

    Args:
        records: Records of a campaign; only finished trials of the search phase are used.

    Returns:
        Shares, which sum to 1 for each entry, by task, objective, entry and knob. Entries with fewer than
        sixteen finished trials, or with fewer than two knobs that vary, are absent, and so is an objective on
        which all trials are equal.

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
    tried: dict[str, dict[str, list[Tried]]] = {}
    for record in records:
        if record.phase == "search" and record.ok and record.params and record.val_accuracy is not None:
            point = points_of(record).get(record.aim or 1.0)
            there = record.val_accuracy if point is None else point.val_accuracy
            reached = [record.val_accuracy, record.log_compression]
            one = Tried(record.params, reached, record.aim, there)
            tried.setdefault(record.task, {}).setdefault(record.entry, []).append(one)
    return {task: partial(_of_task, searches) for task, searches in tried.items()}


def _of_task(searches: Mapping[str, Sequence[Tried]]) -> Shares:
    found: Shares = {}
    for entry, outcomes in searches.items():
        for objective, shares in _of_search(outcomes).items():
            found.setdefault(objective, {})[entry] = shares
    return found


def _of_search(outcomes: Sequence[Tried]) -> dict[str, dict[str, float]]:
    """Returns the shares of one entry's knobs on one task, by objective."""
    if len(outcomes) < LEAST_TRIALS:  # before the import of Optuna, which takes a second
        return {}
    names = set.intersection(*(set(one.params) for one in outcomes))
    ranges = {name: _range([one.params[name] for one in outcomes]) for name in sorted(names)}
    varied = {name: found for name, found in ranges.items() if found is not None}
    if len(varied) < 2:
        return {}
    from .finished_study import finished_study

    objectives, judged = _judged(outcomes)
    study = finished_study(judged, varied)
    shares = {objective: _shares(study, i) for i, objective in enumerate(objectives)}
    return {objective: found for objective, found in shares.items() if found}


def _judged(tried: Sequence[Tried]) -> "tuple[Sequence[str], list[Outcome]]":
    """Returns the objectives of a search, and of each trial what was tried and its values."""
    aimed = [(one.aim, one.at_aim) for one in tried if one.aim is not None]
    if len(aimed) < len(tried):
        return OBJECTIVES, [(one.params, one.reached) for one in tried]
    return (ASSIGNED,), [(one.params, [rank]) for one, rank in zip(tried, _ranks(aimed), strict=True)]


def _ranks(values: Sequence[tuple[float, float]]) -> list[float]:
    """Returns of each (compression, accuracy) the share of the others there that it is better than; ties
    count half."""
    groups: dict[float, list[float]] = {}
    for aim, accuracy in values:
        groups.setdefault(aim, []).append(accuracy)
    return [sum((a > b) + 0.5 * (a == b) for b in groups[aim]) / len(groups[aim]) for aim, a in values]


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
