"""The dense baseline: training without sparsification."""

from dataclasses import dataclass

from .api import Sparsifier, register


@register("dense")
@dataclass
class Dense(Sparsifier):
    """Minimise the mean cross-entropy; every weight is kept. The accuracy that the others are measured by.

    Example:
        >>> from sparsebench.methods.api import configure
        >>> weights, others = configure("dense", {}).attach(net, plan=None, probe=None)
        >>> weights.weight_decay, others.weight_decay  # the recipe's decay, and none
        (None, 0.0)
    """
