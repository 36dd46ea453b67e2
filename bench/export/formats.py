"""The writers of the export formats: safetensors, a PyTorch state dict, a program of torch.export, ONNX."""

import json
import sys
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import SparsebenchError
from ...files import replacing
from ...reasons import reason, root_cause
from ..measurement.graph.trace import export_program
from ..models.model_file import KEY, ModelCard, write_model
from .load_snippet import build_network

STATES = (".safetensors", ".pt")
"""Formats of the tensors alone, which lines of Python put into a network that they build."""
SUFFIXES = (*STATES, ".pt2", ".onnx")


def check_format(path: Path) -> None:
    """Checks that a model can be written in the format of a file name, before anything is read or trained.

    Args:
        path: The file to write.

    Raises:
        SparsebenchError: A suffix other than those of `SUFFIXES`; or `.onnx` where the
            packages onnx and onnxscript are not installed.

    Example:
        >>> check_format(Path("model.h5"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'model.h5': the name must end in .safetensors, .pt, .pt2 or .onnx
    """
    if path.suffix not in SUFFIXES:
        raise SparsebenchError(
            f"{str(path)!r}: the name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )
    if path.suffix == ".onnx" and not all(map(find_spec, ("onnx", "onnxscript"))):
        raise SparsebenchError("ONNX needs two more packages: pip install -e '.[onnx]' in the clone")


def write_format(
    state: dict[str, Tensor], card: ModelCard, path: Path, network: nn.Module | None = None
) -> None:
    """Writes a model with its card in the format named by the file's suffix.

    Args:
        state: The state dict of the plain model, on the CPU.
        card: The model card; it becomes metadata of the file.
        path: The file to write.
        network: The network with these weights, such as a compacted one; by default that of the card.

    Raises:
        OSError: The file cannot be written.
        SparsebenchError: torch cannot export the network to ONNX or to a program.

    Example:
        >>> from sparsebench.bench.models.model_file import read_model
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> write_format(*read_model(Path("model.safetensors")), Path("model.pt"))
        >>> weights = torch.load("model.pt", weights_only=True)
        >>> weights["1.weight"].shape, weights.sparsebench["method"]
        (torch.Size([300, 64]), 'dense')
    """
    if path.suffix in STATES:
        {".safetensors": write_model, ".pt": _state_dict}[path.suffix](state, card, path)
        return
    if network is None:
        network = build_network(card, state)
    {".pt2": _program, ".onnx": _onnx}[path.suffix](network, card, path)


def _state_dict(state: dict[str, Tensor], card: ModelCard, path: Path) -> None:
    """Writes a state dict alone; the card is its attribute `sparsebench`, which `load_state_dict` ignores."""
    plain = OrderedDict(state)
    setattr(plain, KEY, json.loads(card.to_json()))
    torch.save(plain, path)


def _program(model: nn.Module, card: ModelCard, path: Path) -> None:
    """Writes the network in eval mode as a program for any number of images; the card is a file within."""
    program = export_program(model, card.shape)
    with replacing(path) as part, part.open("wb") as file:
        torch.export.save(program, file, extra_files={KEY: card.to_json()})


def _onnx(model: nn.Module, card: ModelCard, path: Path) -> None:
    """Writes the network in eval mode for any number of images; the card is in the model's metadata."""
    try:
        program = onnx_program(model, card.shape)
    except Exception as error:
        why = reason(root_cause(error))  # the errors around it are the exporter's advice to its developers
        raise SparsebenchError(
            f"torch cannot export {card.model!r} to ONNX ({why}): choose .pt or .safetensors"
        ) from error
    program.model.metadata_props[KEY] = card.to_json()
    program.save(path, external_data=False)


def onnx_program(model: nn.Module, shape: Sequence[int]) -> torch.onnx.ONNXProgram:
    """Returns a network in eval mode as an ONNX model, from `images`, any number of them, to `logits`.

    Args:
        model: The network, on the CPU.
        shape: (C, H, W) of an image.

    Returns:
        The model. What the exporter raises is not caught.

    Example:
        >>> [value.name for value in onnx_program(model, (1, 8, 8)).model.graph.inputs]
        ['images']
    """
    with warnings.catch_warnings(), redirect_stdout(sys.stderr):  # the exporter reports its internals
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Named(model.eval()),
            (torch.zeros(2, *shape),),
            dynamo=True,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("count")},),
            verbose=False,
        )
    assert program is not None
    return program


class _Named(nn.Module):
    """A wrapper that names the network's input `images`, whatever the network itself calls it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)  # type: ignore[no-any-return]
