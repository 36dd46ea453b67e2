"""Training dense, pruning once, fine-tuning the rest: the shape of several methods."""

from .api import Clock, Round, Sparsifier
from .net import Net


def finetuned(share: float, peak: float) -> tuple[Round, ...]:
    """Returns the rounds of a training that ends with fine-tuning.

    Args:
        share: The share of the steps that fine-tune; with 0 there is one round alone.
        peak: The peak learning rate of fine-tuning as a multiple of that of training.

    Returns:
        The rounds "train" and "finetune".

    Example:
        >>> [(r.name, r.share) for r in finetuned(0.2, peak=0.3)]
        [('train', 0.8), ('finetune', 0.2)]
    """
    if share == 0:
        return (Round(),)
    return Round(1 - share), Round(share, "finetune", peak=peak, restart=True)


class PrunedOnce(Sparsifier):
    """Prunes between training and fine-tuning, or at the end where there is no fine-tuning.

    A subclass has the knobs of `finetune_knob` and `finetune_lr_knob`, and says how it prunes.

    Attributes:
        finetune: The share of the steps after pruning; 0 leaves fine-tuning out.
        finetune_lr: The peak learning rate of fine-tuning as a multiple of that of training.

    Example:
        >>> from sparsebench.methods.magnitude import Magnitude
        >>> method = Magnitude(sparsity=0.9, finetune=0.0)
        >>> isinstance(method, PrunedOnce), method.is_pruned(net), [r.name for r in method.rounds()]
        (True, False, ['train'])
    """

    finetune: float
    finetune_lr: float

    def prune_once(self, net: Net) -> None:
        """Removes what has to go, for the rest of the training."""
        raise NotImplementedError

    def is_pruned(self, net: Net) -> bool:
        """Returns whether that was done."""
        return bool(net.masks)

    def rounds(self) -> tuple[Round, ...]:
        return finetuned(self.finetune, self.finetune_lr)

    def start_round(self, net: Net, clock: Clock) -> None:
        if clock.round == 1:
            self.prune_once(net)

    def finalize(self, net: Net) -> None:
        if not self.is_pruned(net):
            self.prune_once(net)
