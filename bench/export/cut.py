"""A finished model cut to a compression: its largest weights by magnitude, as the leaderboard has it."""

import math
from collections.abc import Sequence

from torch import Tensor

from ...errors import SparsebenchError
from ...records.choice import as_printed
from ..measurement.cuts import ChannelCut, Cut, WeightCut
from ..measurement.graph.find_channels import find_channels
from ..models.model_file import ModelCard, cpu_state_dict
from .load_snippet import build_network


def cut_model(
    state: dict[str, Tensor], card: ModelCard, at: float, prunable: Sequence[str]
) -> tuple[dict[str, Tensor], ModelCard]:
    """Returns a model with its k(at) prunable weights of largest magnitude, without retraining.

    On a task whose channels are removed, the channels of largest norm are left, with at most 1/at of the
    multiply-accumulates. A model that is at least that sparse already is returned as it is.

    Args:
        state: The state dict of the plain model, on the CPU.
        card: Its model card.
        at: The compression.
        prunable: Names of its prunable weights P, in their order.

    Returns:
        The new state dict, and the card with the compression and the accuracies of these weights: those that
        the harness measured, None at a compression that is none of the common ones.

    Raises:
        SparsebenchError: The compression is below 1 or leaves no weight, or P is not known.

    Example:
        >>> from pathlib import Path
        >>> from sparsebench.bench.models.model_file import read_model
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> state, card = read_model(Path("model.safetensors"))
        >>> state, card = cut_model(state, card, 4, card.prunable)
        >>> round(card.compression, 3), sum(int(state[name].count_nonzero()) for name in card.prunable)
        (4.0, 12550)
    """
    if not prunable:
        raise SparsebenchError(
            "the file does not say which weights are prunable, as those of earlier versions: give its output "
            "folder and the trial"
        )
    model = build_network(card, state)  # a weight that layers share is one parameter here
    at = as_printed(at, [point.at for point in card.at_compressions])
    weights = {name: model.get_parameter(name).detach() for name in prunable}
    size = sum(w.numel() for w in weights.values())
    cut: Cut = WeightCut(weights, cost={})
    if card.granularity == "channels":
        cut = ChannelCut(model, prunable, find_channels(model, prunable, card.shape))
    if not 1 <= at <= cut.limit():
        limit = math.floor(100 * cut.limit()) / 100
        raise SparsebenchError(f"compression {at:g} is out of range for {card.task}: 1 to {limit:,.12g}")
    if not cut.to(at):
        return state, card
    point = next((point for point in card.at_compressions if point.at == at), None)
    found = {
        "compression": size / max(1, cut.nonzeros()),
        "val_accuracy": point.val_accuracy if point else None,
        "test_accuracy": point.test_accuracy if point else None,
        "at_compressions": [point for point in card.at_compressions if point.at >= at],
        "cut_to": at,
        "speedup": point.speedup if point else None,
    }
    return cpu_state_dict(model), card.model_copy(update=found)
