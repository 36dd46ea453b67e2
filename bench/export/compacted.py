"""The compacted network of a model file, compared with the model on images of its dataset."""

from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import SparsebenchError
from ..compaction.compact import Compacted, compact
from ..models.model_file import ModelCard
from ..training.trial import open_data
from .formats import STATES
from .load_snippet import build_network

IMAGES = 64
"""Images of the validation split on which logits are compared."""


def compacted(
    state: dict[str, Tensor],
    card: ModelCard,
    data: str | Path | None,
    base: str | None = None,
    select: bool = True,
) -> Compacted:
    """Returns the smaller dense network of a model file, with the logits of the model.

    Args:
        state: The state dict of the model.
        card: Its card, which names the dataset.
        data: Folder of the datasets.
        base: Folder that relative paths among the dataset's arguments are counted from.
        select: Whether layers may select their inputs and place their outputs, which a sequence of layers of
            torch.nn cannot.

    Returns:
        The network, and what compaction saves.

    Raises:
        SparsebenchError: The dataset is not there, or the model cannot be compacted.

    Example:
        >>> from sparsebench.bench.models.model_file import read_model
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> compacted(*read_model(Path("model.safetensors")), None).counts.units_after
        410
    """
    return compact(build_network(card, state), sample_images(card, data, base), select=select)


def sample_images(card: ModelCard, data: str | Path | None, base: str | None = None) -> Tensor:
    """Returns the first images of the validation split of a model's dataset.

    Args:
        card: The model's card, which names the dataset.
        data: Folder of the datasets.
        base: Folder that relative paths among the dataset's arguments are counted from.

    Returns:
        At most `IMAGES` images `(N, C, H, W)`, on the CPU.

    Raises:
        SparsebenchError: The dataset is not there.

    Example:
        >>> from sparsebench.bench.models.model_file import read_card
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> sample_images(read_card(Path("model.safetensors")), None).shape
        torch.Size([64, 1, 8, 8])
    """
    opened = open_data(card.dataset, data, card.dataset_args, base)
    return next(iter(opened.valid.batches(IMAGES, torch.device("cpu"))))[0]


def check_writable(network: nn.Module, path: Path) -> None:
    """Checks that lines of plain Python can build a network, where the file holds tensors alone.

    Args:
        network: A compacted network.
        path: The file to write.

    Raises:
        SparsebenchError: The network is no sequence of layers, and the file is no `.pt2` or `.onnx`.

    Example:
        >>> check_writable(nn.Sequential(), Path("model.pt"))
        >>> check_writable(nn.Identity(), Path("model.pt"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'model.pt': compacted, this model is no plain sequence ...
    """
    if path.suffix in STATES and not isinstance(network, nn.Sequential):
        raise SparsebenchError(
            f"{str(path)!r}: compacted, this model is no plain sequence of layers, and no constructor makes "
            "it: choose .pt2 (a program of torch.export) or .onnx"
        )
