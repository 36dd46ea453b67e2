"""Iterative magnitude pruning: prune, rewind, retrain; all rounds share one budget of steps."""

from dataclasses import dataclass

from .api import Clock, Round, Sparsifier, knob, register, sparsity_knob
from .knobs import scope_knob
from .magnitude import keep_largest
from .net import Net


@register("lrr", reference="arXiv:2003.02389")
@dataclass
class LearningRateRewinding(Sparsifier):
    """s_i = 1-(1-s)^(i/n): after each training remove the same share of the survivors; replay the schedule.

    Learning-rate rewinding keeps the trained weights and goes back in the schedule alone, to its start, with
    fresh optimizer buffers. n+1 trainings of equal length, the first of them dense, share the budget: more
    levels prune more carefully and train each time for less. Masks are nested.

    Attributes:
        sparsity: s, the fraction of zeros at the last level.
        levels: n, the number of prunings, each followed by a training of 1/(n+1) of the steps.
        scope: "global" ranks the weights over the net, "layerwise" in each layer.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> method = configure("lrr", {"sparsity": 0.992, "levels": 3})
        >>> [round(method.level_sparsity(i), 3) for i in range(4)]  # each level removes 80%
        [0.0, 0.8, 0.96, 0.992]
    """

    sparsity: float = sparsity_knob()
    levels: int = knob(3, low=1, high=6, maximum=100, doc="n, how often the network is pruned and retrained")
    scope: str = scope_knob()

    def rounds(self) -> tuple[Round, ...]:
        share = 1 / (self.levels + 1)
        retrain = [Round(share, f"level {i}", restart=True) for i in range(1, self.levels + 1)]
        return (Round(share, "dense"), *retrain)

    def level_sparsity(self, level: int) -> float:
        """Returns the sparsity of a level: 0 at level 0, which is dense, the target at the last."""
        return float(1 - (1 - self.sparsity) ** (level / self.levels))

    def start_round(self, net: Net, clock: Clock) -> None:
        if clock.round:
            keep_largest(net, self.level_sparsity(clock.round), self.scope)


@register("lth", reference="arXiv:1912.05671")
@dataclass
class LotteryTicket(LearningRateRewinding):
    """s_i = 1-(1-s)^(i/n): after each training remove the same share of the survivors; survivors ← θ_k.

    Weight rewinding: what survives (biases, norms and their running statistics too) goes back to its value
    after step k of the dense training, bit for bit, and the schedule resumes at k with fresh optimizer
    buffers. k is `rewind` of one training: 0 finds lottery tickets (arXiv:1803.03635) in small networks,
    deep ones need 0.01 to 0.05. All trainings share the budget; masks are nested.

    Attributes:
        rewind: k as a share of one training's steps: retraining starts with the weights of that step.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> method = configure("lth", {"levels": 2, "rewind": 0.5})
        >>> [(r.name, r.share, r.resume) for r in method.rounds()]
        [('dense', 0.5, 0.0), ('level 1', 0.25, 0.5), ('level 2', 0.25, 0.5)]
    """

    rewind: float = knob(
        0.02, low=0.0, high=0.05, maximum=0.9, searched=False, doc="k, as a share of one training's steps"
    )

    def rounds(self) -> tuple[Round, ...]:
        length = 1 / (1 + self.levels * (1 - self.rewind))
        share = length * (1 - self.rewind)
        retrain = [
            Round(share, f"level {i}", resume=self.rewind, restart=True) for i in range(1, self.levels + 1)
        ]
        return (Round(length, "dense"), *retrain)

    def start_round(self, net: Net, clock: Clock) -> None:
        super().start_round(net, clock)
        if clock.round:
            net.restore(self.state["rewind"])
        elif self._step(clock) == 0:
            self.state["rewind"] = net.snapshot()

    def after_step(self, net: Net, clock: Clock) -> None:
        if clock.round == 0 and "rewind" not in self.state and clock.round_step + 1 >= self._step(clock):
            self.state["rewind"] = net.snapshot()

    def _step(self, clock: Clock) -> int:
        """Returns k in whole steps of the dense training."""
        return min(round(self.rewind * clock.round_steps), clock.round_steps)
