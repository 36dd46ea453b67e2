"""How much each knob decided in a search: Optuna's PED-ANOVA, from the records of the search alone."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...records.record import Record

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

OBJECTIVES = ("validation accuracy", "compression")
LEAST_TRIALS = 16  # with fewer the answer is chance
BEST = 0.1  # the share of trials that count as good
LEAST_BEST = 4
WIDE = 10.0  # a range this wide was searched on a log scale
PREFIXES = ("compression_for_", "minus_")  # under which a search knows knobs on other scales

Shares = dict[str, dict[str, dict[str, float]]]


def importance(records: Iterable[Record]) -> dict[str, Shares]:
    """By task and objective, each entry's knobs with their shares, which sum to 1.

    A knob is important when the trials that do best on an objective (a tenth, and at least four) have other
    values of it than all trials have (Watanabe et al., IJCAI 2023, arXiv:2304.10255). Entries with fewer than
    sixteen finished trials, or one knob, have no shares.
    """
    searched: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.phase == "search" and record.ok and record.params and record.val_accuracy is not None:
            searched.setdefault((record.task, record.entry), []).append(record)
    found: dict[str, Shares] = {}
    for (task, entry), trials in searched.items():
        for objective, shares in _of_study(trials).items():
            found.setdefault(task, {}).setdefault(objective, {})[entry] = shares
    return found


def _of_study(trials: Sequence[Record]) -> dict[str, dict[str, float]]:
    if len(trials) < LEAST_TRIALS:  # before Optuna is imported for nothing
        return {}
    names = set.intersection(*(set(record.params) for record in trials))
    ranges = {name: _range([record.params[name] for record in trials]) for name in sorted(names)}
    varied = {name: found for name, found in ranges.items() if found is not None}
    if len(varied) < 2:
        return {}
    study = _study(trials, varied)
    shares = {objective: _shares(study, i) for i, objective in enumerate(OBJECTIVES)}
    return {objective: found for objective, found in shares.items() if found}


def _range(values: Sequence[Any]) -> "BaseDistribution | None":
    """The range that the values span; None where all are the same or they are of different kinds."""
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


def _study(trials: Sequence[Record], ranges: Mapping[str, "BaseDistribution"]) -> "Study":
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["maximize"] * len(OBJECTIVES))
    optuna.logging.set_verbosity(before)
    for record in trials:
        values = [record.val_accuracy or 0.0, record.log_compression]
        params = {name: record.params[name] for name in ranges}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=dict(ranges), values=values))
    return study


def _shares(study: "Study", objective: int) -> dict[str, float]:
    from optuna.exceptions import ExperimentalWarning
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    count = len(study.get_trials(deepcopy=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", message=".*low `target` values")  # hence the minus below
        warnings.filterwarnings("error", message="Target and region quantiles")
        judge = PedAnovaImportanceEvaluator(target_quantile=max(BEST, LEAST_BEST / count))
        try:
            found = get_param_importances(
                study, evaluator=judge, target=lambda trial: -trial.values[objective], normalize=True
            )
        except UserWarning:  # all trials did equally well: nothing was decided
            return {}
    if not all(math.isfinite(value) for value in found.values()):
        return {}
    return {_knob(name): float(value) for name, value in found.items()}


def _knob(name: str) -> str:
    return next((name.removeprefix(p) for p in PREFIXES if name.startswith(p)), name)
