"""The learning rate over a round, and its sum over a plan."""

import math
from collections.abc import Sequence
from itertools import pairwise

from ...methods.api import Round


def factor(kind: str, position: float, warmup: float) -> float:
    """The schedule's value in [0, 1] at a position in (0, 1): linear warm-up, then the named decay to 0.

    cosine: ½(1+cos πp); linear: 1-p; step: ÷10 at p = 1/2 and again at 3/4; constant: 1.
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
    """The learning rate of a round's step: the schedule at the middle of the step."""
    within = (step + 0.5) / steps
    position = round_.resume + (round_.until - round_.resume) * within
    return base * round_.peak * factor(kind, position, warmup)


def round_steps(rounds: Sequence[Round], steps: int) -> list[int]:
    """Whole steps of each round: at least one, and together exactly `steps`."""
    ends, total = [0], 0.0
    for index, round_ in enumerate(rounds, 1):
        total += round_.share
        ends.append(max(ends[-1] + 1, min(round(total * steps), steps - (len(rounds) - index))))
    ends[-1] = steps
    return [end - start for start, end in pairwise(ends)]


def eta_sum(
    kind: str, warmup: float, base: float, rounds: Sequence[Round], steps: int, momentum: float
) -> float:
    """Σ_t η_t/(1-μ) over the whole plan: what a decay budget is made of."""
    total = sum(
        rate(kind, warmup, base, round_, step, count)
        for round_, count in zip(rounds, round_steps(rounds, steps), strict=True)
        for step in range(count)
    )
    return total / (1 - momentum)
