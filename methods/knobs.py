"""Knobs that several methods share. A target's is in `api.py`: plugins want it too."""

from typing import Any

from .api import Knob, knob

# The methods that penalise the weights themselves take no ordinary decay on them.
NO_DECAY = Knob(0.0, least=0.0, most=0.0, searched=False)


def strength(default: float, low: float, high: float, doc: str) -> Any:
    """A penalty's strength λ: searched in a logarithmic range, allowed from 0."""
    return knob(default, low=low, high=high, log=True, least=0.0, most=1e3, operating=True, doc=doc)


def scope_knob() -> Any:
    """Whether weights are ranked over the whole net or in each layer."""
    return knob(
        "global",
        choices=("global", "layerwise"),
        searched=False,
        doc="one ranking over the net, or one a layer",
    )
