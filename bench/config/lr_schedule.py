"""Learning-rate schedules: the rate of a step, whole steps of rounds, and the sum over a plan."""

import math
from collections.abc import Sequence
from itertools import pairwise

from ...methods.api import Round


def factor(kind: str, position: float, warmup: float) -> float:
    """Returns the schedule's factor at a position: linear warm-up, then the named decay.

    With p the position after warm-up, from 0 to 1, cosine: ½(1+cos πp); linear: 1-p; step: ÷10 at p = 1/2
    and again at 3/4; constant: 1.

    Args:
        kind: "cosine", "linear", "step" or "constant".
        position: A position in the schedule, 0 at its start and 1 at its end.
        warmup: The fraction of the schedule that warms up; 0 for none.

    Returns:
        A factor of the peak rate, in [0, 1].

    Example:
        >>> factor("linear", 0.25, 0.0), factor("linear", 0.25, 0.5)  # the second is half-way in its warm-up
        (0.75, 0.5)
    """
    if position < warmup:
        return position / warmup
    p = (position - warmup) / (1 - warmup)
    if kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * p))
    if kind == "linear":
        return 1 - p
    if kind == "step":
        return 1.0 if p < 0.5 else 0.1 if p < 0.75 else 0.01
    return 1.0


def rate(kind: str, warmup: float, base: float, round_: Round, step: int, steps: int) -> float:
    """Returns the learning rate of a step in a round: the schedule's value at the middle of the step.

    Args:
        kind: The schedule, as for `factor`.
        warmup: The fraction of the schedule that warms up.
        base: The recipe's peak learning rate.
        round_: The round; the schedule runs from its `resume` to its `until`, scaled by its `peak`.
        step: The step in the round, from 0.
        steps: Steps of the round.

    Returns:
        base · peak · factor.

    Example:
        >>> [rate("linear", 0.0, 2.0, Round(), step, 4) for step in range(4)]
        [1.75, 1.25, 0.75, 0.25]
    """
    within = (step + 0.5) / steps
    position = round_.resume + (round_.until - round_.resume) * within
    return base * round_.peak * factor(kind, position, warmup)


def round_steps(rounds: Sequence[Round], steps: int) -> list[int]:
    """Returns the whole steps of each round: at least one, and together exactly `steps`.

    Args:
        rounds: Rounds whose shares sum to 1.
        steps: The budget to divide, at least as many as there are rounds.

    Returns:
        Steps in the order of the rounds.

    Example:
        >>> round_steps([Round(share=0.5), Round(share=0.25), Round(share=0.25)], 10)
        [5, 3, 2]
    """
    ends, total = [0], 0.0
    for index, round_ in enumerate(rounds, 1):
        total += round_.share
        ends.append(max(ends[-1] + 1, min(round(total * steps), steps - (len(rounds) - index))))
    ends[-1] = steps
    return [end - start for start, end in pairwise(ends)]


def eta_sum(
    kind: str, warmup: float, base: float, rounds: Sequence[Round], steps: int, momentum: float
) -> float:
    """Returns Σ_t η_t/(1-μ) over all steps of a plan, the sum that a decay budget is computed from.

    Args:
        kind: The schedule, as for `factor`.
        warmup: The fraction of the schedule that warms up.
        base: The recipe's peak learning rate.
        rounds: Rounds whose shares sum to 1.
        steps: Steps of the whole plan.
        momentum: μ of SGD; 0 for the other optimizers.

    Returns:
        The sum of effective learning rates.

    Example:
        >>> eta_sum("constant", 0.0, 0.25, [Round()], 100, momentum=0.5)  # 100·0.25 / (1-0.5)
        50.0
    """
    total = sum(
        rate(kind, warmup, base, round_, step, count)
        for round_, count in zip(rounds, round_steps(rounds, steps), strict=True)
        for step in range(count)
    )
    return total / (1 - momentum)
