"""A finished model as a file of somebody else's format: safetensors, a PyTorch state dict, ONNX."""

import json
import sys
import warnings
from collections import OrderedDict
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import SparsebenchError
from ..models.model_file import KEY, ModelCard, write_model
from .load_snippet import build_network

SUFFIXES = (".safetensors", ".pt", ".onnx")


def check_format(path: Path) -> None:
    """Errors: a name that says no format, ONNX without its packages; before anything is trained or read."""
    if path.suffix not in SUFFIXES:
        raise SparsebenchError(f"{str(path)!r}: end the file's name in {', '.join(SUFFIXES)}")
    if path.suffix == ".onnx" and not all(map(find_spec, ("onnx", "onnxscript"))):
        raise SparsebenchError("ONNX needs two more packages: pip install -e '.[onnx]' in the clone")


def write_format(state: dict[str, Tensor], card: ModelCard, path: Path) -> None:
    """Write the model in the format that the file's name says, with its card. Errors: what the disk says."""
    {".safetensors": write_model, ".pt": _state_dict, ".onnx": _onnx}[path.suffix](state, card, path)


def _state_dict(state: dict[str, Tensor], card: ModelCard, path: Path) -> None:
    """A state dict alone; the card is its attribute `sparsebench`, where `load_state_dict` does not look."""
    plain = OrderedDict(state)
    setattr(plain, KEY, json.loads(card.to_json()))
    torch.save(plain, path)


def _onnx(state: dict[str, Tensor], card: ModelCard, path: Path) -> None:
    """The network in eval mode for any number of images; the card is in the model's metadata."""
    model = build_network(card)
    model.load_state_dict(state)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):  # the exporter talks of its own ways
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                _Named(model.eval()),
                (torch.zeros(2, *card.shape),),
                dynamo=True,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("count")},),
                verbose=False,
            )
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SparsebenchError(f"torch cannot export {card.model!r} to ONNX: {reason}") from error
    assert program is not None
    program.model.metadata_props[KEY] = card.to_json()
    program.save(path, external_data=False)


class _Named(nn.Module):
    """A network whose input has a name of ours, whatever the network calls it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)  # type: ignore[no-any-return]
