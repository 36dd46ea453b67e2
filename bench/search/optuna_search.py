"""The interface to Optuna: one multi-objective study per entry and task, sampled in generations.

No sampler has state: each trial gets a fresh one, seeded from the study's key and the trial's number, over
the finished trials in their order. So the same points are proposed on any number of devices and after a
resume.
"""

import math
import threading
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...methods.api import Knob

DIRECTIONS = [StudyDirection.MAXIMIZE, StudyDirection.MAXIMIZE]

Objectives = tuple[float, float] | None  # accuracy and log10 compression; None for a failure

optuna.logging.set_verbosity(optuna.logging.WARNING)


def _distribution(knob: Knob) -> BaseDistribution:
    """Returns a knob's range for Optuna. A sparsity s is sampled as the compression 1/(1-s), log-uniform."""
    if knob.choices:
        return CategoricalDistribution(knob.choices)
    if isinstance(knob.default, bool):
        return CategoricalDistribution((False, True))
    assert knob.low is not None
    assert knob.high is not None
    if knob.scale == "density":
        return FloatDistribution(1 / (1 - knob.low), 1 / (1 - knob.high), log=True)
    if knob.scale == "minus_log":
        return FloatDistribution(-knob.high, -knob.low, log=True)
    if isinstance(knob.default, int):
        return IntDistribution(int(knob.low), int(knob.high), log=knob.scale == "log")
    return FloatDistribution(knob.low, knob.high, log=knob.scale == "log")


def _parameter(name: str, knob: Knob) -> str:
    """Returns the name of a knob's Optuna parameter; a prefix marks a transformed scale."""
    prefix = {"density": "compression_for_", "minus_log": "minus_"}.get(knob.scale, "")
    return prefix + name


def value_of(knob: Knob, asked: Any) -> Any:
    """Returns the knob's value for a value of its Optuna parameter.

    Args:
        knob: The knob; `scale` decides the transformation: 1 - 1/x for "density", -x for "minus_log".
        asked: What Optuna sampled, on the scale of the parameter.

    Returns:
        The value, rounded to four significant digits so that it can be typed, and within `low`…`high`.

    Example:
        >>> sparsity = Knob(0.9, low=0.5, high=0.99, scale="density")
        >>> value_of(sparsity, 20.0)  # compression 20
        0.95
    """
    if not isinstance(asked, float) or knob.choices:
        return asked
    value = float(f"{asked:.4g}")
    if knob.scale == "density":
        value = round(1 - 1 / value, 6)
    elif knob.scale == "minus_log":
        value = -value
    assert knob.low is not None
    assert knob.high is not None
    return min(max(value, knob.low), knob.high)


def _asked(knob: Knob, value: Any) -> Any:
    """Returns the value of the Optuna parameter for a knob's value; the inverse of `value_of`."""
    if knob.scale == "density":
        return 1 / (1 - value)
    return -value if knob.scale == "minus_log" else value


def _state(outcome: Objectives) -> TrialState:
    return TrialState.FAIL if outcome is None else TrialState.COMPLETE


class Search:
    """The search of one entry on one task: an ask-and-tell interface to a two-objective Optuna study.

    Both objectives, validation accuracy and log10 compression, are maximised by TPE. Points are proposed in
    generations; the next one needs the outcomes of the whole generation before it.

    Args:
        key: Name of the study, `<entry> on <task>`; it seeds the sampler.
        knobs: The searched knobs by name.
        trials: Number of trials in all.
        generation: Number of trials that are proposed at once, and can run in parallel.
        seed: Seed of the suite; it seeds the sampler.

    Example:
        >>> sparsity = Knob(0.9, low=0.5, high=0.99, scale="density", operating=True)
        >>> search = Search("magnitude on digits", {"sparsity": sparsity}, trials=4, generation=2, seed=0)
        >>> search.ask()  # anchors: compressions 5.3 and 37.6 divide [2, 100] evenly on a log scale
        {0: {'sparsity': 0.811959}, 1: {'sparsity': 0.973411}}
        >>> search.tell(0, (0.95, 0.726))
        >>> search.tell(1, (0.80, 1.575))
        >>> search.asked, sorted(search.ask())
        (2, [2, 3])
    """

    def __init__(self, key: str, knobs: Mapping[str, Knob], trials: int, generation: int, seed: int) -> None:
        self.key, self.knobs, self.trials, self.generation = key, dict(knobs), trials, generation
        self.seed = seed
        self.distributions = {_parameter(name, knob): _distribution(knob) for name, knob in knobs.items()}
        self.study = optuna.create_study(study_name=key, directions=DIRECTIONS)
        self.anchors = self._anchors()
        self.waiting: dict[int, optuna.Trial] = {}
        self.outcomes: dict[int, Objectives] = {}
        self._past: list[tuple[Mapping[str, Any], Objectives]] = []  # replayed, not yet added to the study
        self._lock = threading.Lock()  # a mirror reads from another thread

    def _anchors(self) -> list[dict[str, Any]]:
        """Returns the parameters of the first half of the trials, at most eight: the operating knob spread
        over its range, the others at their defaults. Without an operating knob one anchor, the defaults."""
        base = {_parameter(n, k): _asked(k, k.default) for n, k in self.knobs.items()}
        operating = next(((n, k) for n, k in self.knobs.items() if k.operating), None)
        if operating is None:
            return [base] if base else []
        name, knob = operating
        found = self.distributions[_parameter(name, knob)]
        assert isinstance(found, FloatDistribution)
        count = max(1, min(8, math.ceil(self.trials / 2)))
        low, high = (math.log(found.low), math.log(found.high)) if found.log else (found.low, found.high)
        spread = [low + (high - low) * (i + 0.5) / count for i in range(count)]
        return [{**base, _parameter(name, knob): math.exp(x) if found.log else x} for x in spread]

    @property
    def asked(self) -> int:
        """The number of trials proposed so far, replayed ones included."""
        return len(self._trials()) + len(self._past)

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)  # read-only: copies cost more than the sampling

    @property
    def done(self) -> bool:
        """Whether all trials are proposed and finished."""
        return self.asked >= self.trials and not self.waiting

    def ask(self, known: Mapping[int, Mapping[str, Any]] | None = None) -> dict[int, dict[str, Any]]:
        """Returns the next generation: knob values by trial number. Empty while the outcome of a trial of the
        last generation is missing, and when all trials are done. A number in `known` has been proposed before
        and keeps those Optuna parameters, whatever would be proposed now."""
        if self.waiting:
            return {}
        first = self.asked
        last = min(first + self.generation, self.trials)
        if first < last:
            self._recall()
        questions = {}
        for number in range(first, last):
            self.study.sampler = self._sampler(number)
            if (given := self._given(number, known or {})) is not None:
                self.study.enqueue_trial(given)
            trial = self.study.ask(self.distributions)
            self.waiting[number] = trial
            questions[number] = self.values(trial.params)
        return questions

    def _given(self, number: int, known: Mapping[int, Mapping[str, Any]]) -> dict[str, Any] | None:
        """Returns the parameters of a trial that is not sampled: proposed before, or an anchor. Else None.
        An anchor that is a trial of a lower number already, of a shorter search's anchors, is no new one."""
        if proposed := known.get(number):
            return dict(proposed)
        if number >= len(self.anchors):
            return None
        anchor = self.anchors[number]
        tried = [self.values(trial.params) for trial in self._trials()]
        return None if self.values(anchor) in tried else anchor

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Returns the sampler of a trial: TPE, which samples at random until eight trials are complete."""
        state = sha256(f"{self.key}/{self.seed}/{number}".encode()).digest()
        return optuna.samplers.TPESampler(
            seed=int.from_bytes(state[:4], "big"), n_startup_trials=max(8, len(self.anchors))
        )

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the knob values for a trial's Optuna parameters."""
        return {name: value_of(knob, params[_parameter(name, knob)]) for name, knob in self.knobs.items()}

    def params(self, number: int) -> dict[str, Any]:
        """Returns the Optuna parameters of a trial of the current generation, as a record stores them."""
        return dict(self.waiting[number].params)

    def tell(self, number: int, outcome: Objectives) -> None:
        """Records the outcome of a trial. The study gets the outcomes of a generation once all are there, in
        the order of the trials, so that the next one does not depend on which finished first."""
        self.outcomes[number] = outcome
        if not set(self.waiting) <= set(self.outcomes):
            return
        for waiting in sorted(self.waiting):
            values = self.outcomes[waiting]
            trial = self.waiting[waiting]
            if values is None:
                self.study.tell(trial, state=TrialState.FAIL)
            else:
                self.study.tell(trial, list(values))
        self.waiting.clear()

    def replay(self, params: Mapping[str, Any], outcome: Objectives) -> None:
        """Appends a finished trial of an earlier run, to be called in the order of trial numbers. The study
        gets it before the next generation is sampled."""
        self._past.append((params, outcome))

    def _recall(self) -> None:
        """Adds the replayed trials to the study."""
        with self._lock:
            self.study.add_trials([self._frozen(*one) for one in self._past])
            self._past.clear()

    def _frozen(self, params: Mapping[str, Any], outcome: Objectives) -> FrozenTrial:
        values = None if outcome is None else list(outcome)
        return create_trial(
            params=dict(params), distributions=self.distributions, values=values, state=_state(outcome)
        )

    @property
    def told(self) -> list[FrozenTrial]:
        """The finished trials, in order; read-only."""
        with self._lock:
            finished = [trial for trial in self._trials() if trial.state.is_finished()]
            return finished + [self._frozen(*one) for one in self._past]

    @property
    def states(self) -> list[TrialState]:
        """The states of the finished trials (COMPLETE or FAIL), in order."""
        with self._lock:
            finished = [trial.state for trial in self._trials() if trial.state.is_finished()]
            return finished + [_state(outcome) for _, outcome in self._past]
