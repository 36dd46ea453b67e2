"""The interface to Optuna: the search of an entry, one single-objective study for each common compression.

Every training shows its accuracy at every common compression, so each study is told all of them; a new trial
is sampled by the study of the compression that is assigned to it.

No sampler has state: each trial gets a fresh one, seeded from the search's key and the trial's number, over
the finished trials in their order. So the same points are proposed on any number of devices and after a
resume.
"""

import math
import threading
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...methods.api import Knob
from .parameters import asked_for, distribution, parameter, value_of

DIRECTIONS = [StudyDirection.MAXIMIZE, StudyDirection.MAXIMIZE]
LEAST_START, START_SHARE = 4, 3  # the sampler begins after a third of the trials, see docs/search_cost.md

Outcome = Mapping[float, float] | None  # validation accuracy by compression; None for a failure

optuna.logging.set_verbosity(optuna.logging.WARNING)


def in_early_cover(compressions: Sequence[float]) -> list[float]:
    """Returns compressions in an order of which every beginning is spread over all of them.

    Args:
        compressions: The compressions, ascending.

    Returns:
        The same, sorted by the bit-reversed index (van der Corput's sequence).

    Example:
        >>> in_early_cover([2, 4, 8, 16, 32])
        [2, 32, 8, 4, 16]
    """
    bits = max(1, (len(compressions) - 1).bit_length())
    return sorted(compressions, key=lambda c: int(f"{compressions.index(c):0{bits}b}"[::-1], 2))


def _inside(found: BaseDistribution, share: float) -> float:
    """Returns the value that divides a range in a ratio, on the scale by which it is sampled."""
    assert isinstance(found, FloatDistribution | IntDistribution), "an operating knob has a range"
    low, high = (math.log(found.low), math.log(found.high)) if found.log else (found.low, found.high)
    place = low + (high - low) * share
    value = math.exp(place) if found.log else place
    return round(value) if isinstance(found, IntDistribution) else value


class Search:
    """The search of one entry on one task: an ask-and-tell interface to Optuna, a compression a trial.

    The compressions are assigned in turn. Accuracy at the assigned one is maximised by TPE over what all
    finished trials show there. Points are proposed in generations; the next one needs the outcomes of the
    whole generation before it.

    Args:
        key: Name of the search, `<entry> on <task>`; it seeds the sampler.
        knobs: The searched knobs by name, without a target: that is the assigned compression.
        compressions: The common compressions.
        trials: Number of trials in all.
        generation: Number of trials that are proposed at once, and can run in parallel.
        seed: Seed of the suite; it seeds the sampler.
        targeted: Whether the assigned compression is the target of the method.

    Example:
        >>> lam = Knob(0.1, low=0.01, high=1.0, scale="log", operating=True)
        >>> search = Search("l1 on digits", {"lam": lam}, [4, 16], trials=4, generation=2, seed=0)
        >>> search.ask(), search.aim(0), search.aim(1)  # anchors: a weaker penalty for less compression
        ({0: {'lam': 0.03162}, 1: {'lam': 0.3162}}, 4, 16)
        >>> search.tell(0, {1: 0.98, 4: 0.97, 16: 0.91})
        >>> search.tell(1, {1: 0.96, 4: 0.96, 16: 0.95})
        >>> search.asked, sorted(search.ask())
        (2, [2, 3])
    """

    def __init__(
        self,
        key: str,
        knobs: Mapping[str, Knob],
        compressions: Sequence[float],
        trials: int,
        generation: int,
        seed: int,
        *,
        targeted: bool = False,
    ) -> None:
        self.key, self.knobs, self.trials, self.generation = key, dict(knobs), trials, generation
        self.seed, self.targeted = seed, targeted
        self.order = in_early_cover(sorted(compressions))
        self.start = min(len(self.order), max(LEAST_START, trials // START_SHARE))
        self.distributions = {parameter(name, knob): distribution(knob) for name, knob in knobs.items()}
        self.anchors = self._anchors()
        self.waiting: dict[int, optuna.Trial] = {}
        self.outcomes: dict[int, Outcome] = {}
        self._finished: list[tuple[Mapping[str, Any], Outcome]] = []
        self._lock = threading.Lock()  # a mirror reads from another thread

    def aim(self, number: int) -> float:
        """Returns the compression that is assigned to a trial."""
        return self.order[number % len(self.order)]

    def _anchors(self) -> list[dict[str, Any]]:
        """Returns the parameters of the first trials: the defaults, and of an operating knob values spread
        over its range, the stronger the larger the compression.

        A method with a target has one at each compression. Of one without, every training shows all
        compressions: a third of the trials are anchors, and a single one where no knob is an operating one.
        """
        base = {parameter(n, k): asked_for(k, k.default) for n, k in self.knobs.items()}
        if not base:
            return []
        operating = next((n for n, k in self.knobs.items() if k.operating and not k.choices), None)
        if operating is None:
            return [base] * (len(self.order) if self.targeted else 1)
        name = parameter(operating, self.knobs[operating])
        aims, found = self.order if self.targeted else self.order[: self.start], self.distributions[name]
        rising = sorted(aims)
        return [{**base, name: _inside(found, (rising.index(c) + 0.5) / len(rising))} for c in aims]

    @property
    def asked(self) -> int:
        """The number of trials proposed so far, replayed ones included."""
        return len(self._finished) + len(self.waiting)

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
        studies: dict[float, optuna.Study] = {}  # one for each compression that this generation aims at
        questions = {}
        for number in range(first, min(first + self.generation, self.trials)):
            aim = self.aim(number)
            study = studies[aim] = studies.get(aim) or self._study(aim)
            study.sampler = self._sampler(number)
            if proposed := (known or {}).get(number):
                study.enqueue_trial(dict(proposed))
            elif number < len(self.anchors):
                study.enqueue_trial(self.anchors[number])
            self.waiting[number] = trial = study.ask(self.distributions)
            questions[number] = self.values(trial.params)
        return questions

    def _study(self, compression: float) -> optuna.Study:
        """Returns a study of all finished trials, with their accuracies at a compression."""
        study = optuna.create_study(direction=StudyDirection.MAXIMIZE)
        study.add_trials(
            [self._frozen(params, None if o is None else [o[compression]]) for params, o in self._finished]
        )
        return study

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Returns the sampler of a trial: TPE after the first ones."""
        state = sha256(f"{self.key}/{self.seed}/{number}".encode()).digest()
        return optuna.samplers.TPESampler(
            seed=int.from_bytes(state[:4], "big"), n_startup_trials=self.start, constant_liar=True
        )

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the knob values for a trial's Optuna parameters."""
        return {name: value_of(knob, params[parameter(name, knob)]) for name, knob in self.knobs.items()}

    def params(self, number: int) -> dict[str, Any]:
        """Returns the Optuna parameters of a trial of the current generation, as a record stores them."""
        return dict(self.waiting[number].params)

    def tell(self, number: int, outcome: Outcome) -> None:
        """Records the outcome of a trial. The studies get the outcomes of a generation once all are there, in
        the order of the trials, so that the next one does not depend on which finished first."""
        self.outcomes[number] = outcome
        if not set(self.waiting) <= set(self.outcomes):
            return
        with self._lock:
            self._finished += [(self.waiting[n].params, self.outcomes[n]) for n in sorted(self.waiting)]
            self.waiting.clear()

    def replay(self, params: Mapping[str, Any], outcome: Outcome) -> None:
        """Appends a finished trial of an earlier run, to be called in the order of trial numbers."""
        with self._lock:
            self._finished.append((params, outcome))

    def _frozen(self, params: Mapping[str, Any], values: Sequence[float] | None) -> FrozenTrial:
        state = TrialState.FAIL if values is None else TrialState.COMPLETE
        return create_trial(params=dict(params), distributions=self.distributions, values=values, state=state)

    @property
    def told(self) -> list[FrozenTrial]:
        """The finished trials in order, valued by validation accuracy at their compression and its log10."""
        with self._lock:
            return [
                self._frozen(
                    params, None if outcome is None else [outcome[self.aim(n)], math.log10(self.aim(n))]
                )
                for n, (params, outcome) in enumerate(self._finished)
            ]

    @property
    def states(self) -> list[TrialState]:
        """The states of the finished trials (COMPLETE or FAIL), in order."""
        with self._lock:
            return [
                TrialState.FAIL if outcome is None else TrialState.COMPLETE for _, outcome in self._finished
            ]
