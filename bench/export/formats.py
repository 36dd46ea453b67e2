"""The writers of the export formats: safetensors, a PyTorch state dict, ONNX."""

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
from ...reasons import reason, root_cause
from ..models.model_file import KEY, ModelCard, write_model
from .load_snippet import build_network

SUFFIXES = (".safetensors", ".pt", ".onnx")


def check_format(path: Path) -> None:
    """Checks that a model can be written in the format of a file name, before anything is read or trained.

    Args:
        path: The file to write.

    Raises:
        SparsebenchError: A suffix other than `.safetensors`, `.pt` and `.onnx`; or `.onnx` where the
            packages onnx and onnxscript are not installed.

    Example:
        >>> check_format(Path("model.h5"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'model.h5': the name must end in .safetensors, .pt or .onnx
    """
    if path.suffix not in SUFFIXES:
        raise SparsebenchError(
            f"{str(path)!r}: the name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )
    if path.suffix == ".onnx" and not all(map(find_spec, ("onnx", "onnxscript"))):
        raise SparsebenchError("ONNX needs two more packages: pip install -e '.[onnx]' in the clone")


def write_format(state: dict[str, Tensor], card: ModelCard, path: Path) -> None:
    """Writes a model with its card in the format named by the file's suffix.

    Args:
        state: The state dict of the plain model, on the CPU.
        card: The model card; it becomes metadata of the file.
        path: The file to write.

    Raises:
        OSError: The file cannot be written.
        SparsebenchError: torch cannot export the network to ONNX.

    Example:
        >>> from sparsebench.bench.models.model_file import read_model
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> write_format(*read_model(Path("model.safetensors")), Path("model.pt"))
        >>> weights = torch.load("model.pt", weights_only=True)
        >>> weights["1.weight"].shape, weights.sparsebench["method"]
        (torch.Size([300, 64]), 'dense')
    """
    {".safetensors": write_model, ".pt": _state_dict, ".onnx": _onnx}[path.suffix](state, card, path)


def _state_dict(state: dict[str, Tensor], card: ModelCard, path: Path) -> None:
    """Writes a state dict alone; the card is its attribute `sparsebench`, which `load_state_dict` ignores."""
    plain = OrderedDict(state)
    setattr(plain, KEY, json.loads(card.to_json()))
    torch.save(plain, path)


def _onnx(state: dict[str, Tensor], card: ModelCard, path: Path) -> None:
    """Writes the network in eval mode for any number of images; the card is in the model's metadata."""
    model = build_network(card)
    model.load_state_dict(state)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):  # the exporter reports its internals
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
        why = reason(root_cause(error))  # the errors around it are the exporter's advice to its developers
        raise SparsebenchError(
            f"torch cannot export {card.model!r} to ONNX ({why}): choose .pt or .safetensors"
        ) from error
    assert program is not None
    program.model.metadata_props[KEY] = card.to_json()
    program.save(path, external_data=False)


class _Named(nn.Module):
    """A wrapper that names the network's input `images`, whatever the network itself calls it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)  # type: ignore[no-any-return]
