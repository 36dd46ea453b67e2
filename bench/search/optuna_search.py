"""Knobs to Optuna: one multi-objective study per entry and task, asked in generations.

Nothing of a sampler is kept: each ask gets a fresh one, seeded from the study's key and the trial's number,
over the trials told so far in their order. So the same questions are asked on any number of devices, and
after a resume.
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


def distribution(knob: Knob) -> BaseDistribution:
    """A knob's range for Optuna. A sparsity is asked for as the compression 1/(1-s), log-uniform."""
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


def parameter(name: str, knob: Knob) -> str:
    """The name under which Optuna's charts show a knob."""
    prefix = {"density": "compression_for_", "minus_log": "minus_"}.get(knob.scale, "")
    return prefix + name


def value_of(knob: Knob, asked: Any) -> Any:
    """Optuna's number to the knob's value, rounded to what a person would type, and not out of the range."""
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
    if knob.scale == "density":
        return 1 / (1 - value)
    return -value if knob.scale == "minus_log" else value


def _state(outcome: Objectives) -> TrialState:
    return TrialState.FAIL if outcome is None else TrialState.COMPLETE


class Search:
    """The search of one entry on one task: asks for parameters, is told objectives, keeps the order."""

    def __init__(self, key: str, knobs: Mapping[str, Knob], trials: int, generation: int, seed: int) -> None:
        self.key, self.knobs, self.trials, self.generation = key, dict(knobs), trials, generation
        self.seed = seed
        self.distributions = {parameter(name, knob): distribution(knob) for name, knob in knobs.items()}
        self.study = optuna.create_study(study_name=key, directions=DIRECTIONS)
        self.anchors = self._anchors()
        self.waiting: dict[int, optuna.Trial] = {}
        self.outcomes: dict[int, Objectives] = {}
        self._past: list[tuple[Mapping[str, Any], Objectives]] = []  # that the study has not been told of yet
        self._lock = threading.Lock()  # a mirror looks on from another thread

    def _anchors(self) -> list[dict[str, Any]]:
        """The first half of the trials, at most eight: the operating knob spread over its range, the others
        at their defaults. Without an operating knob one anchor, the defaults."""
        base = {parameter(n, k): _asked(k, k.default) for n, k in self.knobs.items()}
        operating = next(((n, k) for n, k in self.knobs.items() if k.operating), None)
        if operating is None:
            return [base] if base else []
        name, knob = operating
        found = self.distributions[parameter(name, knob)]
        assert isinstance(found, FloatDistribution)
        count = max(1, min(8, math.ceil(self.trials / 2)))
        low, high = (math.log(found.low), math.log(found.high)) if found.log else (found.low, found.high)
        spread = [low + (high - low) * (i + 0.5) / count for i in range(count)]
        return [{**base, parameter(name, knob): math.exp(x) if found.log else x} for x in spread]

    @property
    def asked(self) -> int:
        """How many trials there are so far."""
        return len(self._trials()) + len(self._past)

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)  # to be read only: copies cost more than the asking

    @property
    def done(self) -> bool:
        return self.asked >= self.trials and not self.waiting

    def ask(self) -> dict[int, dict[str, Any]]:
        """The next generation: number to knob values. Empty while one is out, or when all are done."""
        if self.waiting:
            return {}
        first = self.asked
        last = min(first + self.generation, self.trials)
        if first < last:
            self._recall()
        questions = {}
        for number in range(first, last):
            self.study.sampler = self._sampler(number)
            if number < len(self.anchors):
                self.study.enqueue_trial(self.anchors[number])
            trial = self.study.ask(self.distributions)
            self.waiting[number] = trial
            questions[number] = self.values(trial.params)
        return questions

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        state = sha256(f"{self.key}/{self.seed}/{number}".encode()).digest()
        return optuna.samplers.TPESampler(
            seed=int.from_bytes(state[:4], "big"), n_startup_trials=max(8, len(self.anchors))
        )

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Optuna's parameters as knob values."""
        return {name: value_of(knob, params[parameter(name, knob)]) for name, knob in self.knobs.items()}

    def params(self, number: int) -> dict[str, Any]:
        """What Optuna itself calls the parameters of a waiting trial."""
        return dict(self.waiting[number].params)

    def tell(self, number: int, outcome: Objectives) -> None:
        """The study hears of an outcome when its generation is complete, in the trials' order."""
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
        """A trial of an earlier run, at the place that it had. The study hears of it before it is asked."""
        self._past.append((params, outcome))

    def _recall(self) -> None:
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
        """The finished trials, in order; to be read only."""
        with self._lock:
            finished = [trial for trial in self._trials() if trial.state.is_finished()]
            return finished + [self._frozen(*one) for one in self._past]

    @property
    def states(self) -> list[TrialState]:
        """How the finished trials ended, in order."""
        with self._lock:
            finished = [trial.state for trial in self._trials() if trial.state.is_finished()]
            return finished + [_state(outcome) for _, outcome in self._past]
