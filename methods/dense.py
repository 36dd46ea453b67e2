"""The dense baseline: no sparsification at all."""

from dataclasses import dataclass

from .api import Sparsifier, register


@register("dense")
@dataclass
class Dense(Sparsifier):
    """Minimise the mean cross-entropy; every weight is kept. The accuracy that the others are measured by."""
