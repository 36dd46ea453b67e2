"""AC/DC: alternating phases of compressed and decompressed training."""

from dataclasses import dataclass

from .api import Clock, Round, Sparsifier, knob, register, sparsity_knob
from .knobs import scope_knob
from .magnitude import keep_largest
from .net import Net


@register("acdc", reference="arXiv:2106.12379")
@dataclass
class ACDC(Sparsifier):
    """θ ← m ⊙ θ with m the largest |θ| for one phase, then all weights for the next, in turn.

    Dense for `first` of the steps, then sparse and dense phases of length `phase` as long as a last sparse
    phase of at least `last` remains. One schedule runs through all of them. At the start of a sparse phase
    the weights are ranked afresh at the full target; in a dense phase the masked ones start again from 0, and
    the optimizer's buffers anew.

    Attributes:
        sparsity: The fraction of zeros in every sparse phase, and so at the end.
        phase: The length of a phase as a share of the steps; shorter phases alternate more often.
        first: The share of the steps of the dense phase at the start; 0 starts sparse.
        last: The least share of the steps of the final sparse phase, which takes what the others leave.
        scope: "global" ranks the weights over the net, "layerwise" in each layer.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> method = configure("acdc", {"phase": 0.15, "last": 0.5})
        >>> [(name, round(share, 2)) for name, share in method.phases()]
        [('dense', 0.05), ('sparse', 0.15), ('dense', 0.15), ('sparse', 0.65)]
    """

    sparsity: float = sparsity_knob()
    phase: float = knob(
        0.1, low=0.05, high=0.15, minimum=0.001, maximum=0.5, doc="length of a phase as a share of the steps"
    )
    first: float = knob(
        0.05, minimum=0.0, maximum=0.5, doc="share of the steps that are dense at the beginning"
    )
    last: float = knob(
        0.15, minimum=0.01, maximum=0.9, doc="least share of the steps for the last sparse phase"
    )
    scope: str = scope_knob()

    def phases(self) -> list[tuple[str, float]]:
        """The name and share of the steps of each phase: (dense,) sparse, dense, sparse, … sparse."""
        pairs = max(0, int((1 - self.first - self.last) / (2 * self.phase) + 1e-9))
        found = [("dense", self.first)] if self.first else []
        found += [("sparse", self.phase), ("dense", self.phase)] * pairs
        return [*found, ("sparse", 1 - self.first - 2 * self.phase * pairs)]

    def rounds(self) -> tuple[Round, ...]:
        rounds, start = [], 0.0
        for name, share in self.phases():
            end = start + share
            rounds.append(Round(share, name, resume=start, until=end, restart=name == "dense" and start > 0))
            start = end
        return tuple(rounds)

    def start_round(self, net: Net, clock: Clock) -> None:
        net.set_masks({})
        if self.phases()[clock.round][0] == "sparse":
            keep_largest(net, self.sparsity, self.scope)
