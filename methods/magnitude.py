"""Magnitude pruning: small weights go."""

from dataclasses import dataclass

from .api import Clock, Round, Sparsifier, knob, register, sparsity_knob
from .masks import scoped_top
from .net import Net


@register("magnitude", reference="arXiv:1506.02626")
@dataclass
class Magnitude(Sparsifier):
    """Train dense, keep the largest |w|, fine-tune the rest under the mask. One shot.

    The mask keeps (1-sparsity)·|P| weights, ranked over the whole net or in each layer. Fine-tuning takes
    `finetune` of the same budget of steps, at `finetune_lr` times the learning rate; 0 leaves it out.
    """

    sparsity: float = sparsity_knob()
    scope: str = knob(
        "global",
        choices=("global", "layerwise"),
        searched=False,
        doc="one ranking over the net, or one a layer",
    )
    finetune: float = knob(
        0.25, low=0.1, high=0.5, least=0.0, most=0.9, doc="share of the steps after pruning; 0 leaves it out"
    )
    finetune_lr: float = knob(
        0.3,
        low=0.03,
        high=1.0,
        log=True,
        least=1e-4,
        most=10.0,
        doc="peak rate of fine-tuning over that of training",
    )

    def rounds(self) -> tuple[Round, ...]:
        if self.finetune == 0:
            return (Round(),)
        return (
            Round(1 - self.finetune),
            Round(self.finetune, "finetune", peak=self.finetune_lr, restart=True),
        )

    def start_round(self, net: Net, clock: Clock) -> None:
        if clock.round == 1:
            self._prune(net)

    def finalize(self, net: Net) -> None:
        if not net.masks:
            self._prune(net)

    def _prune(self, net: Net) -> None:
        scores = {name: net.weight(name).abs() for name in net.names}
        net.set_masks(scoped_top(scores, self.sparsity, self.scope))
