"""Magnitude pruning: the weights with the smallest absolute values are removed."""

from dataclasses import dataclass

from .api import keep_count, register, sparsity_knob
from .knobs import finetune_knob, finetune_lr_knob, scope_knob
from .masks import counts, global_top, layerwise_top
from .net import Net
from .one_shot import PrunedOnce


def keep_largest(net: Net, sparsity: float, scope: str) -> None:
    """Masks all but the (1-sparsity)·|P| largest |w|; a weight that is masked already stays masked.

    Args:
        net: The net, whose masks are replaced.
        sparsity: The fraction of zeros over all prunable weights.
        scope: "global" ranks over the net, "layerwise" leaves the same share of each layer.

    Example:
        >>> keep_largest(net, 0.9, "layerwise")
        >>> {name: (mask.numel(), int(mask.sum())) for name, mask in net.masks.items()}
        {'1.weight': (19200, 1920), '3.weight': (30000, 3000), '5.weight': (1000, 100)}
    """
    scores, live = {}, {}
    for name in net.names:
        dead = ~net.masks[name] if name in net.masks else None
        size = net.weight(name).abs()
        scores[name] = size if dead is None else size.masked_fill(dead, -1.0)
        live[name] = size.numel() if dead is None else size.numel() - int(dead.sum())
    keep = keep_count(sparsity, net.size)
    if scope == "global":
        net.set_masks(global_top(scores, keep))
        return
    # The shares are of the active weights, whose number so bounds a layer's count: rounded from the full
    # size, a count could rise by one while the total falls.
    shares = {name: (1 - sparsity) * scores[name].numel() / max(1, live[name]) for name in scores}
    net.set_masks(layerwise_top(scores, counts(shares, live, keep)))


@register("magnitude", reference="arXiv:1506.02626")
@dataclass
class Magnitude(PrunedOnce):
    """Train dense, keep the largest |w|, fine-tune the rest under the mask. One shot.

    The mask keeps (1-sparsity)·|P| weights, ranked over the whole net or in each layer. Fine-tuning takes
    `finetune` of the same budget of steps, at `finetune_lr` times the learning rate; 0 leaves it out and so
    reports the raw, pruned network.

    Attributes:
        sparsity: The fraction of zeros.
        scope: "global" ranks the weights over the net, "layerwise" in each layer.
        finetune: The share of the steps after pruning.
        finetune_lr: The peak learning rate of fine-tuning as a multiple of that of training.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> method = configure("magnitude", {"sparsity": 0.95, "finetune": 0.2})
        >>> [(r.name, r.share, r.peak) for r in method.rounds()]
        [('train', 0.8, 1.0), ('finetune', 0.2, 1.0)]
        >>> method.finalize(net)
        >>> sum(int(net.weight(name).count_nonzero()) for name in net.names)  # 5% of 50,200 weights
        2510
    """

    sparsity: float = sparsity_knob()
    scope: str = scope_knob()
    finetune: float = finetune_knob()
    finetune_lr: float = finetune_lr_knob()

    def prune_once(self, net: Net) -> None:
        keep_largest(net, self.sparsity, self.scope)
