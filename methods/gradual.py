"""Gradual magnitude pruning: the sparsity of the mask rises while the network trains."""

from dataclasses import dataclass

from ..errors import SparsebenchError
from .api import Clock, Sparsifier, knob, register, sparsity_knob
from .knobs import scope_knob
from .magnitude import keep_largest
from .net import Net


def cubic(position: float, final: float) -> float:
    """Returns the sparsity s_f·(1-(1-p)³) at a position p of the pruning.

    Args:
        position: p, from 0 at the first pruning to 1 at the last.
        final: s_f, the sparsity at p = 1.

    Returns:
        The fraction of zeros: 0 at p = 0, ⅞·s_f half-way, s_f at p = 1.

    Example:
        >>> [cubic(p, final=0.96) for p in (0.0, 0.5, 1.0)]
        [0.0, 0.84, 0.96]
    """
    return final * (1 - (1 - position) ** 3)


@register("gmp", reference="arXiv:1710.01878")
@dataclass
class GradualMagnitude(Sparsifier):
    """s_t = s_f·(1-(1-(t-t₀)/(t₁-t₀))³): keep the largest |w| at the sparsity s_t, n times from t₀ to t₁.

    A weight that is gone stays gone, and its momentum with it; after t₁ the rest trains under the last mask.
    t₀ and t₁ are shares of the budget, the events at equal distances between them (at every step where there
    are fewer steps than events). One training, one schedule: an early t₁ leaves more steps at a higher rate.

    Attributes:
        sparsity: s_f, the fraction of zeros from t₁ on.
        start: t₀ as a share of the steps; must lie before `end`.
        end: t₁ as a share of the steps; the rest of the training has the final mask.
        events: n, the number of times that the mask is tightened.
        scope: "global" ranks the weights over the net, "layerwise" in each layer.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> method = configure("gmp", {"sparsity": 0.96, "start": 0.25, "end": 0.75, "events": 4})
        >>> done = [method.reached(fraction) for fraction in (0.25, 0.5, 0.75)]
        >>> done, [cubic(events / 4, method.sparsity) for events in done]
        ([0, 2, 4], [0.0, 0.84, 0.96])
    """

    sparsity: float = sparsity_knob()
    start: float = knob(
        0.15,
        minimum=0.0,
        maximum=0.9,
        doc="t₀, the first pruning, as a share of the steps",
        idle={"events": (1,)},
    )
    end: float = knob(
        0.75,
        low=0.6,
        high=0.85,
        minimum=0.05,
        maximum=1.0,
        doc="t₁, the last pruning, as a share of the steps",
    )
    events: int = knob(60, minimum=1, maximum=100_000, doc="n, how often the mask tightens between t₀ and t₁")
    scope: str = scope_knob()

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise SparsebenchError(f"gmp: start = {self.start:g} must be less than end = {self.end:g}")

    def reached(self, fraction: float) -> int:
        """Returns how many of the n prunings are due at a share of the steps; 0 at t₀ itself."""
        position = (fraction - self.start) / (self.end - self.start)
        return max(0, min(self.events, int(position * self.events + 1e-9)))

    def after_step(self, net: Net, clock: Clock) -> None:
        now = self.reached((clock.step + 1) / clock.steps)
        if now > self.state.get("events", 0):
            self.state["events"] = now
            keep_largest(net, cubic(now / self.events, self.sparsity), self.scope)

    def finalize(self, net: Net) -> None:
        keep_largest(net, self.sparsity, self.scope)
