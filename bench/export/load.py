"""`sparsebench.load_model`: a finished model as a plain network of torch or timm, in this process."""

from pathlib import Path

from torch import nn

from ...errors import SparsebenchError
from ..models.model_file import read_model
from ..output_folder.layout import SUFFIX
from .cut import cut_model
from .load_snippet import build_network


def load_model(source: str | Path, at: float | None = None) -> nn.Module:
    """Returns a finished model as a plain network, in eval mode on the CPU.

    Args:
        source: A model's safetensors file, or a folder with one, as MLflow downloads a registered model.
        at: The compression to cut it to, as `export` does; None leaves it as training left it.

    Returns:
        The network: that of timm under the model's name, or a sequence of torch's layers.

    Raises:
        SparsebenchError: There is no such file, the folder has none or several, the file is damaged, or it
            cannot be cut to that compression.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> load_model("model.safetensors", at=4)[-1]
        Linear(in_features=100, out_features=10, bias=True)
    """
    place = Path(source)
    files = sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]
    if len(files) != 1:
        raise SparsebenchError(f"{str(source)!r} has {len(files)} model files; one was expected: name it")
    state, card = read_model(files[0])
    if at is not None:
        state, card = cut_model(state, card, at, card.prunable)
    return build_network(card, state).eval()
