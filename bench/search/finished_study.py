"""A study of trials that are over, held as they are: `Study.add_trial` copies and checks each of them."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

Outcome = tuple[Mapping[str, Any], Sequence[float]]
"""What was tried, and a value an objective."""


def finished_study(outcomes: Sequence[Outcome], ranges: Mapping[str, BaseDistribution]) -> optuna.Study:
    """Returns an Optuna study of finished trials, to be read; every objective is maximised.

    Args:
        outcomes: The trials in their order, at least one: the values of the parameters, and a value an
            objective.
        ranges: The distribution of each parameter that is read, the same for all trials.

    Returns:
        The study.

    Example:
        >>> lr = {"lr": optuna.distributions.FloatDistribution(0.0, 1.0)}
        >>> study = finished_study([({"lr": 0.1}, [0.9]), ({"lr": 0.2}, [0.8])], lr)
        >>> [trial.params for trial in study.trials]
        [{'lr': 0.1}, {'lr': 0.2}]
    """
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = _Held([_frozen(number, one, dict(ranges)) for number, one in enumerate(outcomes)])
    study = optuna.create_study(storage=storage, directions=["maximize"] * len(outcomes[0][1]))
    optuna.logging.set_verbosity(before)
    return study


class _Held(InMemoryStorage):
    def __init__(self, trials: list[FrozenTrial]) -> None:
        super().__init__()
        self._held = trials

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self._held if states is None or TrialState.COMPLETE in states else []


def _frozen(number: int, one: Outcome, ranges: dict[str, BaseDistribution]) -> FrozenTrial:
    tried, values = one
    return FrozenTrial(
        number=number, trial_id=number, state=TrialState.COMPLETE, value=None, values=values,
        params={name: tried[name] for name in ranges}, distributions=ranges, user_attrs={}, system_attrs={},
        intermediate_values={}, datetime_start=None, datetime_complete=None,
    )  # fmt: skip
